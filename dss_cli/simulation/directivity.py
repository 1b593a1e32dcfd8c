"""Directivity of talkers (per octave) and microphones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .octaves import BANDS

Array = NDArray[np.float64]

MOUTH_INDEX = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.5, 7.0])
"""Directivity index of a talker in dB, per octave.

Source: W. T. Chu, A. C. C. Warnock, Detailed directivity of sound fields around human talkers, NRC Canada,
IRC-RR-104 (2002), smoothed.
"""
MOUTH_BEHIND = np.array([0.7, 0.6, 0.45, 0.35, 0.22, 0.15, 0.1])
"""Amplitude behind the talker relative to the front, per octave."""


@dataclass(frozen=True)
class Mouth:
    """Radiation of one talker: b + (1 - b) ((1 + cos a) / 2)^m at the angle a from the axis, per octave.

    Attributes:
        axis: (3,) unit vector in the direction of speech.
        behind: (7,) amplitude b at the back.
        power: (7,) exponent m; 0 radiates equally in all directions.
    """

    axis: Array
    behind: Array
    power: Array

    def gains(self, directions: Array) -> Array:
        """Return the amplitudes (directions, 7) in the directions of vectors (directions, 3)."""
        cosine = directions @ self.axis / np.maximum(np.linalg.norm(directions, axis=1), 1e-9)
        half = np.log(np.clip((1 + cosine) / 2, 1e-9, 1))
        shape = np.exp(half[:, np.newaxis] * self.power)
        return np.asarray(self.behind + (1 - self.behind) * shape)


def mouth(axis: Array, share: float = 1.0) -> Mouth:
    """Return a talker whose directivity index is `share` times MOUTH_INDEX in every octave.

    A share of 0 is a point source that radiates equally in all directions.
    """
    index = share * MOUTH_INDEX
    behind = MOUTH_BEHIND**share
    return Mouth(np.asarray(axis) / np.linalg.norm(axis), behind, _exponent(10 ** (-index / 10), behind))


def _exponent(mean: Array, behind: Array) -> Array:
    """Return the exponents for which the mean squared amplitude over the sphere is `mean`.

    With u = (1 + cos a) / 2, uniform over the sphere, the mean is b^2 + 2 b (1 - b) / (m + 1) +
    (1 - b)^2 / (2 m + 1): a quadratic in m.
    """
    front = 1 - behind
    rest = mean - behind**2
    cross, own = 2 * behind * front, front**2
    a, b, c = 2 * rest, 3 * rest - 2 * cross - own, rest - cross - own
    root = -b + np.sqrt(np.maximum(b * b - 4 * a * c, 0))
    return np.asarray(np.where(front > 0, root / np.where(front > 0, 2 * a, 1), 0))


@dataclass(frozen=True)
class Microphone:
    """First-order microphone with the sensitivity p + (1 - p) cos a at the angle of arrival a from its axis.

    Attributes:
        position: (3,) position in metres.
        axis: (3,) unit vector of its direction.
        omni: p; 1 is omnidirectional, 0.5 is a cardioid.
    """

    position: Array
    axis: Array
    omni: float = 1.0

    def gains(self, directions: Array) -> Array:
        """Return the sensitivities (directions,) to sound from the directions of vectors (directions, 3)."""
        cosine = directions @ self.axis / np.maximum(np.linalg.norm(directions, axis=1), 1e-9)
        return np.asarray(self.omni + (1 - self.omni) * cosine)


assert len(MOUTH_INDEX) == len(MOUTH_BEHIND) == len(BANDS)
