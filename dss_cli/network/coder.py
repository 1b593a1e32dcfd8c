"""Encoder and decoders: compressed spectra to tokens, tokens to a mask and a complex refinement."""

from __future__ import annotations

import math

from keras import layers, ops

from .config import NetworkConfig
from .layers import Tensor, depthwise, norm, pointwise, prelu

# A fresh decoder hands out half of the mixture's amplitude: the compressed mask is 0.5 ** exponent.
HALF = 0.5


def dense(x: Tensor, depth: int, config: NetworkConfig, name: str) -> Tensor:
    """Dilated DenseNet (Pandey & Wang 2020): layer i reads all before it, dilated 2^i in time."""
    seen = x
    for i in range(depth):
        label, dilation = f"{name}_dense{i + 1}", 2**i
        if config.separable:
            y = pointwise(seen, config.channels, f"{label}_mix")
            y = depthwise(y, (3, 3), f"{label}_filter", dilation)
        else:
            y = layers.Conv2D(config.channels, 3, padding="same", dilation_rate=(dilation, 1), name=label)(
                seen
            )
        y = prelu(norm(y, config.norm, f"{label}_norm"), f"{label}_prelu")
        if i + 1 == depth:
            return y
        seen = layers.Concatenate(name=f"{label}_seen")([y, seen])
    return seen


def encode(mixture: Tensor, config: NetworkConfig) -> Tensor:
    """(batch, frames, 256, 3) compressed spectrum to (batch, frames, 256 / stride, channels)."""
    x = mixture
    if config.full_resolution:
        x = pointwise(x, config.channels, "encoder_lift")
        x = prelu(norm(x, config.norm, "encoder_lift_norm"), "encoder_lift_prelu")
        x = dense(x, config.dense_depth, config, "encoder")
    x = layers.Conv2D(
        config.channels,
        (3, config.band_kernel),
        strides=(1, config.band_stride),
        padding="same",
        name="encoder_bands",
    )(x)
    x = prelu(norm(x, config.norm, "encoder_bands_norm"), "encoder_bands_prelu")
    return x if config.full_resolution else dense(x, config.dense_depth, config, "encoder")


def decode(x: Tensor, mixture: Tensor, config: NetworkConfig, name: str) -> Tensor:
    """Tokens to the compressed spectrum (batch, frames, 256, 2) of one output.

    The estimate is `mask * mixture + refinement`: a real mask in (0, 1) on the compressed spectrum and a
    complex term that is added to it (Bae et al. 2025, section 2.3).
    """
    x = dense(x, config.decoder_depth, config, name)
    x = layers.Conv2DTranspose(
        3,
        (1, config.band_kernel),
        strides=(1, config.band_stride),
        padding="same",
        kernel_initializer="zeros",
        name=f"{name}_bins",
    )(x)
    mask, refinement = x[:, :, :, :1], x[:, :, :, 1:]  # slices, as XNNPACK takes no uneven splits
    amount = HALF**config.signal.exponent
    bias = math.log(amount / (1.0 - amount))
    return ops.sigmoid(mask + bias) * mixture[:, :, :, 1:] + refinement
