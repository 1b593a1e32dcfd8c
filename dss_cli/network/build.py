"""From a configuration to a Keras model: encoder, two-stage blocks, a decoder for each output."""

from __future__ import annotations

import keras

from .coder import decode, encode, fine
from .config import NetworkConfig, configuration
from .conformer import two_stage
from .zoom import look_closer


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
    x = encode(mixture, config)
    near = x
    for i in range(1, config.blocks + 1):
        x = two_stage(x, config, f"block{i}")
        if i == config.near_after:
            near = x
    bins, closer = fine(mixture, config), look_closer(x, mixture, config)
    return keras.Model(
        mixture,
        {
            "near": decode(near, mixture, bins, closer, config, "near"),
            "far": decode(x, mixture, bins, closer, config, "far"),
        },
        name="separator",
    )
