"""Build the Keras model of a configuration: compressed spectrum in, one compressed spectrum per output."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeGuard

import keras
from keras import ops

from .coder import decode, encode, fine
from .config import NetworkConfig, RecurrentConfig, TwoStageConfig, configuration
from .conformer import two_stage
from .context import Alone, Carried, Memory, SharedInScene
from .layers import Tensor
from .low_band import look_closer
from .recurrent import recurrent_estimates

SHORTER = (2,)  # divisors of a chunk for the shorter chunks of the export (short latencies); see training.cut


def build(config: NetworkConfig | str, batch: int | None = None) -> keras.Model:
    """Build the network of a configuration with new weights; chunks are independent of each other.

    Args:
        config: configuration or its name.
        batch: fixed batch size (1 for export), or None for training.

    Returns:
        Functional model: `mixture` (batch, frames, 256, 3), the compressed spectrum as magnitude, real and
        imaginary part, to {"near", "far"}, each (batch, frames, 256, 2), real and imaginary part.

    Raises:
        UsageError: there is no configuration of that name.
    """
    if isinstance(config, str):
        config = configuration(config)
    signal = config.signal
    mixture = keras.Input((signal.frames, signal.bins, 3), batch_size=batch, name="mixture")
    if isinstance(config, RecurrentConfig):
        estimates = recurrent_estimates(mixture, config)
    else:
        assert isinstance(config, TwoStageConfig), "a network of another family"
        estimates = two_stage_estimates(mixture, config, Alone(mixture, config.context))
    return keras.Model(mixture, estimates, name="separator")


class CarriedNetworks(NamedTuple):
    """Two forms of a network with context, as exported; both share their layers.

    Attributes:
        separate: inputs `mixture` (1, frames, 256, 3) and states; outputs "near", "far" and states.
        listen: the same inputs; outputs only states, for a first pass over a recording.
        config: configuration of the network.
        lengths: frames of the shorter chunks for which the network is also exported, longest first.
    """

    separate: keras.Model
    listen: keras.Model
    config: TwoStageConfig
    lengths: tuple[int, ...] = ()

    def shorter(self, frames: int) -> keras.Model:
        """Return `separate` for chunks of `frames` frames, with a copy of the present weights."""
        network = build_carried(self.config, frames).separate
        network.set_weights(self.separate.get_weights())
        return network


def build_carried(config: TwoStageConfig, frames: int | None = None) -> CarriedNetworks:
    """Build the network of a configuration with context, with new weights.

    States are tensors of rank 4, by name; the initial state is zero. See `context.Carried`.

    Args:
        config: configuration with a context.
        frames: frames of a chunk; None: as in `config.signal`.

    Raises:
        ValueError: the configuration has no context.
    """
    if config.context is None or not has_context(config):
        raise ValueError(f"no context is carried by {config.outline}")
    signal = config.signal
    frames = frames or signal.frames
    mixture = keras.Input((frames, signal.bins, 3), batch_size=1, name="mixture")
    memory = Carried(mixture, config.context, frames * signal.hop / signal.sample_rate)
    estimates = two_stage_estimates(mixture, config, memory)
    inputs = {"mixture": mixture, **memory.inputs}
    return CarriedNetworks(
        keras.Model(inputs, estimates | memory.outputs, name="separator"),
        keras.Model(inputs, dict(memory.outputs), name="listener"),
        config,
    )


def build_for_inference(config: NetworkConfig) -> keras.Model | CarriedNetworks:
    """Build the network of a configuration as it is exported and scored, for one chunk at a time."""
    if not has_context(config):
        return build(config, batch=1)
    return build_carried(config)._replace(lengths=tuple(config.signal.frames // part for part in SHORTER))


def has_context(config: NetworkConfig) -> TypeGuard[TwoStageConfig]:
    """Return whether networks of a configuration carry context from chunk to chunk."""
    return isinstance(config, TwoStageConfig) and config.attention == "linear" and config.context is not None


def build_for_scenes(config: TwoStageConfig) -> keras.Model:
    """Build the network of a configuration for whole training scenes, as chunks with shared context.

    Returns:
        Functional model with the inputs `scenes` (batch, chunks, frames, 256, 3), with any number and length
        of chunks, and `whole` (batch,), see `context.SharedInScene`. The outputs {"near", "far"} are divided
        into segments, (segments, config.signal.frames, 256, 2), so scenes must be multiples of a segment.

    Raises:
        ValueError: the configuration has no context.
    """
    if config.context is None or not has_context(config):
        raise ValueError(f"no context is carried by {config.outline}")
    signal = config.signal
    scenes = keras.Input((None, None, signal.bins, 3), name="scenes")
    whole = keras.Input((), name="whole")
    mixture = Chunks(name="chunks")(scenes)
    memory = SharedInScene(scenes, whole, config.context, signal.hop / signal.sample_rate)
    estimates = two_stage_estimates(mixture, config, memory)
    segments = Segments(signal.frames, name="segments")
    estimates = {stem: segments(estimate) for stem, estimate in estimates.items()}
    return keras.Model({"scenes": scenes, "whole": whole}, estimates, name="separator")


class Segments(keras.layers.Layer):
    """Layer that divides scenes anew: (batch * chunks, frames, ...) to (segments, length, ...)."""

    def __init__(self, length: int, **options: Any) -> None:
        super().__init__(autocast=False, **options)
        self.length = length

    def call(self, chunks: Any) -> Any:
        return ops.reshape(chunks, (-1, self.length, *chunks.shape[2:]))


class Chunks(keras.layers.Layer):
    """Layer that joins batch and chunks: (batch, chunks, frames, ...) to (batch * chunks, frames, ...)."""

    def call(self, scenes: Any) -> Any:
        return ops.reshape(scenes, (-1, ops.shape(scenes)[2], *scenes.shape[3:]))


def two_stage_estimates(mixture: Tensor, config: TwoStageConfig, memory: Memory) -> dict[str, Tensor]:
    """Apply the encoder, the two-stage blocks and one decoder for each output.

    Returns:
        {"near", "far"}, compressed spectra (batch, frames, 256, 2) each.
    """
    x = encode(mixture, config)
    near = x
    for i in range(1, config.blocks + 1):
        x = two_stage(x, config, f"block{i}", memory)
        if i == config.near_after:
            near = x
    bins, closer = fine(mixture, config), look_closer(x, mixture, config, memory)
    return {
        "near": decode(near, mixture, bins, closer, config, "near"),
        "far": decode(x, mixture, bins, closer, config, "far"),
    }
