"""Two sound cards have two clocks: the ratio of their rates is found from how full the queue between them is.

A proportional-integral controller on the smoothed length of the queue, in seconds: the plant is an
integrator, so that the loop is of second order, critically damped with INTEGRAL = PROPORTIONAL ** 2 / 4.
"""

from __future__ import annotations

import math

PROPORTIONAL = 0.04  # of the ratio, for each second that the queue is too long; settles in a minute
INTEGRAL = PROPORTIONAL**2 / 4
SMOOTHING = 5.0  # seconds over which the length is averaged: it comes and goes in whole chunks
LIMIT = 0.005  # of the ratio: 5000 ppm, more than any two sound cards are apart, and hardly to be heard


class DriftController:
    """Says how much faster than their nominal rate samples are to be used up.

    Args:
        target: seconds that the queue is to be long.
    """

    def __init__(self, target: float) -> None:
        self.target = target
        self._mean: float | None = None
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
            self._mean = length
        self._mean += (length - self._mean) * (1 - math.exp(-seconds / SMOOTHING))
        error = self._mean - self.target
        wanted = self._drift + INTEGRAL * error * seconds
        self._drift = min(max(wanted, -LIMIT), LIMIT)
        return 1.0 + min(max(PROPORTIONAL * error + self._drift, -LIMIT), LIMIT)

    def restart(self) -> None:
        """Forget the length, not the drift: the queue was emptied or filled at one go."""
        self._mean = None
