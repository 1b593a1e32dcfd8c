"""A second look at the lowest bands: narrower tokens where most of a voice's energy lies."""

from __future__ import annotations

from dataclasses import replace

from keras import layers

from .config import NetworkConfig, Zoom
from .conformer import two_stage
from .layers import Tensor, norm, pointwise, prelu


def look_closer(x: Tensor, mixture: Tensor, config: NetworkConfig) -> Tensor | None:
    """Tokens of `config.zoom.stride` bins each, over its lowest bins, if there is a zoom.

    They see the mixture afresh, are told what the wide tokens have found, and go through blocks of their own.

    Args:
        x: the separator's tokens (batch, frames, tokens, channels), of equally wide bands at least as far as
            the zoom reaches.
        mixture: compressed spectrum (batch, frames, 256, 3).

    Returns:
        (batch, frames, zoom.bins / zoom.stride, zoom.channels).
    """
    zoom = config.zoom
    if zoom is None:
        return None
    width = config.bands[0][1]
    each = width // zoom.stride  # narrow tokens in a wide one
    own = layers.Conv2D(
        zoom.channels, (3, zoom.kernel), strides=(1, zoom.stride), padding="same", name="zoom_bands"
    )(mixture[:, :, : zoom.bins])
    told = layers.Conv2DTranspose(
        zoom.channels, (1, each * 3 // 2), strides=(1, each), padding="same", name="zoom_told"
    )(x[:, :, : zoom.bins // width])
    y = prelu(norm(layers.Concatenate(name="zoom_seen")([own, told]), config.norm, "zoom_norm"), "zoom_prelu")
    y = pointwise(y, zoom.channels, "zoom_in")
    inner = replace(config, channels=zoom.channels)
    for i in range(1, zoom.blocks + 1):
        y = two_stage(y, inner, f"zoom_block{i}")
    return norm(y, config.norm, "zoom_out_norm")


def add_zoomed(bins: Tensor, closer: Tensor, zoom: Zoom, name: str) -> Tensor:
    """Add to the lowest of (batch, frames, 256, channels) what the zoom says of them; nothing at first."""
    correction = layers.Conv2DTranspose(
        bins.shape[3],
        (1, zoom.kernel),
        strides=(1, zoom.stride),
        padding="same",
        kernel_initializer="zeros",
        name=f"{name}_zoom",
    )(closer)
    low = bins[:, :, : zoom.bins] + correction
    return layers.Concatenate(axis=2, name=f"{name}_zoomed")([low, bins[:, :, zoom.bins :]])
