"""Fuzzer of `make fuzz`: finds planted faults, and finds nothing in a short run on the package."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

pytest.importorskip("av", reason="the extra `formats` is not installed")
from tools import fuzz

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks, and reads what Linux tells of them")


def crash(generator, folder):
    os.kill(os.getpid(), signal.SIGSEGV)


def hang(generator, folder):
    time.sleep(600)


def spin(generator, folder):
    while True:
        pass


def surprise(generator, folder):
    raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "odd")


def swell(generator, folder):
    np.ones(80_000_000)


def fine(generator, folder):
    (folder / "a").touch()


@pytest.mark.parametrize(
    ("case", "ending"),
    [
        (crash, "crash"),
        (hang, "too slow"),
        (spin, "too slow"),
        (surprise, "surprise"),
        (swell, "too large"),
        (fine, "fine"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_every_kind_of_finding_is_found(monkeypatch, case, ending):
    monkeypatch.setattr(fuzz, "SECONDS", 1 if case in (hang, spin) else 60)
    assert fuzz.attempt(case, 0, 0)[0] == ending


@pytest.mark.parametrize("text", ["two\nlines about damaged.wav", "damaged.wav: " + "x" * 3000, "no name"])
def test_an_ending_that_is_no_line_with_a_name_is_a_finding(text):
    with pytest.raises(AssertionError):
        fuzz.require_line(text)


def test_a_case_is_a_function_of_seed_and_number():
    data = np.random.default_rng(0).bytes(2000)
    made = [fuzz.mutated(data, np.random.default_rng((7, 3)), [data]) for _ in range(2)]
    assert made[0] == made[1] != data


def test_figures_go_into_the_table_of_a_document_row_by_row(tmp_path):
    document = tmp_path / "a.md"
    document.write_text("before\n<!-- fuzz -->\n<!-- fuzz: end -->\nafter\n")
    fuzz.write_row(document, "kills", ["200", "9 min", "7", "0"])
    fuzz.write_row(document, "audio", ["10,000", "50 min", "7", "1"])
    fuzz.write_row(document, "audio", ["10,000", "51 min", "8", "0"])
    text = document.read_text()
    assert text.startswith("before\n") and text.endswith("after\n")
    assert [line for line in text.splitlines() if line.startswith("| ")][2:] == [
        "| audio | 10,000 | 51 min | 8 | 0 |",
        "| kills | 200 | 9 min | 7 | 0 |",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("what", "count"), [("audio", 20), ("models", 3), ("kills", 3)])
def test_a_short_run_finds_nothing(what, count):
    command = [
        sys.executable,
        "-m",
        "tools.fuzz",
        what,
        "--count",
        str(count),
        "--seed",
        "20",
        "--minutes",
        "2",
    ]
    done = subprocess.run(command, cwd=fuzz.ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[0].startswith(f"{what}: seed 20, cases 0 to {count - 1}")
    assert done.stdout.splitlines()[-1].endswith(" 0 findings")
