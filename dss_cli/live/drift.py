"""Compensation of the clock drift between two sound cards, from the length of the queue between them.

A proportional-integral controller acts on the smoothed length of the queue in seconds. The plant is an
integrator, so the loop is of second order; INTEGRAL = PROPORTIONAL ** 2 / 4 gives critical damping.
"""

from __future__ import annotations

import math

PROPORTIONAL = 0.04  # change of the ratio per second of excess length; settles in a minute
INTEGRAL = PROPORTIONAL**2 / 4
SMOOTHING = 5.0  # seconds over which the length is averaged: it comes and goes in whole chunks
ROOM = 0.05  # permitted excess length of the queue in seconds
LIMIT = 0.005  # of the ratio: 5000 ppm, more than any two sound cards are apart, and hardly to be heard


class DriftController:
    """Controller of the rate ratio that keeps a queue at its target length.

    In the first SMOOTHING seconds the controller only observes. A queue that is slightly too long is kept, to
    avoid a change of pitch.

    Args:
        target: smallest target length of the queue in seconds.

    Attributes:
        target: target length in use, up to ROOM longer.
    """

    def __init__(self, target: float) -> None:
        self.target = self._asked = target
        self._mean: float | None = None
        self._looked = self._sum = 0.0
        self._drift = 0.0

    @property
    def drift(self) -> float:
        """Estimated ratio of the clocks minus one, positive if the clock of the input is faster."""
        return self._drift

    def update(self, length: float, seconds: float) -> float:
        """Return the factor for the nominal step, near 1.

        Args:
            length: length of the queue in seconds.
            seconds: seconds since the last call.
        """
        if self._mean is None:
            self._looked += seconds
            self._sum += length * seconds
            if self._looked < SMOOTHING:
                return 1.0 + self._drift
            self._mean = self._sum / self._looked
            self.target = min(max(self._mean, self._asked), self._asked + ROOM)
        self._mean += (length - self._mean) * (1 - math.exp(-seconds / SMOOTHING))
        error = self._mean - self.target
        wanted = self._drift + INTEGRAL * error * seconds
        self._drift = min(max(wanted, -LIMIT), LIMIT)
        return 1.0 + min(max(PROPORTIONAL * error + self._drift, -LIMIT), LIMIT)

    def restart(self, target: float) -> None:
        """Forget the smoothed length but keep the drift, after the queue was emptied or filled at once."""
        self.target = self._asked = target
        self._mean = None
        self._looked = self._sum = 0.0
