"""Places composed of measured responses: near ones of one room, far ones of the same or a similar room.

Few rooms were measured at near and at far distances. If a room has no far responses, they are taken from a
room with a similar reverberation time and a similar strength of direct sound at the same distance. Recorders,
loudspeakers and files have different gains, so every response is scaled such that its direct sound is 1 / r.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..constants import SAMPLE_RATE
from ..distances import FAR_OUTDOOR, NEAR, Range
from ..errors import DssError
from .corpus import read_mono
from .image_sources import FADE, LEAD
from .measured_rirs import MeasuredResponse, read_rows
from .rir import direct_to_reverberant, onset, reverberation_time, split_at_onset
from .rooms import LONGEST

ALIKE_RT60 = 1.6  # largest ratio of the reverberation times of similar rooms
ALIKE_RATIO = 4.0  # dB, largest difference of their direct sound at equal distance
SAME_STATE = 1.1  # largest ratio within one room, whose walls may have been changed
ANECHOIC = 18.0  # dB of direct sound at 1 m above which a room hardly reverberates
ANECHOIC_SHARE = 0.1  # share of the places
DRY_RT60 = 0.05  # seconds, for rooms without a measurable decay


@dataclass(frozen=True)
class Measured:
    """One measured response.

    Attributes:
        room: name of the room.
        distance: distance in metres.
        rt60: reverberation time in seconds.
        ratio: direct-to-reverberant ratio in dB, normalised to 1 m, a property of the room.
        samples: float16 at 16 kHz from LEAD samples before the onset on, with a direct sound of 1 / r.
    """

    room: str
    distance: float
    rt60: float
    ratio: float
    samples: NDArray[np.float16]


@dataclass(frozen=True)
class TrainingRooms:
    """Measured responses from which places are composed.

    Attributes:
        near: near responses by room.
        far: far responses.
    """

    near: Mapping[str, tuple[Measured, ...]]
    far: tuple[Measured, ...]

    def draw(
        self, rng: np.random.Generator, near_count: int, far_count: int
    ) -> tuple[Sequence[NDArray[np.float16]], NDArray[np.float64], float]:
        """Compose a place.

        The first near response is from the closer half of the room's near responses, the second from the
        other half, further ones from all.

        Returns:
            Responses, near ones first; distances in metres; reverberation time of the near room in seconds.
        """
        fitting = {room: rows for room, rows in self.near.items() if len(rows) >= near_count}
        rooms = [room for room, rows in fitting.items() if self._like(rows, far_count)]
        dry = np.array([_ratio(self.near[room]) > ANECHOIC for room in rooms])
        weight = np.where(dry, ANECHOIC_SHARE / max(1, dry.sum()), 1 / max(1, (~dry).sum()))
        if (~dry).any():
            weight[~dry] *= 1 - ANECHOIC_SHARE
        own = self.near[rooms[int(rng.choice(len(rooms), p=weight / weight.sum()))]]
        ordered = sorted(own, key=lambda row: row.distance)
        half = len(ordered) // 2
        close, apart = ordered[int(rng.integers(half))], ordered[int(rng.integers(half, len(ordered)))]
        rest = [row for row in ordered if row is not close and row is not apart]
        more = [rest[int(i)] for i in rng.choice(len(rest), near_count - 2, replace=False)]
        groups = self._like(own, far_count)
        share = np.sqrt([len(rows) for rows in groups])
        group = groups[int(rng.choice(len(groups), p=share / share.sum()))]
        first = group[int(rng.integers(len(group)))]
        alike = [row for row in group if 1 / SAME_STATE < row.rt60 / first.rt60 < SAME_STATE]
        if len(alike) < far_count:
            alike = sorted(group, key=lambda row: abs(np.log(row.rt60 / first.rt60)))[:far_count]
        far = [alike[int(i)] for i in rng.choice(len(alike), far_count, replace=False)]
        chosen = [close, apart, *more, *far]
        return [row.samples for row in chosen], np.array([row.distance for row in chosen]), _rt60(own)

    def _like(self, near: Sequence[Measured], count: int) -> list[list[Measured]]:
        """Return the far responses of the room itself or of similar rooms, in groups of at least `count`."""
        groups: dict[str, list[Measured]] = {}
        for row in self.far:
            if row.room == near[0].room or _alike(near, row):
                groups.setdefault(row.room, []).append(row)
        enough = {room: rows for room, rows in groups.items() if len(rows) >= count}
        return [enough[near[0].room]] if near[0].room in enough else list(enough.values())


def _alike(near: Sequence[Measured], row: Measured) -> bool:
    if (_ratio(near) > ANECHOIC) or row.ratio > ANECHOIC:
        return _ratio(near) > ANECHOIC and row.ratio > ANECHOIC
    longer = abs(np.log(row.rt60 / _rt60(near)))
    return bool(longer < np.log(ALIKE_RT60) and abs(row.ratio - _ratio(near)) < ALIKE_RATIO)


def _ratio(rows: Sequence[Measured]) -> float:
    return float(np.median([row.ratio for row in rows]))


def _rt60(rows: Sequence[Measured]) -> float:
    return float(np.median([row.rt60 for row in rows]))


def load_training_rooms(
    folder: Path,
    counts: tuple[int, int],
    split: str | None = "train",
    near: Range = NEAR,
    far: Range = FAR_OUTDOOR,
) -> TrainingRooms:
    """Read the responses of a folder with a MANIFEST.csv (path, room, distance_m, split).

    Args:
        folder: folder of the manifest.
        counts: numbers of near and far responses of a place.
        split: split to read; None reads all lines.
        near, far: (least, most) distance of near and of far talkers in metres.

    Raises:
        DssError: the manifest is missing, a line is damaged, the split has no line, a file cannot be read, or
            no room has enough near responses together with far ones in the same or a similar room.
    """
    rooms: dict[str, list[Measured]] = {}
    distant: list[Measured] = []
    for row in read_rows(folder, split):
        if near[0] <= row.distance <= near[1]:
            rooms.setdefault(row.room, []).append(_measure(row))
        elif far[0] <= row.distance <= far[1]:
            distant.append(_measure(row))
    found = TrainingRooms({room: tuple(rows) for room, rows in rooms.items()}, tuple(distant))
    if not any(len(rows) >= counts[0] and found._like(rows, counts[1]) for rows in found.near.values()):
        raise DssError(
            f"{folder / 'MANIFEST.csv'}: no room has {counts[0]} responses at {near[0]:g} to {near[1]:g} m "
            f"and {counts[1]} at {far[0]:g} to {far[1]:g} m, in the same or a similar room"
        )
    return found


def _measure(row: MeasuredResponse) -> Measured:
    samples = read_mono(row.path)[0].astype(np.float64)
    start = onset(samples)
    direct, rest = split_at_onset(samples, start)
    ratio = direct_to_reverberant(direct, rest)
    loud = ratio + 20 * np.log10(row.distance)
    with np.errstate(all="ignore"):
        rt60 = row.rt60 or reverberation_time([np.asarray(rest, np.float64)])
    if not np.isfinite(rt60) or loud > ANECHOIC:
        rt60 = DRY_RT60
    samples *= 1 / (np.sqrt(np.sum(direct**2)) * row.distance)
    first = max(0, start - LEAD)  # removes the latency of the recorder
    length = round(min(LONGEST, 1.2 * rt60 + 0.1) * SAMPLE_RATE)  # the rest is noise of the recorder
    kept = samples[first : first + length].copy()
    kept[-FADE:] *= np.linspace(1, 0, len(kept[-FADE:]))
    return Measured(row.room, row.distance, float(rt60), float(loud), kept.astype(np.float16))
