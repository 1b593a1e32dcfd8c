"""A second look at the lowest bands: narrower tokens where most of a voice's energy lies."""

from __future__ import annotations

from dataclasses import replace

from keras import layers

from .config import TwoStageConfig, Zoom
from .conformer import two_stage
from .context import Memory
from .layers import Tensor, bands_to_bins, bins_to_bands, norm, pointwise, prelu


def look_closer(x: Tensor, mixture: Tensor, config: TwoStageConfig, memory: Memory) -> Tensor | None:
    """Tokens of `config.zoom.stride` bins each, over its lowest bins, if there is a zoom.

    They see the mixture afresh, are told what the wide tokens have found, and go through blocks of their own.

    Args:
        x: the separator's tokens (batch, frames, tokens, channels).
        mixture: compressed spectrum (batch, frames, 256, 3).
        memory: of what was heard before.

    Returns:
        (batch, frames, zoom.bins / zoom.stride, zoom.channels).
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
    """Add to the lowest of (batch, frames, 256, channels) what the zoom says of them; nothing at first."""
    correction = bands_to_bins(closer, bins.shape[3], zoom.stride, f"{name}_zoom", kernel_initializer="zeros")
    low = bins[:, :, : zoom.bins] + correction
    return layers.Concatenate(axis=2, name=f"{name}_zoomed")([low, bins[:, :, zoom.bins :]])
