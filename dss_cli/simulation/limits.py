"""Ranges of distances from source to microphone, in metres, used by all modules."""

from __future__ import annotations

NEAR = (0.2, 0.8)
UR0 = (0.5, 0.8)  # boundary band, which the published system assigns to the far output
GUARD = (0.8, 1.2)  # not used in training
FAR_INDOOR = (1.2, 6.0)
FAR_OUTDOOR = (1.2, 15.0)

SPEED_OF_SOUND = 343.0  # metres per second, in air at 20 °C


def far_limits(environment: str) -> tuple[float, float]:
    """Return the range of far distances in an environment, in metres."""
    return FAR_INDOOR if environment == "indoor" else FAR_OUTDOOR
