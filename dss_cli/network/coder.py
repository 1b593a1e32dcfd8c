"""Encoder (compressed spectrum to tokens) and decoders (tokens to a mask and a complex refinement)."""

from __future__ import annotations

from keras import layers

from .config import TwoStageConfig
from .layers import Tensor, bands_to_bins, bins_to_bands, depthwise, norm, pointwise, prelu
from .low_band import add_zoomed
from .mask import masked


def dense(x: Tensor, depth: int, config: TwoStageConfig, name: str) -> Tensor:
    """Apply a dilated DenseNet (Pandey & Wang 2020): layer i reads all earlier layers, with dilation 2^i."""
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


def encode(mixture: Tensor, config: TwoStageConfig) -> Tensor:
    """Encode a compressed spectrum (batch, frames, 256, 3) as tokens (batch, frames, tokens, channels)."""
    x = mixture
    if config.full_resolution:
        x = pointwise(x, config.channels, "encoder_lift")
        x = prelu(norm(x, config.norm, "encoder_lift_norm"), "encoder_lift_prelu")
        x = dense(x, config.dense_depth, config, "encoder")
    x = bins_to_bands(x, config.channels, config.band_stride, "encoder_bands")
    x = prelu(norm(x, config.norm, "encoder_bands_norm"), "encoder_bands_prelu")
    return x if config.full_resolution else dense(x, config.dense_depth, config, "encoder")


def fine(mixture: Tensor, config: TwoStageConfig) -> Tensor | None:
    """Return features of every bin, (batch, frames, 256, config.fine); None if `config.fine` is 0."""
    if not config.fine:
        return None
    x = layers.Conv2D(config.fine, 3, padding="same", name="fine_bins")(mixture)
    return prelu(x, "fine_prelu")


def decode(
    x: Tensor, mixture: Tensor, bins: Tensor | None, closer: Tensor | None, config: TwoStageConfig, name: str
) -> Tensor:
    """Decode tokens to the compressed spectrum (batch, frames, 256, 2) of one output.

    The estimate is `mask * mixture + refinement`: a real mask in (0, 1) on the compressed spectrum, and a
    complex term (Bae et al. 2025, section 2.3), which the configuration may omit.

    Args:
        x: tokens (batch, frames, tokens, channels).
        mixture: compressed spectrum (batch, frames, 256, 3).
        bins: features of every bin from `fine`, which refine the estimate inside a token's bins; or None.
        closer: tokens of `low_band.look_closer`, which correct the lowest bins; or None.
        config: configuration of the network.
        name: name of the output, prefix of the layers' names.
    """
    x = dense(x, config.decoder_depth, config, name)
    tokens = x
    numbers = 3 if config.refinement else 1  # values per bin: mask, real and imaginary part of the refinement
    x = bands_to_bins(tokens, numbers, config.band_stride, f"{name}_bins", kernel_initializer="zeros")
    if bins is not None:
        told = bands_to_bins(tokens, config.fine, config.band_stride, f"{name}_told")
        y = layers.Concatenate(name=f"{name}_fine_seen")([told, bins])
        y = prelu(pointwise(y, config.fine, f"{name}_fine"), f"{name}_fine_prelu")
        x = x + pointwise(y, numbers, f"{name}_fine_out", kernel_initializer="zeros")
    if config.zoom is not None:
        x = add_zoomed(x, closer, config.zoom, name)
    estimate = masked(x[:, :, :, :1], mixture, config.signal.exponent)
    # Slices, because XNNPACK does not support uneven splits.
    return estimate + x[:, :, :, 1:] if config.refinement else estimate
