"""Baseline of Patterson et al. 2022: bidirectional LSTMs over whole frames, and a mask for each output."""

from __future__ import annotations

from keras import layers

from ..constants import STEMS
from .config import RecurrentConfig
from .layers import Tensor
from .mask import masked


def recurrent_estimates(mixture: Tensor, config: RecurrentConfig) -> dict[str, Tensor]:
    """Estimate near and far, each (batch, frames, 256, 2), from the spectrum (batch, frames, 256, 3).

    The features of a step are the magnitudes of one frame; the layers read a chunk in both directions.
    """
    x = mixture[:, :, :, 0]
    for i in range(1, config.depth + 1):
        one_way = layers.LSTM(config.units, return_sequences=True, name="lstm")
        x = layers.Bidirectional(one_way, name=f"blstm{i}")(x)
    estimates = {}
    for stem in STEMS:
        says = layers.Dense(config.signal.bins, kernel_initializer="zeros", name=f"{stem}_mask")(x)
        estimates[stem] = masked(says[:, :, :, None], mixture, config.signal.exponent)
    return estimates
