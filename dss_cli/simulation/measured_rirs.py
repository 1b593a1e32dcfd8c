"""Measured responses of rooms in which near and far loudspeakers were recorded."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..constants import SAMPLE_RATE
from ..distances import FAR_INDOOR, NEAR
from ..errors import DssError
from .corpus import read_mono
from .image_sources import LEAD
from .rir import Response, direct_to_reverberant, onset, reverberation_time, split_at_onset

LONGEST = 2.0  # seconds; longer responses are cut


@dataclass(frozen=True)
class MeasuredResponse:
    """One measured response, not yet read.

    Attributes:
        path: path of the file.
        name: path in the manifest.
        room, microphone: names of room and microphone.
        distance: distance in metres.
        gain_db: calibration gain in dB.
        rt60: reverberation time in seconds from the manifest, None if not stated.
    """

    path: Path
    name: str
    room: str
    microphone: str
    distance: float
    gain_db: float
    rt60: float | None = None


@dataclass(frozen=True)
class Rooms:
    """Responses by room and microphone; a scene takes near and far responses from the same pair.

    Attributes:
        places: near and far responses of each pair of room and microphone.
        notes: lines for the user about how the manifest was read.
    """

    places: tuple[tuple[tuple[MeasuredResponse, ...], tuple[MeasuredResponse, ...]], ...]
    notes: tuple[str, ...] = ()

    def digest(self) -> str:
        """Return the SHA-256 of the recordings and their lines in the manifest."""
        total = hashlib.sha256()
        for near, far in self.places:
            for row in (*near, *far):
                total.update(repr((row.name, row.room, row.microphone, row.distance, row.gain_db)).encode())
                total.update(row.path.read_bytes())
        return total.hexdigest()

    def fits(self, near_count: int, far_count: int) -> bool:
        """Return whether any place has these numbers of responses."""
        return any(len(near) >= near_count and len(far) >= far_count for near, far in self.places)

    def most_far(self, near_count: int) -> int:
        """Return the largest number of far responses in a place with `near_count` near ones, or 0."""
        return max((len(far) for near, far in self.places if len(near) >= near_count), default=0)

    def draw(
        self, rng: np.random.Generator, near_count: int, far_count: int
    ) -> tuple[Sequence[Response], Sequence[Response], dict[str, Any]]:
        """Draw near and far responses in one place, with facts about the place.

        Levels are comparable within a place, and scaled such that near talkers have 1 / r on average.
        """
        fitting = [p for p in self.places if len(p[0]) >= near_count and len(p[1]) >= far_count]
        near, far = fitting[int(rng.integers(len(fitting)))]
        chosen = [
            [rows[int(i)] for i in rng.choice(len(rows), count, replace=False)]
            for rows, count in ((near, near_count), (far, far_count))
        ]
        scale = _scale(near)
        responses = [[_response(row, scale) for row in rows] for rows in chosen]
        decays = [split_at_onset(r.samples, onset(r.samples))[1] for side in responses for r in side]
        where = {
            "room": near[0].room,
            "microphone": near[0].microphone,
            "rt60": None,
            "rt60_measured": reverberation_time([d.astype(np.float64) for d in decays]),
            "redraws": 0,
        }
        return responses[0], responses[1], where


def load_rooms(folder: Path, split: str | None = None) -> Rooms:
    """Read the rooms of a folder with a MANIFEST.csv.

    The columns are path, room and distance_m, optionally calib_gain_db, microphone and split. Without a
    column `microphone`, the number after `ch` or `mic` in the file's name identifies the microphone.

    Args:
        folder: folder of the manifest.
        split: split to read if the manifest has that column; None reads all rows.

    Raises:
        DssError: the manifest is missing, a line is damaged, or no room has both near and far responses.
    """
    groups: dict[tuple[str, str], tuple[list[MeasuredResponse], list[MeasuredResponse]]] = {}
    for row in read_rows(folder, split):
        near, far = groups.setdefault((row.room, row.microphone), ([], []))
        if row.distance <= NEAR[1]:
            near.append(row)
        elif row.distance >= FAR_INDOOR[0]:
            far.append(row)
    places = [(tuple(near), tuple(far)) for _, (near, far) in sorted(groups.items()) if near and far]
    if not places:
        raise DssError(
            f"{folder / 'MANIFEST.csv'}: no room has responses from both up to {NEAR[1]} m and "
            f"{FAR_INDOOR[0]} m or more"
        )
    whole = split is not None and not _has_splits(folder / "MANIFEST.csv")
    note = f"{folder / 'MANIFEST.csv'}: no column split: its responses are used for every split"
    return Rooms(tuple(places), (note,) if whole else ())


def _has_splits(manifest: Path) -> bool:
    with manifest.open(newline="", encoding="utf-8") as handle:
        return "split" in next(csv.reader(handle), [])


def read_rows(folder: Path, split: str | None = None) -> list[MeasuredResponse]:
    """Return the lines of a folder's MANIFEST.csv in order.

    Args:
        folder: folder of the manifest.
        split: split to read if the manifest has that column; None reads all lines.

    Raises:
        DssError: the manifest is missing, a line is damaged, or the split has no line.
    """
    manifest = folder / "MANIFEST.csv"
    if not manifest.is_file():
        raise DssError(f"{folder}: no MANIFEST.csv (columns path, room, distance_m, calib_gain_db)")
    rows: list[MeasuredResponse] = []
    there: set[str] = set()
    with manifest.open(newline="", encoding="utf-8") as handle:
        for number, line in enumerate(csv.DictReader(handle), start=2):
            there.add(line.get("split", split) or "")
            if split is not None and line.get("split", split) != split:
                continue
            try:
                rows.append(_row(folder, line))
            except (KeyError, TypeError, ValueError) as error:
                raise DssError(f"{manifest}: line {number}: {error!r}") from None
    if split is not None and not rows:
        raise DssError(
            f"{manifest}: no line of split {split!r}; there is {', '.join(sorted(there)) or 'none'}"
        )
    return rows


def _row(folder: Path, line: dict[str, str]) -> MeasuredResponse:
    name = line["path"]
    path = folder / name if (folder / name).exists() else folder.parent / name
    microphone = line.get("microphone")
    if microphone is None:
        numbered = re.search(r"(?:ch|mic)(\d+)", Path(name).stem)
        microphone = numbered[1] if numbered else ""
    distance = float(line["distance_m"])
    gain = float(line.get("calib_gain_db") or 0)
    rt60 = float(line.get("rt60_s") or "nan")
    return MeasuredResponse(path, name, line["room"], microphone, distance, gain, rt60 if rt60 > 0 else None)


def _scale(near: Sequence[MeasuredResponse]) -> float:
    levels = []
    for row in near:
        samples = read_mono(row.path)[0] * 10 ** (row.gain_db / 20)
        direct = split_at_onset(samples, onset(samples))[0]
        levels.append(float(np.sqrt(np.sum(np.square(direct)))) * row.distance)
    return 1 / max(float(np.median(levels)), 1e-12)


def _response(row: MeasuredResponse, scale: float) -> Response:
    samples = read_mono(row.path)[0] * np.float32(scale * 10 ** (row.gain_db / 20))
    start = onset(samples)
    direct, rest = split_at_onset(samples, start)
    first = max(0, start - LEAD)  # removes the latency of the recorder
    return Response(
        samples[first : first + round(LONGEST * SAMPLE_RATE)],
        {
            "distance_m": row.distance,
            "drr_db": direct_to_reverberant(direct, rest),
            "response_file": row.name,
        },
    )
