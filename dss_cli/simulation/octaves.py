"""Octave bands for rooms, air and talkers, and the filters that combine them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BANDS = np.array([125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0])  # Hz
AIR = np.array([0.0001, 0.0003, 0.0006, 0.001, 0.0019, 0.0058, 0.0203])
"""Energy absorbed by air per metre in each octave, at 20 °C and medium humidity."""
RUMBLE = 10.0  # Hz


def band_weights(hertz: Array) -> Array:
    """Return the weight of each octave at each frequency, (7, frequencies); the sum over octaves is 1.

    A weight is a squared cosine over one octave on each side of its centre, on a logarithmic frequency axis,
    so that values per octave are interpolated smoothly. The outer octaves extend to 0 Hz and to the end of
    the band. The filters have zero phase.
    """
    octave = np.clip(np.log2(np.maximum(hertz, 1e-6) / BANDS[0]), 0, len(BANDS) - 1)
    apart = np.abs(octave - np.arange(len(BANDS))[:, np.newaxis])
    return np.asarray(np.cos(np.pi / 2 * np.minimum(apart, 1)) ** 2)


def rumble_filter(hertz: Array) -> NDArray[np.complex128]:
    """Return the response of a causal second-order high-pass, which removes the mean of many impulses."""
    along = 1j * hertz
    return np.asarray((along / (along + RUMBLE)) ** 2)
