"""Scores of conversations, on constructed signals."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
import soundfile as sf

from dss_cli.errors import DssError
from dss_cli.evaluation.compare import compare
from dss_cli.evaluation.conversation import CHANGES, FIGURES, pair, score_conversation, summarise_seconds
from dss_cli.evaluation.output import csv_text
from dss_cli.evaluation.report import load_template, page
from dss_cli.evaluation.run import evaluate
from dss_cli.evaluation.statistics import strata
from dss_cli.evaluation.systems import StemsFolder
from dss_cli.evaluation.tables import conversation_cells
from dss_cli.evaluation.testset import read_test_set
from tests.helpers import scenesets

RATE = 8000


def track(levels, seed=0):
    """Return noise with one level per second, in dB; None is silence."""
    rng = np.random.default_rng(seed)
    gains = [0.0 if level is None else 10 ** (level / 20) for level in levels]
    return (np.repeat(gains, RATE) * rng.choice([-0.1, 0.1], len(levels) * RATE)).astype(np.float32)


def scored(near, far, near_out, far_out, starts=()):
    references = {"near": track(near, 1), "far": track(far, 2)}
    outputs = {"near": track(near_out, 3), "far": track(far_out, 4)}
    return score_conversation(references, outputs, RATE, starts)


N, F = None, 0.0  # silence; a talker at the usual level


# One scene.


def test_seconds_of_one_role_alone_are_counted_and_weighed():
    row = scored(
        near=[F, F, F, F, N, N, N, N, F, N],
        far=[N, N, N, N, F, F, F, F, F, N],  # both talk in the ninth second, nobody in the last
        near_out=[0, 0, 0, -40, -30, -10, 5, -20, 0, 0],
        far_out=[-30, -20, -10, 0, 0, 0, 0, 0, 0, -90],
    )
    assert (row["near_lone"], row["far_lone"]) == (4, 4)
    assert row["near_wrong"] == 0.25  # the fourth second, 40 dB too low
    assert row["far_wrong"] == 0.25  # the seventh, by 5 dB
    assert row["alone"]["near"]["over"] == pytest.approx([30, 20, 10, -40], abs=0.01)
    assert row["alone"]["far"]["over"] == pytest.approx([30, 10, -5, 20], abs=0.01)
    assert row["near_over"] == pytest.approx(15, abs=0.01)
    assert row["far_over"] == pytest.approx(15, abs=0.01)


@pytest.mark.parametrize(("other", "alone"), [(-24.0, 0), (-26.0, 1)])
def test_the_other_role_lies_25_decibels_below(other, alone):
    near, far = [F] + 9 * [N], [other] + 9 * [N]
    assert scored(near, far, near, far)["near_lone"] == alone
    assert scored(far, near, far, near)["far_lone"] == alone


@pytest.mark.parametrize(("level", "seconds"), [(-29.0, 10), (-31.0, 9)])
def test_a_role_speaks_within_30_decibels_of_its_own_loudest_second(level, seconds):
    near = [level] + 9 * [F]
    quiet = [None if v is None else v - 40 for v in near]
    assert scored(near, 10 * [N], near, 10 * [N])["near_lone"] == seconds
    assert scored(quiet, 10 * [N], near, 10 * [N])["near_lone"] == seconds


def test_an_empty_output_is_scored_within_the_limits():
    near, nobody = 10 * [F], 10 * [N]
    assert scored(near, nobody, near, nobody)["near_over"] == 80
    assert scored(near, nobody, nobody, near)["near_over"] == -80
    silent = scored(near, nobody, nobody, nobody)
    assert (silent["near_over"], silent["near_wrong"]) == (0, 0), "by no output is not by the wrong one"


def test_delays_are_from_a_talkers_first_sound_to_the_right_output():
    near = [N, N, F, F, F, F, F, F, F, F, N, N]
    far = [F, F] + 10 * [N]
    wrong, right = 12 * [-30.0], 12 * [0.0]
    late = [-30.0] * 5 + [0.0] * 7  # the near output starts in the fifth second
    row = scored(near, far, late, [-0.0 if a < -10 else -30.0 for a in late])
    assert row["alone"]["near"]["delays"] == [pytest.approx(3, abs=0.5)]
    assert row["alone"]["far"]["delays"] == [0]
    assert row["near_delay"] == pytest.approx(3, abs=0.5)
    never = scored(near, far, wrong, right)
    assert never["near_delay"] == pytest.approx(10, abs=0.2), "until the scene ends"


def test_each_talker_has_a_delay_of_its_own():
    near = 12 * [F]
    far = 12 * [N]
    out = [0.0] * 6 + [-30.0] * 2 + [0.0] * 4  # the second near talker appears after two seconds
    other = [-30.0] * 6 + [0.0] * 2 + [-30.0] * 4
    row = scored(near, far, out, other, starts=[("near", 0.0), ("near", 6.0), ("far", 3.0)])
    assert row["alone"]["near"]["delays"] == [0, pytest.approx(2, abs=0.3)]
    assert row["alone"]["far"]["delays"] == [], "never heard alone"
    assert row["far_delay"] is None


def test_half_a_second_by_the_right_output_is_not_yet_the_right_output():
    near, far = 12 * [F], 12 * [N]
    late = [0.0] + [-30.0] * 5 + [0.0] * 6
    row = scored(near, far, late, [-30.0 if a == 0 else 0.0 for a in late])
    assert row["alone"]["near"]["delays"] == [pytest.approx(6, abs=0.5)]


def test_short_scenes_are_no_conversations():
    row = scored(9 * [F], 9 * [N], 9 * [F], 9 * [N])
    assert [row[figure] for figure in FIGURES] == [None] * len(FIGURES)
    assert row["alone"] is None


def test_five_minutes_take_well_under_a_second():
    rng = np.random.default_rng(0)
    tracks = [rng.standard_normal(300 * 16_000, np.float32) for _ in range(4)]
    begun = time.perf_counter()
    score_conversation({"near": tracks[0], "far": tracks[1]}, {"near": tracks[2], "far": tracks[3]}, 16_000)
    assert time.perf_counter() - begun < 1.0


# Many scenes.


def test_seconds_and_talkers_of_a_stratum_are_pooled():
    rows = [
        {"alone": {"near": {"over": [10.0] * 9, "delays": [0.0]}, "far": {"over": [], "delays": []}}},
        {"alone": {"near": {"over": [-5.0], "delays": [4.0]}, "far": {"over": [3.0], "delays": []}}},
        {"alone": None},
    ]
    pooled = summarise_seconds(rows)
    assert pooled["near_wrong"] == {"seconds": 10, "rate": 0.1}, "not the mean of 0 and 1"
    assert pooled["near_over"] == {"count": 10, "median": 10.0, "p10": 8.5}
    assert pooled["near_delay"] == {"count": 2, "median": 2.0, "p90": 3.6}
    assert pooled["far_wrong"] == {"seconds": 1, "rate": 0.0}
    assert "far_delay" not in pooled


def test_a_pair_tells_what_the_company_changed():
    rows = [
        {"id": "a", "pair": None, "near_si_sdr": 10.0, "far_si_sdr": None},
        {"id": "b", "pair": "a", "near_si_sdr": 7.5, "far_si_sdr": 3.0},
        {"id": "c", "pair": "gone", "near_si_sdr": 7.5, "far_si_sdr": 3.0},
    ]
    pair(rows)
    assert [[row[change] for change in CHANGES] for row in rows] == [[None, None], [-2.5, None], [None, None]]


# Test sets.

SECONDS = 12


@pytest.fixture
def folder(tmp_path):
    """Conversation, the same after 3 s of noise, and stems: references, but far is in near at the end."""
    near, far = track(6 * [F] + 6 * [N], 1), track(6 * [N] + 6 * [F], 2)
    front = track(3 * [F], 5)
    talkers = [
        {"role": "near", "distance_m": 0.4, "turns_s": [[0.0, 6.0]]},
        {"role": "far", "distance_m": 3.0, "turns_s": [[6.0, 12.0]]},
    ]
    later = [{**t, "turns_s": [[a + 3 for a in t["turns_s"][0]]]} for t in talkers]
    alone = scenesets.scene("alone", talkers=talkers, stratum="talk")
    behind = scenesets.scene("behind", talkers=later, stratum="noise", pair="alone", scored_s=[3.0, 15.0])
    path = scenesets.write(tmp_path / "set", [alone, behind], rate=RATE, seconds=None)
    hiss = 1e-3 * track(12 * [F], 6)
    for scene, before in (("alone", front[:0]), ("behind", front)):
        whole = {
            "near": np.concatenate([0 * before, near]),
            "far": np.concatenate([0 * before, far]),
            "mixture": np.concatenate([before, near + far + hiss]),
        }
        for part, samples in whole.items():
            sf.write(path / part / f"{scene}.flac", samples, RATE)
        last = np.arange(len(whole["far"])) >= len(whole["far"]) - 2 * RATE
        made = {"near": whole["near"] + whole["far"] * last, "far": whole["far"] * ~last + 0.001 * last}
        if scene == "behind":
            made["near"] = made["near"] + 0.1 * whole["far"]
            made["near"][: 3 * RATE] = 0.5  # the part before is not scored
        for part, samples in made.items():
            (tmp_path / "stems" / part).mkdir(parents=True, exist_ok=True)
            sf.write(tmp_path / "stems" / part / f"{scene}.wav", samples, RATE, subtype="FLOAT")
    return path


@pytest.fixture
def result(folder):
    return evaluate([read_test_set(folder)], [StemsFolder(folder.parent / "stems")])


def test_only_the_conversation_of_a_scene_is_scored_and_against_its_pair(result):
    (run,) = result["runs"]
    alone, behind = run["scenes"]
    assert (alone["near_lone"], alone["far_lone"]) == (6, 6) == (behind["near_lone"], behind["far_lone"])
    assert (alone["near_wrong"], alone["far_wrong"]) == (0, pytest.approx(1 / 3, abs=1e-4))
    assert behind["near_change"] == pytest.approx(behind["near_si_sdr"] - alone["near_si_sdr"], abs=1e-3)
    assert behind["near_change"] < -0.3 and alone["near_change"] is None
    assert run["strata"]["noise"]["near_change"]["count"] == 1
    assert run["strata"]["talk"]["far_wrong"] == {"seconds": 6, "rate": 0.3333}
    json.dumps(result, allow_nan=False)


def test_tables_page_and_csv_have_the_conversations(result):
    head, rows = conversation_cells(result["runs"][0])
    assert head[:4] == ["stratum", "n", "near s", "wrong"] and head[-2:] == ["far change", "worst"]
    assert rows[0][:4] == ["talk", "1", "6", "0.0 %"] and "33.3 %" in rows[0]
    assert rows[0][-1] == "" and rows[1][-1] != ""
    text = page(load_template(), result, [[]])
    assert (
        "By seconds in which only one role speaks" in text and "33.3 %" in text and "several lengths" in text
    )
    table = csv_text(result)
    assert "near_wrong" in table and 'alone"' not in table and "over': [" not in table


def test_a_set_of_short_scenes_has_no_such_table(tmp_path):
    path = scenesets.write(tmp_path / "set", [scenesets.scene("a")])
    (run,) = evaluate([read_test_set(path)], [StemsFolder(path)])["runs"]
    assert conversation_cells(run)[1] == []
    assert not {"near_wrong", "near_over", "near_delay"} & set(strata(run["scenes"])["indoor-1N+1F"])


def test_a_comparison_sees_more_seconds_leave_by_the_wrong_output(result, tmp_path):
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    before.write_text(json.dumps(result))
    for row in result["runs"][0]["scenes"]:
        row["far_wrong"] = 0.5
    after.write_text(json.dumps(result))
    made = compare(before, after, 0.2)
    assert made["worse"] == 2
    summary = made["runs"][0]["strata"]["talk"]["far_wrong"]
    assert (summary["before"], summary["after"], summary["worse"]) == (33.33, 50.0, True)
    assert summary["median"] == pytest.approx(16.67, abs=0.01)
    assert compare(after, before, 0.2)["worse"] == 0


def test_results_from_before_there_were_conversations_still_compare(result, tmp_path):
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    after.write_text(json.dumps(result))
    for row in result["runs"][0]["scenes"]:
        for figure in (*FIGURES, *CHANGES, "alone", "pair"):
            row.pop(figure)
    before.write_text(json.dumps(result))
    assert compare(before, after, 0.2)["worse"] == 0


def test_a_damaged_span_of_what_is_scored_is_an_error(folder):
    lines = folder / "metadata.jsonl"
    lines.write_text(lines.read_text().replace("[3.0, 15.0]", "[3.0]"))
    with pytest.raises(DssError, match=r"metadata\.jsonl: line 2: damaged"):
        read_test_set(folder)
