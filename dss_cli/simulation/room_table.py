"""Simulated rooms beside measured ones: direct sound by distance, reverberation time by octave.

`python -m dss_cli.simulation.room_table` simulates the rooms that a bank of protocol 2 has, and prints both
tables. `--rirs DIR` measures the responses of a folder with a MANIFEST.csv by the same code; `--document
FILE` writes the tables between the document's `<!-- rooms -->` and `<!-- rooms: end -->`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..columns import markdown_table
from ..console import error_line, progress_bar
from ..errors import DssError, ExitCode, UsageError
from ..sections import write_section
from .bank import FAR_SOURCES, NEAR_SOURCES, draw_room
from .checks import direct_to_reverberant, onset, reverberation_time, split_at_onset
from .limits import FAR_INDOOR, GUARD, NEAR
from .material import read_mono
from .measured import read_rows
from .octaves import BANDS

Array = NDArray[np.float64]

LABEL = "rooms"
MEASURED = {  # metres: p10, median and p90 of the ratio in dB
    (0.2, 0.5): (7.8, 13.6, 15.1),
    (0.5, 0.8): (4.0, 10.3, 13.1),
    (0.8, 1.2): (2.3, 7.3, 9.1),
    (1.2, 1.8): (-2.1, 2.7, 10.3),
    (1.8, 2.5): (-2.4, 0.3, 6.9),
    (2.5, 4.0): (-10.7, -3.1, 4.3),
    (4.0, 7.0): (-13.3, -10.4, 2.0),
}
"""Direct over reverberant sound in 16 measured rooms and states, which the simulated ones have to cover.

Measured once, by the window of `checks.DIRECT_WINDOW`, in the rooms of REVERB 2014, the MIT survey, BUT
ReverbDB, the RLR variable acoustics laboratory, Polimi, Surrey, Salford and others.
"""
WITHIN = 2.0  # dB between the medians
SHARES = (10, 50, 90)  # percentiles
ANECHOIC = 20.0  # dB over the reverberation, at 1 m, from which on nothing reverberates


@dataclass(frozen=True)
class RoomFigures:
    """What is measured of one room.

    Attributes:
        room: its name.
        distances: (responses,) metres.
        ratios: (responses,) direct over reverberant sound in dB.
        octaves: (7,) reverberation time in seconds per octave; not a number where it cannot be read off.
    """

    room: str
    distances: Array
    ratios: Array
    octaves: Array


def measure_room(room: str, distances: Array, responses: Sequence[NDArray[np.floating]]) -> RoomFigures:
    """Measure the responses of one room, simulated or not."""
    parts = [split_at_onset(samples, onset(samples)) for samples in responses]
    ratios = np.array([direct_to_reverberant(*part) for part in parts])
    decays = [np.asarray(rest, np.float64) for _, rest in parts]
    octaves = [_in_octave(decays, octave) for octave in BANDS]
    return RoomFigures(room, np.asarray(distances), ratios, np.array(octaves))


def _in_octave(decays: list[Array], octave: float) -> float:
    try:
        with np.errstate(all="ignore"):
            return reverberation_time(decays, (octave / np.sqrt(2), octave * np.sqrt(2)))
    except (ValueError, np.linalg.LinAlgError):
        return float("nan")


def simulated(seed: int, index: int) -> RoomFigures:
    """Simulate a room as a bank has it, with one more talker between near and far, and measure it."""
    ranges = [*[NEAR] * NEAR_SOURCES, GUARD, *[FAR_INDOOR] * FAR_SOURCES]
    room = draw_room(np.random.default_rng([seed, index]), "indoor", ranges, NEAR_SOURCES + 1)
    return measure_room(f"simulated {index}", room.distances, list(room.responses))


def measured(folder: Path) -> list[RoomFigures]:
    """Measure the responses of a folder, room by room; anechoic ones are left out.

    Raises:
        DssError: no manifest, a damaged line, or a file that cannot be read.
    """
    rooms: dict[str, list[tuple[float, NDArray[np.float32]]]] = {}
    for row in read_rows(folder):
        rooms.setdefault(row.room, []).append((row.distance, read_mono(row.path)[0]))
    figures = []
    for room, found in sorted(rooms.items()):
        one = measure_room(room, np.array([d for d, _ in found]), [samples for _, samples in found])
        if np.median(one.ratios + 20 * np.log10(one.distances)) < ANECHOIC:
            figures.append(one)
    return figures


def percentiles(rooms: Iterable[RoomFigures], band: tuple[float, float]) -> tuple[Array, int]:
    """Return 10th, 50th and 90th percentile of the ratios of a band of distances, and how many there are."""
    ratios = np.concatenate(
        [room.ratios[(room.distances >= band[0]) & (room.distances < band[1])] for room in rooms]
    )
    return (np.percentile(ratios, SHARES) if len(ratios) else np.full(3, np.nan)), len(ratios)


def covers(found: Array, wanted: Sequence[float], slack: float = 0.0) -> bool:
    """Whether simulated percentiles reach around measured ones, with medians no more than WITHIN apart.

    Args:
        found, wanted: 10th, 50th and 90th percentile, simulated and measured, in dB.
        slack: dB that each may miss by.
    """
    return bool(
        found[0] <= wanted[0] + slack
        and found[2] >= wanted[2] - slack
        and abs(found[1] - wanted[1]) <= WITHIN + slack
    )


def treble(rooms: Iterable[RoomFigures]) -> Array:
    """Return the reverberation time at 4 kHz over that at 500 Hz of each room."""
    low, high = (int(np.flatnonzero(octave == BANDS)[0]) for octave in (500, 4000))
    ratios = np.array([room.octaves[high] / room.octaves[low] for room in rooms])
    return np.asarray(ratios[np.isfinite(ratios)])


def tables(simulated: Sequence[RoomFigures], measured: Sequence[RoomFigures]) -> str:
    """Both tables as Markdown; without measured rooms their columns are left out."""
    head = ["distance", "simulated", "to be covered", "covered"]
    rows = []
    for band, wanted in MEASURED.items():
        found, count = percentiles(simulated, band)
        row = [f"{band[0]:g}-{band[1]:g} m", f"{_three(found)} ({count})", _three(np.array(wanted))]
        rows.append([*row, "yes" if covers(found, wanted) else "no"])
    times = [[f"{octave:g} Hz", _times(simulated, i)] for i, octave in enumerate(BANDS)]
    times.append(["4 kHz over 500 Hz", _three(np.percentile(treble(simulated), SHARES), 2)])
    title = ["octave", f"{len(simulated)} simulated rooms"]
    if measured:
        head.append("of these at hand")
        for row, band in zip(rows, MEASURED, strict=True):
            found, count = percentiles(measured, band)
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m {__spec__.name}", description=__doc__)
    parser.add_argument("--rirs", type=Path, metavar="DIR", help="measured responses with a MANIFEST.csv")
    parser.add_argument("--count", type=int, default=1000, metavar="N", help="simulated rooms")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", "-j", type=int, default=1)
    parser.add_argument("--document", type=Path, metavar="FILE", help="write the tables there")
    given = parser.parse_args(arguments)
    try:
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
    except (DssError, UsageError) as error:
        error_line(str(error))
        return error.exit_code
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
