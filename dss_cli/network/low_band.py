"""Additional, narrower tokens for the lowest bins, where most of the energy of a voice lies."""

from __future__ import annotations

from dataclasses import replace

from keras import layers

from .config import TwoStageConfig, Zoom
from .conformer import two_stage
from .context import Memory
from .layers import Tensor, bands_to_bins, bins_to_bands, norm, pointwise, prelu


def look_closer(x: Tensor, mixture: Tensor, config: TwoStageConfig, memory: Memory) -> Tensor | None:
    """Return narrower tokens for the lowest bins; None if the configuration has no zoom.

    The tokens encode the mixture directly, read the wide tokens of their bins, and pass through separate
    two-stage blocks.

    Args:
        x: wide tokens after the last block (batch, frames, tokens, channels).
        mixture: compressed spectrum (batch, frames, 256, 3).
        config: configuration of the network.
        memory: memory of earlier chunks.

    Returns:
        Tokens (batch, frames, zoom.bins / zoom.stride, zoom.channels).
    """
    zoom = config.zoom
    if zoom is None:
        return None
    wide = x[:, :, : zoom.bins // config.band_stride]
    own = bins_to_bands(mixture[:, :, : zoom.bins], zoom.channels, zoom.stride, "zoom_bands")
    told = bands_to_bins(wide, zoom.channels, config.band_stride // zoom.stride, "zoom_told")
    y = prelu(norm(layers.Concatenate(name="zoom_seen")([own, told]), config.norm, "zoom_norm"), "zoom_prelu")
    y = pointwise(y, zoom.channels, "zoom_in")
    inner = replace(config, channels=zoom.channels)
    for i in range(1, zoom.blocks + 1):
        y = two_stage(y, inner, f"zoom_block{i}", memory)
    return norm(y, config.norm, "zoom_out_norm")


def add_zoomed(bins: Tensor, closer: Tensor, zoom: Zoom, name: str) -> Tensor:
    """Add a correction by the narrower tokens to the lowest bins of (batch, frames, 256, channels).

    The correction of a new network is zero.
    """
    correction = bands_to_bins(closer, bins.shape[3], zoom.stride, f"{name}_zoom", kernel_initializer="zeros")
    low = bins[:, :, : zoom.bins] + correction
    return layers.Concatenate(axis=2, name=f"{name}_zoomed")([low, bins[:, :, zoom.bins :]])
