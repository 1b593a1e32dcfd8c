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
from ..publish import write_files
from .limits import NEAR, UR0
from .places import far_limits, simulate_place

NEAR_SOURCES = ((NEAR[0], UR0[0]), UR0, NEAR)
FAR_SOURCES = 4
SECONDS = 0.6


@dataclass(frozen=True)
class Bank:
    """Responses of many places, the near sources of each first, then the far ones.

    Attributes:
        responses: (places, sources, taps) float16, 16 kHz.
        distances: (places, sources) metres.
        outdoor: (places,) bool.
        rt60: (places,) seconds, 0 outdoors.
        near_sources: how many of the sources are near.
    """

    responses: NDArray[np.float16]
    distances: NDArray[np.float32]
    outdoor: NDArray[np.bool_]
    rt60: NDArray[np.float32]
    near_sources: int = len(NEAR_SOURCES)

    def save(self, path: Path) -> None:
        """Write the bank as one .npz."""
        write_files({path: partial(np.savez, **vars(self))})

    @classmethod
    def load(cls, path: Path) -> Bank:
        """Read a bank.

        Raises:
            DssError: the file is missing or is not a bank.
        """
        try:
            with np.load(path) as data:
                return cls(
                    data["responses"],
                    data["distances"],
                    data["outdoor"],
                    data["rt60"],
                    int(data["near_sources"]),
                )
        except (OSError, ValueError, KeyError) as error:
            raise DssError(
                f"{path}: not a bank of responses ({error}); make one with `dss train --bank`"
            ) from None


def simulate_bank(
    seed: int,
    indoor: int,
    outdoor: int,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Bank:
    """Simulate `indoor` rooms and `outdoor` open places; place i depends on (seed, i) alone."""
    kinds = ["indoor"] * indoor + ["outdoor"] * outdoor
    count = len(kinds)
    sources = len(NEAR_SOURCES) + FAR_SOURCES
    responses = np.zeros((count, sources, round(SECONDS * 16_000)), np.float16)
    distances = np.zeros((count, sources), np.float32)
    rt60 = np.zeros(count, np.float32)
    with ProcessPoolExecutor(jobs) as pool:
        made = pool.map(partial(_one, seed), range(count), kinds, chunksize=4)
        for i, (parts, far_off, asked) in enumerate(made):
            distances[i], rt60[i] = far_off, asked
            for j, response in enumerate(parts):
                responses[i, j, : len(response)] = response
            if progress:
                progress(i + 1, count)
    return Bank(responses, distances, np.array([k == "outdoor" for k in kinds]), rt60)


def _one(
    seed: int, index: int, environment: str
) -> tuple[list[NDArray[np.float16]], NDArray[np.float64], float]:
    rng = np.random.default_rng([seed, index])
    ranges = [*NEAR_SOURCES, *[far_limits(environment)] * FAR_SOURCES]
    place = simulate_place(rng, environment, ranges, seconds=SECONDS)
    return [r.astype(np.float16) for r in place.responses], place.distances, place.rt60
