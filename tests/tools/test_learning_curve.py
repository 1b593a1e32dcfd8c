"""Learning curve from the cards in Git's history."""

from __future__ import annotations

import json
import subprocess

import pytest

from dss_cli.errors import DssError
from tools import bars, learning_curve

BAR = bars.Bar("what", "conversation", "measured", "si_sdri", (12.0, 19.0), (15.0, 22.0))


def git(folder, *arguments):
    who = ["-c", "user.name=n", "-c", "user.email=e@e"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def write_card(folder, near, **training):
    gains = {"near_si_sdri": {"median": near}, "far_si_sdri": {"median": 20.0}}
    stratum = {"kind": "conversation", "environment": "measured", "ur0": False, **gains}
    path = folder / learning_curve.CARD
    path.parent.mkdir(exist_ok=True)
    card = {"training": training, "scores": {"set": {"strata": {"one": stratum}}}}
    path.write_text(json.dumps(card))


@pytest.fixture
def clone(tmp_path, monkeypatch):
    monkeypatch.setattr(bars, "BARS", (BAR,))
    git(tmp_path, "init", "-q")
    return tmp_path


def commit(folder, near, **training):
    write_card(folder, near, **training)
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "card")


def rows(clone, since):
    return [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in learning_curve.table(clone, since).splitlines()
    ]


def test_each_column_is_the_newest_card_of_its_hours(clone):
    commit(clone, 1.0, hours=10.0)
    commit(clone, 11.0, hours=5.0, hours_before=10.0)
    commit(clone, 13.0, hours=5.0, hours_before=10.0)
    write_card(clone, 14.0, hours=7.5, hours_before=15.0)
    head, _, row = rows(clone, since=12.0)
    assert head[2:] == ["15.0 h", "22.5 h"]
    assert row == ["what", "+12 / +19", "+13 / +20", "+14 / +20"]


def test_a_folder_without_a_history_is_one_line(clone):
    write_card(clone, 1.0, hours=10.0)
    with pytest.raises(DssError, match="needs Git and a clone"):
        learning_curve.table(clone, since=0.0)
