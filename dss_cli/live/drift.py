"""Two sound cards have two clocks: the ratio of their rates is found from how full the queue between them is.

A proportional-integral controller on the smoothed length of the queue, in seconds: the plant is an
integrator, so that the loop is of second order, critically damped with INTEGRAL = PROPORTIONAL ** 2 / 4.
"""

from __future__ import annotations

import math

PROPORTIONAL = 0.04  # of the ratio, for each second that the queue is too long; settles in a minute
INTEGRAL = PROPORTIONAL**2 / 4
SMOOTHING = 5.0  # seconds over which the length is averaged: it comes and goes in whole chunks
ROOM = 0.05  # seconds by which the queue may be longer than asked for, and stay so
LIMIT = 0.005  # of the ratio: 5000 ppm, more than any two sound cards are apart, and hardly to be heard


class DriftController:
    """Says how much faster than their nominal rate samples are to be used up.

    For the first SMOOTHING seconds it only looks: a queue that is a little longer than asked for stays so
    rather than have its sound bent.

    Args:
        target: seconds that the queue is to be long, at least.

    Attributes:
        target: that it is kept to, up to ROOM longer.
    """

    def __init__(self, target: float) -> None:
        self.target = self._asked = target
        self._mean: float | None = None
        self._looked = self._sum = 0.0
        self._drift = 0.0

    @property
    def drift(self) -> float:
        """The ratio of the clocks less one, as found so far: positive where the input's runs faster."""
        return self._drift

    def update(self, length: float, seconds: float) -> float:
        """Return the factor on the nominal step, near 1.

        Args:
            length: of the queue in seconds.
            seconds: since the last call.
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

    def restart(self) -> None:
        """Forget the length, not the drift: the queue was emptied or filled at one go."""
        self._mean = None
        self._looked = self._sum = 0.0
