"""Cost of many hours of audio, calculated from a run measured here."""

from __future__ import annotations

import pytest

from tests.helpers import tiny
from tools.scale import Measured, calculate, main


def test_the_calculation_follows_from_the_measured_seconds():
    rows = dict(calculate(Measured(10, 600.0, 30.0, 0.01), 10_000, 0.05, "EUR"))
    assert rows["processor seconds for a second of audio"] == "0.0500"
    assert rows["core-hours"] == "500"
    assert rows["hours on 128 cores"] == "3.91"
    assert rows["price at 0.05 EUR a core-hour"] == "25.00 EUR"
    assert rows["recordings of 60 s; scheduler and client for each"] == "600,000; 10.0 ms"
    assert rows["cores that one scheduler keeps busy"] == "300"
    assert rows["to read and to write"] == "1,152 GB and 2,304 GB"


def test_a_measured_run_fills_its_part_of_the_document(here, monkeypatch):
    monkeypatch.setattr("tools.scale._SMALL", (1, 20))
    pytest.importorskip("distributed")
    document = here / "scale.md"
    document.write_text("before\n<!-- scale -->\n<!-- scale: end -->\nafter\n")
    model = tiny.write(here)
    options = ["--recordings", "2", "--seconds", "2", "--workers", "1", "--model", str(model)]
    assert main([*options, "--document", "scale.md"]) == 0
    text = document.read_text()
    assert text.startswith("before\n<!-- scale -->\n\n```sh\npython -m tools.scale --recordings 2")
    assert "| core-hours | " in text
    assert text.endswith("\n<!-- scale: end -->\nafter\n")


def test_a_document_without_a_place_for_it_is_one_line(here, capfd):
    (here / "scale.md").write_text("nothing")
    assert main(["--document", "scale.md"]) == 1
    assert capfd.readouterr().err.startswith("dss: error: scale.md: no line `<!-- scale -->`")
