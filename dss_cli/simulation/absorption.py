"""Absorption of the walls of a shoebox room for a given reverberation time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..constants import SPEED_OF_SOUND
from .octaves import AIR

MOST = 0.97  # largest share of energy absorbed by a wall
LEAST = 0.005
DIRECTIONS = 300
STEPS = 20  # of the bisection
TIMES = 100  # points in time of a decay per octave


def scale_for(rt60: float, size: NDArray[np.float64], shares: NDArray[np.float64]) -> float | None:
    """Return the factor on the walls' absorption that gives a reverberation time; None if there is none.

    Args:
        rt60: reverberation time in seconds.
        size: (3,) size of the room in metres.
        shares: (6,) relative absorption of the walls, in pairs along x, y and z.
    """
    low, high = 0.0, MOST / float(shares.max())
    if image_source_rt60(size, high * shares) > rt60:
        return None
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if image_source_rt60(size, middle * shares) > rt60 else (low, middle)
    return high


def image_source_rt60(size: NDArray[np.float64], absorption: NDArray[np.float64]) -> float:
    """Return the reverberation time of a shoebox's image sources in seconds, from -5 to -25 dB of the decay.

    Sound with the direction u meets the two walls of an axis alternately, |u| / length times per metre, and
    is never scattered. Directions with little absorption decay slowly. So flat or unevenly damped rooms
    reverberate longer than by the formulas of Sabine and Eyring, which assume that all directions mix.

    Args:
        size: (3,) size of the room in metres.
        absorption: (6,) share of energy absorbed by each wall, in pairs along x, y and z.

    Source: E. A. Lehmann, A. M. Johansson, Prediction of energy decay in room impulse responses simulated
    with an image-source model, JASA 124 (2008), here as a sum over directions.
    """
    loss = -np.log1p(-absorption).reshape(3, 2).mean(axis=1) / size
    rate = SPEED_OF_SOUND * (loss @ directions())  # per second
    time = np.linspace(0, _sixty(rate.min()), 200)
    decay = (np.exp(-rate * time[:, np.newaxis]) / rate).sum(axis=1)  # remaining energy (Schroeder)
    decibels = 10 * np.log10(decay / decay[0])
    begin, end = np.interp([5, 25], -decibels, time)
    return float(3 * (end - begin))


def absorption_per_octave(
    rt60: NDArray[np.float64], size: NDArray[np.float64], shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the absorption (6, 7) of the walls of a room that reverberates for `rt60` seconds per octave.

    The absorption by air is taken into account. If the time of an octave cannot be reached, its walls absorb
    MOST or LEAST; no wall exceeds MOST.

    Args:
        rt60: (7,) reverberation times in seconds.
        size: (3,) size of the room in metres.
        shares: (6,) relative absorption of the walls, in pairs along x, y and z.
    """
    low, high = np.full(len(rt60), LEAST / shares.max()), np.full(len(rt60), MOST / shares.min())
    for _ in range(STEPS):
        middle = np.sqrt(low * high)
        absorption = np.minimum(shares[:, np.newaxis] * middle, MOST)
        longer = octave_rt60(size, absorption) > rt60
        low, high = np.where(longer, middle, low), np.where(longer, high, middle)
    return np.minimum(shares[:, np.newaxis] * high, MOST)


def octave_rt60(size: NDArray[np.float64], absorption: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the reverberation time (7,) of a shoebox per octave, as `image_source_rt60`, with air.

    Args:
        size: (3,) size of the room in metres.
        absorption: (6, 7) share of energy absorbed by each wall.
    """
    loss = -np.log1p(-absorption).reshape(3, 2, -1).mean(axis=1) / size[:, np.newaxis]
    rate = SPEED_OF_SOUND * (directions().T @ loss + AIR)  # (directions, octaves), per second
    time = np.linspace(0, 1, TIMES)[:, np.newaxis, np.newaxis] * _sixty(rate.min(axis=0))
    decay = (np.exp(-rate * time) / rate).sum(axis=1)
    decibels = 10 * np.log10(decay / decay[0])
    span = time[:, 0]
    return np.array(
        [3 * np.subtract(*np.interp([25, 5], -d, t)) for d, t in zip(decibels.T, span.T, strict=True)]
    )


def _sixty(rate: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the seconds in which an exponential decay with this rate falls by 60 dB."""
    return np.asarray(60 / (10 * np.log10(np.e)) / rate)


def directions() -> NDArray[np.float64]:
    """Return the absolute direction cosines (3, DIRECTIONS) of a spiral over one half of the sphere."""
    height = (np.arange(DIRECTIONS) + 0.5) / DIRECTIONS
    turn = np.pi * (1 + np.sqrt(5)) * np.arange(DIRECTIONS)
    level = np.sqrt(1 - height**2)
    return np.abs(np.stack([level * np.cos(turn), level * np.sin(turn), height]))
