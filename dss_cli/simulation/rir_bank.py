"""Bank of simulated places: prepared once, compact on disk, reproducible by seed and index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..constants import SAMPLE_RATE
from ..distances import FAR_OUTDOOR, NEAR, Range, far_span, limits
from ..errors import DssError
from ..utils.atomic_write import write_files
from .corpus import DAMAGED
from .measured_places import TrainingRooms
from .room_checks import rings_as_asked
from .rooms import Room, simulate_room

NEAR_SOURCES = 3  # in the nearer half, the farther half, and the whole near range
FAR_SOURCES = 4  # largest number of simultaneous far talkers
SECONDS = 0.6  # length of responses of protocol 1
PROTOCOLS = (1, 2)
MOST_REDRAWS = 100  # redraws of a place with a wrong reverberation time
MEASURED_SHARE = 0.15  # number of measured places relative to indoor ones
# In measured rooms the direct sound is stronger than for talkers with random orientation in rooms of any
# reverberation: 0 dB relative to the reverberation at 2 m, not -10 (docs/experiments/08-lone-far-talkers.md).
RT60 = (0.12, 0.9)  # seconds, log-uniform
FACING = 0.5  # share of far talkers who speak approximately towards the microphone
MOUTH = (0.4, 0.85)  # from the directivity of a loudspeaker to that of a talker


@dataclass(frozen=True)
class Bank:
    """Responses of many places; the near sources of a place come first, then the far ones.

    Attributes:
        responses: (places, sources, taps) float16 at 16 kHz.
        distances: (places, sources) distances in metres.
        outdoor: (places,) bool.
        rt60: (places,) reverberation time in seconds, 0 outdoors.
        near_sources: number of near sources.
        near, far: (least, most) requested distance in metres; in rooms far ends at 6 m.
        protocol: protocol of the simulation, 1 or 2; see docs/experiments/02-rooms.md.
        measured: (places,) bool, whether the responses were measured in a room; None: all are simulated.
        used: (places,) samples of `responses` after which all are zero; None: all samples are used.
    """

    responses: NDArray[np.float16]
    distances: NDArray[np.float32]
    outdoor: NDArray[np.bool_]
    rt60: NDArray[np.float32]
    near_sources: int = NEAR_SOURCES
    near: Range = NEAR
    far: Range = FAR_OUTDOOR
    protocol: int = 1
    measured: NDArray[np.bool_] | None = None
    used: NDArray[np.int64] | None = None

    @property
    def measured_places(self) -> int:
        """Number of measured places."""
        return 0 if self.measured is None else int(self.measured.sum())

    def taps(self, place: int) -> int:
        """Return the length of the longest response of a place in samples."""
        return self.responses.shape[-1] if self.used is None else int(self.used[place])

    @property
    def limits(self) -> dict[str, list[float]]:
        """Distances of near and far talkers in metres, in the form of a model card."""
        return limits(self.near, self.far)

    def save(self, path: Path) -> None:
        """Write the bank as one .npz file.

        Raises:
            DssError: the file cannot be written; an existing bank is kept.
        """
        arrays = {name: value for name, value in vars(self).items() if value is not None}
        write_files({path: partial(np.savez, **arrays)})

    @classmethod
    def load(cls, path: Path) -> Bank:
        """Read a bank.

        Raises:
            DssError: the file is missing or is not a bank.
        """
        try:
            with np.load(path) as data:
                bank = cls(
                    data["responses"],
                    data["distances"],
                    data["outdoor"],
                    data["rt60"],
                    int(data["near_sources"]),
                    # Older banks lack distances, which could not be chosen.
                    tuple(data["near"].tolist()) if "near" in data else NEAR,
                    tuple(data["far"].tolist()) if "far" in data else FAR_OUTDOOR,
                    # Older banks of protocol 1 lack the protocol and the lengths of the responses.
                    int(data["protocol"]) if "protocol" in data else 1,
                    *(data.get(name) for name in ("measured", "used")),
                )
            places, sources = bank.distances.shape
            whole = bank.responses.shape[:-1] == (places, sources) and len(bank.outdoor) == len(bank.rt60)
            whole &= bank.protocol in PROTOCOLS
            for told in (bank.measured, bank.used):
                whole &= told is None or len(told) == places
            if not whole or len(bank.rt60) != places or not 0 < bank.near_sources <= sources - FAR_SOURCES:
                raise ValueError("arrays that do not fit together")
        except OSError as error:
            raise DssError(f"{path}: cannot be read: {error.strerror or error}") from error
        except DAMAGED as error:
            raise DssError(
                f"{path}: not a bank of responses, or damaged; delete it, and `dss train` makes it again"
            ) from error
        return bank


def simulate_bank(
    seed: int,
    indoor: int,
    outdoor: int,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    near: Range = NEAR,
    far: Range = FAR_OUTDOOR,
    protocol: int = 2,
    rooms: TrainingRooms | None = None,
) -> Bank:
    """Simulate `indoor` rooms and `outdoor` places; place i depends only on (seed, i), near and far.

    Args:
        seed: of every random number.
        indoor, outdoor: how many places.
        jobs: processes.
        progress: called with the places made and those to make.
        near: (least, most) metres to a near talker.
        far: (least, most) metres to a far talker; rooms end it where `far_span` does.
        protocol: 2, rooms as measured ones are, or 1, the former ones.
        rooms: measured responses, of which MEASURED_SHARE times `indoor` further places are put together.

    Raises:
        DssError: no place passes the check of its reverberation time.
    """
    kinds = ["indoor"] * indoor + ["outdoor"] * outdoor
    sources = NEAR_SOURCES + FAR_SOURCES
    recorded = 0 if rooms is None else max(1, round(MEASURED_SHARE * indoor))
    count = len(kinds) + recorded
    places: list[Sources] = []
    with ProcessPoolExecutor(jobs) as pool:
        one = partial(_one if protocol == 2 else _one_of_protocol_1, seed, near, far)
        for made in pool.map(one, range(len(kinds)), kinds, chunksize=4):
            places.append(made)
            if progress:
                progress(len(places), count)
    for i in range(recorded):
        assert rooms is not None
        rng = np.random.default_rng([seed, len(kinds) + i])
        places.append(rooms.draw(rng, NEAR_SOURCES, FAR_SOURCES))
    used = np.array([max(map(_heard, responses)) for responses, _, _ in places], np.int64)
    taps = round(SECONDS * SAMPLE_RATE) if protocol == 1 and not recorded else int(used.max())
    bank = np.zeros((count, sources, taps), np.float16)
    for i, (responses, _, _) in enumerate(places):
        for j, response in enumerate(responses):
            bank[i, j, : len(response)] = response[:taps]
    return Bank(
        bank,
        np.array([distances for _, distances, _ in places], np.float32),
        np.array([k == "outdoor" for k in kinds] + [False] * recorded),
        np.array([rt60 for _, _, rt60 in places], np.float32),
        NEAR_SOURCES,
        near,
        far,
        protocol,
        np.arange(count) >= len(kinds),
        used,
    )


def _heard(response: NDArray[np.float16]) -> int:
    """Return the number of samples of a response up to the last nonzero one, at least 1."""
    return int(np.flatnonzero(response).max(initial=0)) + 1


Sources = tuple[Sequence[NDArray[np.float16]], NDArray[np.float64], float]
"""Responses of a place (near first), distances in metres, reverberation time in seconds (0 outdoors)."""


def _ranges(near: Range, far: Range, environment: str) -> list[Range]:
    middle = (near[0] + near[1]) / 2
    return [(near[0], middle), (middle, near[1]), near, *[far_span(far, environment)] * FAR_SOURCES]


def _one(seed: int, near: Range, far: Range, index: int, environment: str) -> Sources:
    rng = np.random.default_rng([seed, index])
    room = draw_room(rng, environment, _ranges(near, far, environment), NEAR_SOURCES)
    return [r.astype(np.float16) for r in room.responses], room.distances, room.rt60


def draw_room(rng: np.random.Generator, environment: str, ranges: Sequence[Range], near: int) -> Room:
    """Draw places of protocol 2 until one has the requested reverberation time.

    Arguments as in `simulate_room`.

    Raises:
        DssError: none of MOST_REDRAWS places has it.
    """
    for _ in range(MOST_REDRAWS):
        room = simulate_room(rng, environment, ranges, near)
        if environment == "outdoor" or rings_as_asked(room):
            return room
    raise DssError(f"no room in {MOST_REDRAWS} draws has the right RT60 (talkers at {ranges} m)")


def _one_of_protocol_1(seed: int, near: Range, far: Range, index: int, environment: str) -> Sources:
    from .rooms_protocol1 import simulate_place  # imports pyroomacoustics

    rng = np.random.default_rng([seed, index])
    facing = [True] * NEAR_SOURCES + [bool(rng.uniform() < FACING) for _ in range(FAR_SOURCES)]
    rt60 = float(np.exp(rng.uniform(*np.log(RT60))))
    ranges = _ranges(near, far, environment)
    place = simulate_place(rng, environment, ranges, (rt60, rt60), SECONDS, facing, mouth=MOUTH)
    return [r.astype(np.float16) for r in place.responses], place.distances, place.rt60
