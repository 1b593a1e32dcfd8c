"""Two-stage conformer: along time in each band, then along frequency in each frame."""

from __future__ import annotations

from keras import ops

from .attention import attention
from .config import TwoStageConfig
from .context import Memory
from .layers import Tensor, depthwise, norm, pointwise


def feed_forward(x: Tensor, config: TwoStageConfig, name: str) -> Tensor:
    """Apply a feed-forward module: normalise, widen, swish, narrow."""
    y = norm(x, config.norm, f"{name}_norm")
    y = pointwise(y, config.expansion * config.channels, f"{name}_in", activation="silu")
    return pointwise(y, config.channels, f"{name}_out")


def gated_convolution(x: Tensor, kernel: int, config: TwoStageConfig, name: str) -> Tensor:
    """Apply the conformer's convolution module (Gulati et al. 2020): gate, depthwise filter, swish."""
    y = norm(x, config.norm, f"{name}_norm")
    value = pointwise(y, config.channels, f"{name}_value")
    gate = pointwise(y, config.channels, f"{name}_gate", activation="sigmoid")
    y = depthwise(value * gate, (1, kernel), f"{name}_filter")
    if config.norm == "layer":  # as published; the light models omit the second norm
        y = norm(y, config.norm, f"{name}_inner")
    return pointwise(ops.silu(y), config.channels, f"{name}_out")


def conformer(
    x: Tensor, kernel: int, config: TwoStageConfig, name: str, memory: Memory | None = None
) -> Tensor:
    """Apply one conformer block along the positions of each row; the shape of `x` is kept."""
    macaron = config.feed_forwards == 2
    if macaron:
        x = x + 0.5 * feed_forward(x, config, f"{name}_ff1")
    x = x + attention(norm(x, config.norm, f"{name}_attention_norm"), config, f"{name}_attention", memory)
    x = x + gated_convolution(x, kernel, config, f"{name}_convolution")
    step = feed_forward(x, config, f"{name}_ff2")
    x = x + 0.5 * step if macaron else x + step
    return norm(x, config.norm, f"{name}_norm") if macaron else x


def two_stage(x: Tensor, config: TwoStageConfig, name: str, memory: Memory) -> Tensor:
    """Apply a time stage, then a frequency stage, to tokens (batch, frames, bands, channels).

    The time stage works on (batch, bands, frames, channels), with context from `memory`.
    """
    flip = (0, 2, 1, 3)
    x = conformer(ops.transpose(x, flip), config.time_kernel, config, f"{name}_time", memory)
    return conformer(ops.transpose(x, flip), config.frequency_kernel, config, f"{name}_frequency")
