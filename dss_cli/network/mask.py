"""The mask that every estimate begins with."""

from __future__ import annotations

import math

from keras import ops

from .layers import Tensor

# A fresh network hands out half of the mixture's amplitude: the compressed mask is 0.5 ** exponent.
HALF = 0.5


def masked(says: Tensor, mixture: Tensor, exponent: float) -> Tensor:
    """A real mask in (0, 1) on the compressed complex spectrum: whatever passes has the mixture's phase.

    Args:
        says: (batch, frames, 256, 1), before the sigmoid; zero gives half of the mixture's amplitude.
        mixture: compressed spectrum (batch, frames, 256, 3) as magnitude, real and imaginary part.
        exponent: of the compression.

    Returns:
        (batch, frames, 256, 2), real and imaginary part.
    """
    amount = HALF**exponent
    bias = math.log(amount / (1.0 - amount))
    return ops.sigmoid(says + bias) * mixture[:, :, :, 1:]
