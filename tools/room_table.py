"""Tables of simulated and measured rooms.

`python -m tools.room_table` simulates rooms as for a bank of protocol 2, and prints the direct-to-reverberant
ratio by distance and the reverberation time by octave. `--rirs DIR` measures the responses of a folder with a
MANIFEST.csv by the same code. `--document FILE` writes the tables between `<!-- rooms -->` and
`<!-- rooms: end -->` of the document.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dss_cli.cli.console import progress_bar
from dss_cli.errors import ExitCode, UsageError
from dss_cli.simulation.octaves import BANDS
from dss_cli.simulation.room_figures import (
    MEASURED,
    SHARES,
    RoomFigures,
    covers,
    figure_percentiles,
    measured,
    simulated,
    treble,
)
from dss_cli.utils.markdown import write_section
from dss_cli.utils.tables import markdown_table
from tools.exits import one_line_errors

Array = NDArray[np.float64]

LABEL = "rooms"


def tables(simulated: Sequence[RoomFigures], measured: Sequence[RoomFigures]) -> str:
    """Return both tables as Markdown, without the columns of measured rooms if there are none."""
    head = ["distance", "simulated", "to be covered", "covered"]
    rows = []
    for band, wanted in MEASURED.items():
        found, count = figure_percentiles(simulated, band)
        row = [f"{band[0]:g}-{band[1]:g} m", f"{_three(found)} ({count})", _three(np.array(wanted))]
        rows.append([*row, "yes" if covers(found, wanted) else "no"])
    times = [[f"{octave:g} Hz", _times(simulated, i)] for i, octave in enumerate(BANDS)]
    times.append(["4 kHz over 500 Hz", _three(np.percentile(treble(simulated), SHARES), 2)])
    title = ["octave", f"{len(simulated)} simulated rooms"]
    if measured:
        head.append("of these at hand")
        for row, band in zip(rows, MEASURED, strict=True):
            found, count = figure_percentiles(measured, band)
            row.append(f"{_three(found)} ({count})" if count else "-")
        for i, line in enumerate(times[:-1]):
            line.append(_times(measured, i))
        times[-1].append(_three(np.percentile(treble(measured), SHARES), 2))
        title.append(f"{len(measured)} measured rooms")
    return "\n\n".join(
        [
            "Direct over reverberant sound in dB: 10th percentile, median, 90th percentile (responses).",
            markdown_table(head, rows, figures=True),
            "Reverberation time in seconds over the rooms: 10th percentile, median, 90th percentile.",
            markdown_table(title, times, figures=True),
        ]
    )


def _times(rooms: Sequence[RoomFigures], octave: int) -> str:
    times = np.array([room.octaves[octave] for room in rooms])
    return _three(np.percentile(times[np.isfinite(times)], SHARES), 2)


def _three(values: Array, digits: int = 1) -> str:
    return " / ".join(f"{value:.{digits}f}" for value in values)


def simulate(
    seed: int, count: int, jobs: int, progress: Callable[[int, int], None] | None
) -> list[RoomFigures]:
    """Simulate and measure rooms; room i is a function of (seed, i)."""
    rooms = []
    with ProcessPoolExecutor(jobs) as pool:
        for room in pool.map(partial(simulated, seed), range(count), chunksize=4):
            rooms.append(room)
            if progress:
                progress(len(rooms), count)
    return rooms


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m {__spec__.name}", description=__doc__)
    parser.add_argument("--rirs", type=Path, metavar="DIR", help="measured responses with a MANIFEST.csv")
    parser.add_argument("--count", type=int, default=1000, metavar="N", help="simulated rooms")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", "-j", type=int, default=1)
    parser.add_argument("--document", type=Path, metavar="FILE", help="document for the tables")
    given = parser.parse_args(arguments)
    for option in ("count", "jobs"):
        if getattr(given, option) < 1:
            raise UsageError(f"--{option} {getattr(given, option)}: at least 1")
    if given.document:
        write_section(given.document, LABEL, None)
    there = measured(given.rirs) if given.rirs else []
    with progress_bar(shown=True) as start:
        text = tables(simulate(given.seed, given.count, given.jobs, start("rooms")), there)
    text += f"\n\nRooms {given.seed}, 0 to {given.count - 1}"
    text += f"; measured responses of `{given.rirs.resolve().name}`." if given.rirs else "."
    if given.document:
        write_section(given.document, LABEL, text + "\n")
    else:
        print(text)
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
