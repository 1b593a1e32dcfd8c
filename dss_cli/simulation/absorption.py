"""How much the walls of a shoebox must absorb for it to reverberate as long as asked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .limits import SPEED_OF_SOUND

MOST = 0.97  # of the energy, at any wall
DIRECTIONS = 300
STEPS = 20  # of the bisection


def scale_for(rt60: float, size: NDArray[np.float64], shares: NDArray[np.float64]) -> float | None:
    """Factor on the walls' shares of absorption that gives a reverberation time; None if no factor does.

    Args:
        rt60: seconds.
        size: (3,) metres.
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
    """Reverberation time of a shoebox's image sources in seconds, from -5 to -25 dB of the decay.

    Sound that leaves in a direction u meets the two walls of an axis |u| / length times a metre, in turn,
    for ever: nothing scatters. Directions that meet little absorption ring on, so flat or unevenly damped
    rooms reverberate for longer than Sabine and Eyring say, who let all directions mix.

    Args:
        size: (3,) metres.
        absorption: (6,) share of energy that each wall takes, in pairs along x, y and z.

    Source: E. A. Lehmann, A. M. Johansson, Prediction of energy decay in room impulse responses simulated
    with an image-source model, JASA 124 (2008), here as a sum over directions.
    """
    height = (np.arange(DIRECTIONS) + 0.5) / DIRECTIONS  # a spiral over one half of the sphere
    turn = np.pi * (1 + np.sqrt(5)) * np.arange(DIRECTIONS)
    level = np.sqrt(1 - height**2)
    directions = np.abs(np.stack([level * np.cos(turn), level * np.sin(turn), height]))
    loss = -np.log1p(-absorption).reshape(3, 2).mean(axis=1) / size
    rate = SPEED_OF_SOUND * (loss @ directions)  # per second
    longest = 60 / (10 * np.log10(np.e)) / rate.min()
    time = np.linspace(0, longest, 200)
    decay = (np.exp(-rate * time[:, np.newaxis]) / rate).sum(axis=1)  # what is still to come, after Schroeder
    decibels = 10 * np.log10(decay / decay[0])
    begin, end = np.interp([5, 25], -decibels, time)
    return float(3 * (end - begin))
