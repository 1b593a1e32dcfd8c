"""A bank of simulated places: prepared once, compact on disk, the same for the same seed and index."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DssError
from ..utils.atomic_write import write_files
from .corpus import DAMAGED
from .limits import FAR_OUTDOOR, NEAR
from .rooms import far_limits, simulate_place

Range = tuple[float, float]

NEAR_SOURCES = 3  # in the nearer half of the near range, in its further half, anywhere in it
FAR_SOURCES = 4  # as many as far talkers speak at once in a scene
SECONDS = 0.6
# Direct sound is stronger in measured rooms than talkers who look anywhere, in rooms of any reverberation,
# would have it: 0 dB over the reverberation at 2 m, not -10 (docs/training-log.md, section 7).
RT60 = (0.12, 0.9)  # seconds, drawn by their logarithm
FACING = 0.5  # share of far talkers who speak about towards the microphone
MOUTH = (0.4, 0.85)  # from a loudspeaker's directivity to a talker's


@dataclass(frozen=True)
class Bank:
    """Responses of many places, the near sources of each first, then the far ones.

    Attributes:
        responses: (places, sources, taps) float16, 16 kHz.
        distances: (places, sources) metres.
        outdoor: (places,) bool.
        rt60: (places,) seconds, 0 outdoors.
        near_sources: how many of the sources are near.
        near, far: (least, most) metres that were asked for; in rooms far ends at 6 m at the latest.
    """

    responses: NDArray[np.float16]
    distances: NDArray[np.float32]
    outdoor: NDArray[np.bool_]
    rt60: NDArray[np.float32]
    near_sources: int = NEAR_SOURCES
    near: Range = NEAR
    far: Range = FAR_OUTDOOR

    @property
    def limits(self) -> dict[str, list[float]]:
        """The distances of near and far talkers in metres, as a model card has them."""
        indoor, outdoor = (list(_far_span(self.far, where)) for where in ("indoor", "outdoor"))
        return {"near": list(self.near), "far": indoor, "far_outdoor": outdoor}

    def save(self, path: Path) -> None:
        """Write the bank as one .npz.

        Raises:
            DssError: it cannot be written; a bank that was there stays.
        """
        write_files({path: partial(np.savez, **vars(self))})

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
                    # Banks were without, when distances could not be chosen.
                    tuple(data["near"].tolist()) if "near" in data else NEAR,
                    tuple(data["far"].tolist()) if "far" in data else FAR_OUTDOOR,
                )
            places, sources = bank.distances.shape
            whole = bank.responses.shape[:-1] == (places, sources) and len(bank.outdoor) == len(bank.rt60)
            if not whole or len(bank.rt60) != places or not 0 < bank.near_sources <= sources - FAR_SOURCES:
                raise ValueError("arrays that do not fit together")
        except OSError as error:
            raise DssError(f"{path}: cannot be read: {error.strerror or error}") from error
        except DAMAGED as error:
            raise DssError(
                f"{path}: not a bank of responses, or a damaged one; delete it, and `dss train` makes it anew"
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
) -> Bank:
    """Simulate `indoor` rooms and `outdoor` open places; place i depends on (seed, i), near and far alone.

    Args:
        seed: of every random number.
        indoor, outdoor: how many places.
        jobs: processes.
        progress: called with the places made and those to make.
        near: (least, most) metres to a near talker.
        far: (least, most) metres to a far talker; rooms end it where `far_limits` does.
    """
    kinds = ["indoor"] * indoor + ["outdoor"] * outdoor
    count = len(kinds)
    sources = NEAR_SOURCES + FAR_SOURCES
    responses = np.zeros((count, sources, round(SECONDS * 16_000)), np.float16)
    distances = np.zeros((count, sources), np.float32)
    rt60 = np.zeros(count, np.float32)
    with ProcessPoolExecutor(jobs) as pool:
        made = pool.map(partial(_one, seed, near, far), range(count), kinds, chunksize=4)
        for i, (parts, far_off, asked) in enumerate(made):
            distances[i], rt60[i] = far_off, asked
            for j, response in enumerate(parts):
                responses[i, j, : len(response)] = response
            if progress:
                progress(i + 1, count)
    return Bank(
        responses, distances, np.array([k == "outdoor" for k in kinds]), rt60, NEAR_SOURCES, near, far
    )


def _one(
    seed: int, near: Range, far: Range, index: int, environment: str
) -> tuple[list[NDArray[np.float16]], NDArray[np.float64], float]:
    rng = np.random.default_rng([seed, index])
    middle = (near[0] + near[1]) / 2
    ranges = [(near[0], middle), (middle, near[1]), near, *[_far_span(far, environment)] * FAR_SOURCES]
    facing = [True] * NEAR_SOURCES + [bool(rng.uniform() < FACING) for _ in range(FAR_SOURCES)]
    rt60 = float(np.exp(rng.uniform(*np.log(RT60))))
    place = simulate_place(rng, environment, ranges, (rt60, rt60), SECONDS, facing, mouth=MOUTH)
    return [r.astype(np.float16) for r in place.responses], place.distances, place.rt60


def _far_span(far: Range, environment: str) -> Range:
    return far[0], min(far[1], far_limits(environment)[1])
