"""From a configuration to a Keras model: the compressed spectrum in, one for each output out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from .coder import decode, encode, fine
from .config import NetworkConfig, RecurrentConfig, TwoStageConfig, configuration
from .conformer import two_stage
from .layers import Tensor
from .low_band import look_closer
from .recurrent import recurrent_estimates


def build(config: NetworkConfig | str, batch: int | None = None) -> keras.Model:
    """The network of a configuration, freshly initialised.

    Args:
        config: a configuration or its name.
        batch: a fixed batch size (1 for export), or None to train.

    Returns:
        A functional model: `mixture` (batch, frames, 256, 3), the compressed spectrum as magnitude, real and
        imaginary part, to {"near", "far"}, each (batch, frames, 256, 2) real and imaginary part.

    Raises:
        UsageError: an unknown name.
    """
    if isinstance(config, str):
        config = configuration(config)
    signal = config.signal
    mixture = keras.Input((signal.frames, signal.bins, 3), batch_size=batch, name="mixture")
    estimates = ESTIMATES[type(config)](mixture, config)
    return keras.Model(mixture, estimates, name="separator")


def two_stage_estimates(mixture: Tensor, config: TwoStageConfig) -> dict[str, Tensor]:
    """Encoder, two-stage blocks, a decoder for each output."""
    x = encode(mixture, config)
    near = x
    for i in range(1, config.blocks + 1):
        x = two_stage(x, config, f"block{i}")
        if i == config.near_after:
            near = x
    bins, closer = fine(mixture, config), look_closer(x, mixture, config)
    return {
        "near": decode(near, mixture, bins, closer, config, "near"),
        "far": decode(x, mixture, bins, closer, config, "far"),
    }


ESTIMATES: dict[type[NetworkConfig], Callable[[Tensor, Any], dict[str, Tensor]]] = {
    TwoStageConfig: two_stage_estimates,
    RecurrentConfig: recurrent_estimates,
}
