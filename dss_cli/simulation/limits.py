"""The vocabulary of distances, in metres from source to microphone. Everything else refers to these."""

from __future__ import annotations

NEAR = (0.2, 0.8)
UR0 = (0.5, 0.8)  # the boundary band that the published system sends to the far output
GUARD = (0.8, 1.2)  # never trained on
FAR_INDOOR = (1.2, 6.0)
FAR_OUTDOOR = (1.2, 15.0)

SPEED_OF_SOUND = 343.0  # metres per second, of air at 20 °C


def far_limits(environment: str) -> tuple[float, float]:
    """Return the far range of an environment, in metres."""
    return FAR_INDOOR if environment == "indoor" else FAR_OUTDOOR
