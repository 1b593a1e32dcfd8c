"""Positions of microphones and talkers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MARGIN = 0.3  # least distance from the walls in metres


def stand(rng: np.random.Generator, size: NDArray[np.float64], environment: str) -> NDArray[np.float64]:
    """Draw the position of the microphone, (3,) metres; outdoors it is above the centre of the ground."""
    height = rng.uniform(0.7, min(1.7, size[2] - MARGIN))
    if environment == "outdoor":
        return np.array([size[0] / 2, size[1] / 2, height])
    return np.array([rng.uniform(MARGIN, size[0] - MARGIN), rng.uniform(MARGIN, size[1] - MARGIN), height])


def talker_position(
    rng: np.random.Generator,
    size: NDArray[np.float64],
    microphone: NDArray[np.float64],
    span: tuple[float, float],
) -> NDArray[np.float64] | None:
    """Draw a position (3,) at a uniformly distributed distance in `span`; None if the place is too small."""
    for _ in range(50):
        distance = rng.uniform(*span)
        azimuth = rng.uniform(0, 2 * np.pi)
        rise = np.clip(rng.normal(0.1, 0.25) * min(distance, 1.5), 0.4 - microphone[2], 1.0)
        rise = float(np.clip(rise, -0.8 * distance, 0.8 * distance))
        level = np.sqrt(distance**2 - rise**2)
        position = microphone + np.array([level * np.cos(azimuth), level * np.sin(azimuth), rise])
        if np.all(position > MARGIN / 2) and np.all(position < size - MARGIN / 2):
            return np.asarray(position)
    return None
