"""Mask on the compressed spectrum, the first part of every estimate."""

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
