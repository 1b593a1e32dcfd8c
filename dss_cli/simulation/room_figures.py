"""Figures of simulated and measured rooms: direct-to-reverberant ratio and reverberation time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..distances import FAR_INDOOR, GUARD, NEAR
from .corpus import read_mono
from .measured_rirs import read_rows
from .octaves import BANDS
from .rir import direct_to_reverberant, onset, reverberation_time, split_at_onset
from .rir_bank import FAR_SOURCES, NEAR_SOURCES, draw_room

Array = NDArray[np.float64]

MEASURED = {  # distance in metres: p10, median and p90 of the ratio in dB
    (0.2, 0.5): (7.8, 13.6, 15.1),
    (0.5, 0.8): (4.0, 10.3, 13.1),
    (0.8, 1.2): (2.3, 7.3, 9.1),
    (1.2, 1.8): (-2.1, 2.7, 10.3),
    (1.8, 2.5): (-2.4, 0.3, 6.9),
    (2.5, 4.0): (-10.7, -3.1, 4.3),
    (4.0, 7.0): (-13.3, -10.4, 2.0),
}
"""Direct-to-reverberant ratio in 16 measured rooms and states, which simulated rooms must cover.

Measured once, with the window `rir.DIRECT_WINDOW`, in the rooms of REVERB 2014, the MIT survey, BUT
ReverbDB, the RLR variable acoustics laboratory, Polimi, Surrey, Salford and others.
"""
WITHIN = 2.0  # largest difference of the medians in dB
SHARES = (10, 50, 90)  # percentiles
ANECHOIC = 20.0  # direct-to-reverberant ratio at 1 m in dB, above which a room counts as anechoic


@dataclass(frozen=True)
class RoomFigures:
    """Figures of one room.

    Attributes:
        room: name of the room.
        distances: (responses,) distances in metres.
        ratios: (responses,) direct-to-reverberant ratios in dB.
        octaves: (7,) reverberation time in seconds per octave; NaN if it cannot be measured.
    """

    room: str
    distances: Array
    ratios: Array
    octaves: Array


def measure_room(room: str, distances: Array, responses: Sequence[NDArray[np.floating]]) -> RoomFigures:
    """Measure the responses of one room, simulated or measured."""
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
    """Simulate a room as for a bank, with an additional talker between near and far, and measure it."""
    ranges = [*[NEAR] * NEAR_SOURCES, GUARD, *[FAR_INDOOR] * FAR_SOURCES]
    room = draw_room(np.random.default_rng([seed, index]), "indoor", ranges, NEAR_SOURCES + 1)
    return measure_room(f"simulated {index}", room.distances, list(room.responses))


def measured(folder: Path) -> list[RoomFigures]:
    """Measure the responses of a folder by room; anechoic rooms are left out.

    Raises:
        DssError: the manifest is missing, a line is damaged, or a file cannot be read.
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


def figure_percentiles(rooms: Iterable[RoomFigures], band: tuple[float, float]) -> tuple[Array, int]:
    """Return the 10th, 50th and 90th percentile of the ratios in a range of distances, and their number."""
    ratios = np.concatenate(
        [room.ratios[(room.distances >= band[0]) & (room.distances < band[1])] for room in rooms]
    )
    return (np.percentile(ratios, SHARES) if len(ratios) else np.full(3, np.nan)), len(ratios)


def covers(found: Array, wanted: Sequence[float], slack: float = 0.0) -> bool:
    """Return whether simulated percentiles enclose measured ones, with medians at most WITHIN apart.

    Args:
        found, wanted: 10th, 50th and 90th percentile, simulated and measured, in dB.
        slack: additional tolerance in dB.
    """
    return bool(
        found[0] <= wanted[0] + slack
        and found[2] >= wanted[2] - slack
        and abs(found[1] - wanted[1]) <= WITHIN + slack
    )


def treble(rooms: Iterable[RoomFigures]) -> Array:
    """Return the ratio of the reverberation times at 4 kHz and 500 Hz of each room."""
    low, high = (int(np.flatnonzero(octave == BANDS)[0]) for octave in (500, 4000))
    ratios = np.array([room.octaves[high] / room.octaves[low] for room in rooms])
    return np.asarray(ratios[np.isfinite(ratios)])
