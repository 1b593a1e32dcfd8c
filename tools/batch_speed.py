"""Measure the speed of a batch on all cores relative to one process with one thread, on an idle machine."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile as sf

from dss_cli.utils.machine import describe_machine, physical_cores
from dss_cli.utils.markdown import write_section
from dss_cli.utils.tables import markdown_table

ROOT = Path(__file__).resolve().parent.parent
RATE = 16_000
BATCHES = ((100, 0.5, 1.8), (20, 60.0, 1.7))  # recordings, seconds of each, target factor on two cores
ONE = ("--jobs", "1", "--threads", "1")  # one process, one thread


def seconds(folder: Path, *options: str) -> float:
    """Return the wall-clock seconds of one `dss separate` on all recordings of a folder."""
    command = [sys.executable, "-m", "dss_cli", "separate", "in", "-r", "-o", "out", "--overwrite", "--quiet"]
    started = time.perf_counter()
    subprocess.run([*command, *options], cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)
    return time.perf_counter() - started


def measured(count: int, length: float, repeat: int) -> tuple[float, float]:
    """Return the best seconds of a batch in one process and on all cores, measured alternately."""
    with tempfile.TemporaryDirectory(prefix="dss-speed-") as name:
        folder = Path(name)
        (folder / "in").mkdir()
        generator = np.random.default_rng(0)
        for number in range(count):
            noise = 0.1 * generator.standard_normal(int(length * RATE)).astype(np.float32)
            sf.write(folder / "in" / f"{number:03}.wav", noise, RATE)
        seconds(folder)  # warm-up
        pairs = [(seconds(folder, *ONE), seconds(folder)) for _ in range(repeat)]
    return min(one for one, _ in pairs), min(every for _, every in pairs)


def main() -> None:
    """Print the table, or write it into the section `batch speed` of a document."""
    parser = argparse.ArgumentParser(prog="python -m tools.batch_speed", description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--document", type=Path)
    asked = parser.parse_args()
    machine = describe_machine()
    rows = []
    for count, length, wanted in BATCHES:
        one, every = measured(count, length, asked.repeat)
        rows.append(
            [f"{count} of {length:g} s", f"{one:.1f} s", f"{every:.1f} s", f"{one / every:.2f}", f"{wanted}"]
        )
    head = ["recordings", "one process, one thread", "all cores", "times as fast", "wanted on two cores"]
    table = markdown_table(head, rows, figures=True)
    where = f"{machine['processor']}, {physical_cores()} cores, load {machine['load_average']} before"
    text = f"{where}:\n\n{table}"
    if asked.document:
        write_section(asked.document, "batch speed", text)
    print(text)


if __name__ == "__main__":
    main()
