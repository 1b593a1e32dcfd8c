"""Table of simulated and measured rooms, and the section of a document for it."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pyroomacoustics")

from dss_cli.simulation.room_figures import MEASURED, RoomFigures
from tests.helpers.testsets import write_rooms
from tools.room_table import main, tables


def figures(shift, count=5):
    """Return rooms with ratios `shift` dB from the targets, five per band of distances."""
    spread = (-4.0, 0.0, 4.0)
    return [
        RoomFigures(
            f"room {i}",
            np.repeat([np.mean(band) for band in MEASURED], 3),
            np.concatenate([np.array(wanted) + spread + shift for wanted in MEASURED.values()]),
            np.array([0.5, 0.5, 0.5, 0.45, 0.4, 0.35, 0.3]),
        )
        for i in range(count)
    ]


def rows(text, first):
    return [line.split("|")[1:-1] for line in text.splitlines() if line.startswith(f"| {first}")]


def test_it_says_which_bands_are_covered():
    assert [row[3].strip() for row in rows(tables(figures(0), []), "")[2:9]] == ["yes"] * 7
    assert [row[3].strip() for row in rows(tables(figures(5), []), "")[2:9]] == ["no"] * 7


def test_measured_rooms_stand_beside_the_simulated_ones():
    text = tables(figures(0), figures(1, count=2))
    (near,) = rows(text, "0.2-0.5 m")
    assert near[1].strip() == "3.8 / 13.6 / 19.1 (15)"
    assert near[2].strip() == "7.8 / 13.6 / 15.1"
    assert near[4].strip() == "4.8 / 14.6 / 20.1 (6)"
    (treble,) = rows(text, "4 kHz over")
    assert [cell.strip() for cell in treble[1:]] == ["0.70 / 0.70 / 0.70"] * 2


def test_the_command_writes_its_part_of_a_document(tmp_path, capsys):
    document = tmp_path / "page.md"
    document.write_text("before\n<!-- rooms -->\n<!-- rooms: end -->\nafter\n")
    (tmp_path / "rooms").mkdir()
    rooms = write_rooms(tmp_path / "rooms")
    assert main(["--count", "2", "--rirs", str(rooms), "--document", str(document)]) == 0
    text = document.read_text()
    assert text.startswith("before\n<!-- rooms -->\n") and text.endswith("<!-- rooms: end -->\nafter\n")
    assert "2 simulated rooms | 3 measured rooms" in text
    assert len(rows(text, "")) == 9 + 10


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--count", "0"], "--count 0: at least 1"),
        (["--rirs", "nowhere", "--count", "1"], "nowhere: no MANIFEST.csv"),
        (["--document", "nowhere.md"], "nowhere.md: cannot be read"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(arguments, said, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) != 0
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
