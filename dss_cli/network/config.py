"""The family of named configurations: every number that shapes the network, in one dataclass."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import UsageError
from ..signal import SAMPLE_RATE, SignalConfig


@dataclass(frozen=True)
class Zoom:
    """Narrower tokens for the lowest bins, beside the others.

    Attributes:
        bins: how many bins, from the lowest.
        stride: bins per token.
        channels: features per token.
        blocks: two-stage blocks of its own.
    """

    bins: int = 32
    stride: int = 2
    channels: int = 32
    blocks: int = 2


@dataclass(frozen=True)
class NetworkConfig:
    """Shape of a two-stage conformer for distance-based separation (Bae et al. 2025, section 2).

    Attributes:
        signal: the STFT that the network sees and the fixed length of one chunk.
        channels: features per time-frequency token.
        blocks: two-stage blocks (time, then frequency).
        near_after: the near decoder reads the output of this block; the far decoder the last's.
        heads: of the linear attention; divides `channels` into parts of an even size.
        feed_forwards: 2 = the conformer's pair of half steps, 1 = one full step behind.
        expansion: inner width of a feed-forward, in multiples of `channels`.
        time_kernel, frequency_kernel: of the gated convolution modules, in tokens.
        band_stride: bins per token.
        dense_depth: dilated layers (1, 2, 4, ...) of the encoder's DenseNet.
        decoder_depth: dilated layers of each decoder's DenseNet.
        separable: depthwise-separable dense layers instead of full convolutions.
        full_resolution: dense layers ahead of the striding convolution (published), or behind.
        fine: features of every single bin that the decoders read beside the tokens; 0 = none, as published.
        zoom: a second look at the lowest bins, if any.
        norm: "layer" as published, or "rms" (one reduction less).
    """

    signal: SignalConfig = field(default_factory=SignalConfig)
    channels: int = 64
    blocks: int = 4
    near_after: int = 2
    heads: int = 4
    feed_forwards: int = 2
    expansion: int = 4
    time_kernel: int = 31
    frequency_kernel: int = 31
    band_stride: int = 2
    dense_depth: int = 4
    decoder_depth: int = 4
    separable: bool = False
    full_resolution: bool = True
    fine: int = 0
    zoom: Zoom | None = None
    norm: str = "layer"


HOP_256 = SignalConfig(hop=256, frames=188)  # 188 hops: the first whole number past 3 s

CONFIGURATIONS = {
    "base": NetworkConfig(expansion=3, decoder_depth=3),  # the published size: 1.5 M, 30 GMAC/s
    "lite": NetworkConfig(
        signal=HOP_256,
        channels=64,
        near_after=4,
        heads=2,
        feed_forwards=1,
        expansion=2,
        time_kernel=15,
        frequency_kernel=7,
        band_stride=8,
        dense_depth=3,
        decoder_depth=1,
        fine=12,
        zoom=Zoom(channels=28),
        separable=True,
        full_resolution=False,
        norm="rms",
    ),
    "toy": NetworkConfig(
        signal=SignalConfig(hop=256, frames=SAMPLE_RATE // 4 // 256),
        channels=8,
        blocks=2,
        near_after=1,
        heads=2,
        feed_forwards=1,
        expansion=1,
        time_kernel=5,
        frequency_kernel=3,
        band_stride=16,
        dense_depth=1,
        decoder_depth=1,
        fine=4,
        zoom=Zoom(bins=64, stride=4, channels=4, blocks=1),
        separable=True,
        full_resolution=False,
        norm="rms",
    ),
}


def configuration(name: str) -> NetworkConfig:
    """The configuration called `name`.

    Raises:
        UsageError: there is none of that name.
    """
    try:
        return CONFIGURATIONS[name]
    except KeyError:
        raise UsageError(
            f"unknown configuration {name!r}: choose one of {', '.join(CONFIGURATIONS)}"
        ) from None
