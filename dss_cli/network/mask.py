"""Mask and filter on the compressed spectrum, which determine every estimate."""

from __future__ import annotations

import math

from keras import ops

from .layers import Tensor

# A new network passes half of the mixture's amplitude: the compressed mask is 0.5 ** exponent.
HALF = 0.5


def masked(says: Tensor, mixture: Tensor, exponent: float) -> Tensor:
    """Apply a real mask in (0, 1) to the compressed complex spectrum; the phase of the mixture is kept.

    Args:
        says: mask before the sigmoid (batch, frames, 256, 1); zero passes half of the mixture's amplitude.
        mixture: compressed spectrum (batch, frames, 256, 3) as magnitude, real and imaginary part.
        exponent: exponent of the compression.

    Returns:
        Masked spectrum (batch, frames, 256, 2), real and imaginary part.
    """
    amount = HALF**exponent
    bias = math.log(amount / (1.0 - amount))
    return ops.sigmoid(says + bias) * mixture[:, :, :, 1:]


def filtered(taps: Tensor, mixture: Tensor) -> Tensor:
    """Apply a complex filter over three frames to the lowest bins of the compressed spectrum.

    Unlike a mask, a filter changes phases, by means of the frames before and after (deep filtering, Mack &
    Habets 2020, there on linear spectra).

    Args:
        taps: factors (batch, frames, bins, 6) of the frame before, the frame itself and the frame after; real
            parts, then imaginary parts.
        mixture: compressed spectrum (batch, frames, 256, 3) as magnitude, real and imaginary part.

    Returns:
        Filtered spectrum (batch, frames, bins, 2), real and imaginary part.
    """
    bins = taps.shape[2]
    real, imaginary = (_with_neighbours(mixture[:, :, :bins, i : i + 1]) for i in (1, 2))
    by_real, by_imaginary = taps[:, :, :, :3], taps[:, :, :, 3:]
    parts = by_real * real - by_imaginary * imaginary, by_real * imaginary + by_imaginary * real
    return ops.concatenate([ops.sum(part, axis=-1, keepdims=True) for part in parts], axis=-1)


def _with_neighbours(x: Tensor) -> Tensor:
    """Return the frame before, the frame itself and the frame after as features; outside, there is zero."""
    padded = ops.pad(x, ((0, 0), (1, 1), (0, 0), (0, 0)))
    return ops.concatenate([padded[:, :-2], x, padded[:, 2:]], axis=-1)
