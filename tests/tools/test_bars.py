"""Table of bars and scores of a card."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tools import bars

BAR = bars.Bar("what", "conversation", "measured", "si_sdri", (12.0, 19.0), (15.0, 22.0))


def stratum(kind="conversation", environment="measured", **figures):
    return {"kind": kind, "environment": environment, "ur0": False, **figures}


def card(tmp_path, *strata, context="recording", latency=None, names=()):
    names = names or [f"s{number}" for number in range(len(strata))]
    entry = {"date": "2001-02-03", "context": context, "latency": latency}
    entry["strata"] = dict(zip(names, strata, strict=True))
    path = tmp_path / "lite.json"
    path.write_text(json.dumps({"scores": {"set": entry}}))
    return path


def rows(path, benchmarks="<!-- peers -->\n<!-- peers: end -->\n"):
    document = path.with_name("benchmarks.md")
    document.write_text(benchmarks)
    return [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in bars.table(path, document).splitlines()
    ]


def row(monkeypatch, path, bar):
    monkeypatch.setattr(bars, "BARS", (bar,))
    return rows(path)[2]


def gains(near, far):
    return {"near_si_sdri": {"median": near}, "far_si_sdri": {"median": far}}


@pytest.mark.parametrize(
    ("near", "far", "told"),
    [
        (12.0, 19.0, "+12 / +19"),
        (11.96, 18.95, "+12 / +18.9 (missed)"),
        (20.0, 18.0, "+20 / +18 (missed)"),
    ],
)
def test_a_missed_floor_is_marked(monkeypatch, tmp_path, near, far, told):
    path = card(tmp_path, stratum(**gains(near, far)))
    assert row(monkeypatch, path, BAR) == ["what", "+12 / +19", "+15 / +22", told, "2001-02-03"]


def test_the_worst_stratum_counts_and_conversations_without_one_role_do_not(monkeypatch, tmp_path):
    strata = [stratum(**gains(14, 20)), stratum(**gains(13, 21)), stratum(**gains(1, 1))]
    path = card(tmp_path, *strata, names=["a", "b", "c nobody near"])
    assert row(monkeypatch, path, BAR)[3] == "+13 / +20"


def test_seconds_are_pooled_over_all_conversations(monkeypatch, tmp_path):
    wrong = replace(BAR, figure="wrong", floor=(1.0, 6.0), goal=(0.5, 2.0))
    strata = [
        stratum(near_wrong={"seconds": 100, "rate": 0.02}, far_wrong={"seconds": 100, "rate": 0.1}),
        stratum(near_wrong={"seconds": 300, "rate": 0.0}),
    ]
    assert row(monkeypatch, card(tmp_path, *strata), wrong)[3] == "0.5 / 10 (missed)"


def test_scores_of_another_context_or_latency_do_not_count(monkeypatch, tmp_path):
    past = card(tmp_path, stratum(**gains(14, 20)), context="past")
    assert row(monkeypatch, past, BAR)[3] == "not scored"
    assert row(monkeypatch, past, replace(BAR, context="past"))[3] == "+14 / +20"
    late = card(tmp_path, stratum(**gains(14, 20)), context="past", latency=0.45)
    assert row(monkeypatch, late, replace(BAR, context="past"))[3] == "not scored"
    assert row(monkeypatch, late, replace(BAR, context="past", latency=0.5))[3] == "+14 / +20"
    assert row(monkeypatch, late, replace(BAR, context="past", latency=0.25))[3] == "not scored"


@pytest.mark.parametrize(("times", "told"), [("5.97", "6.0"), ("6.10", "6.1 (missed)")])
def test_the_speed_comes_from_the_table_of_the_peers(tmp_path, times, told):
    peers = f"""
<!-- peers -->

| system | RTF | RTF, times DTLN's |
| --- | ---: | ---: |
| lite | 0.06 | {times} |
| DTLN | 0.01 | 1.00 |

- RTF: of 3 runs; 2001-02-04.
<!-- peers: end -->
"""
    path = card(tmp_path, stratum(**gains(14, 20)))
    assert rows(path, peers)[-1][1:] == ["6", "3", told, "2001-02-04"]
    assert rows(path)[-1][3] == "not measured"


def test_the_readme_has_only_the_headlines(tmp_path):
    path = card(tmp_path, stratum(**gains(14, 20)))
    headlines = bars.headlines(path).splitlines()[2:]
    assert len(headlines) == sum(bar.headline for bar in bars.BARS)
    assert "+14 / +20" in headlines[0]
