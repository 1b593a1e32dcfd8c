"""The family of named configurations: every number that shapes the network, in one dataclass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Literal

from ..constants import SAMPLE_RATE, SignalConfig
from ..errors import UsageError


@dataclass(frozen=True)
class NetworkConfig(ABC):
    """What every network of the family has.

    Attributes:
        signal: the STFT that the network sees and the fixed length of one chunk.
        for_gpu: its graph keeps the rules of a GPU (`gpu_rules`). A baseline without is scored by Keras.
    """

    signal: SignalConfig = field(default_factory=SignalConfig)
    for_gpu: ClassVar[bool] = True

    @property
    @abstractmethod
    def outline(self) -> str:
        """Its shape in a few words."""


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
class Context:
    """How the time stages carry what they have heard from chunk to chunk (see `context`).

    Attributes:
        half_life: seconds of speech after which what was heard before counts half.
        silence: share of the loudest frame's mean compressed magnitude below which frames stop counting:
            0.3 is 35 dB at the exponent 0.3.
        loudness_half_life: seconds after which the loudest frame's compressed magnitude counts half.
    """

    half_life: float = 60.0
    silence: float = 0.3
    loudness_half_life: float = 60.0


@dataclass(frozen=True)
class TwoStageConfig(NetworkConfig):
    """Shape of a two-stage conformer for distance-based separation (Bae et al. 2025, section 2).

    Attributes:
        channels: features per time-frequency token.
        blocks: two-stage blocks (time, then frequency).
        near_after: the near decoder reads the output of this block; the far decoder the last's.
        heads: of the attention; divides `channels` into parts of an even size.
        attention: "linear" in the positions as published, or "quadratic".
        rotary: queries and keys know their positions, as published.
        feed_forwards: 2 = the conformer's pair of half steps, 1 = one full step behind.
        expansion: inner width of a feed-forward, in multiples of `channels`.
        time_kernel, frequency_kernel: of the gated convolution modules, in tokens.
        band_stride: bins per token.
        dense_depth: dilated layers (1, 2, 4, ...) of the encoder's DenseNet.
        decoder_depth: dilated layers of each decoder's DenseNet.
        separable: depthwise-separable dense layers instead of full convolutions.
        full_resolution: dense layers ahead of the striding convolution (published), or behind.
        fine: features of every single bin that the decoders read beside the tokens; 0 = none, as published.
        refinement: a complex term beside the mask, as published; without it an estimate is a mask.
        zoom: a second look at the lowest bins, if any.
        norm: "layer" as published, or "rms" (one reduction less).
        context: how linear attention carries what it heard from chunk to chunk; None: every chunk decides
            alone, as published. Quadratic attention has no such context: it would keep every position.
    """

    channels: int = 64
    blocks: int = 4
    near_after: int = 2
    heads: int = 4
    attention: Literal["linear", "quadratic"] = "linear"
    rotary: bool = True
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
    refinement: bool = True
    zoom: Zoom | None = None
    norm: Literal["layer", "rms"] = "layer"
    context: Context | None = None

    def __post_init__(self) -> None:
        """Refuse numbers that make no network."""
        if not 0 < self.near_after <= self.blocks:
            raise ValueError(f"near_after {self.near_after} is none of {self.blocks} blocks")
        if self.channels % (2 * self.heads):
            raise ValueError(f"{self.channels} channels are not {self.heads} heads of an even size")
        if self.signal.bins % self.band_stride:
            raise ValueError(f"{self.signal.bins} bins are not tokens of {self.band_stride}")
        for name, value, known in (
            ("attention", self.attention, ("linear", "quadratic")),
            ("norm", self.norm, ("layer", "rms")),
        ):
            if value not in known:
                raise ValueError(f"{name} is {' or '.join(known)}, not {value!r}")

    @property
    def outline(self) -> str:
        """See `NetworkConfig`."""
        return f"{self.blocks} two-stage blocks, {self.channels} channels, {self.attention} attention"


@dataclass(frozen=True)
class RecurrentConfig(NetworkConfig):
    """Shape of the baseline of Patterson et al. 2022 (arXiv 2207.00562), bidirectional LSTMs and masks.

    The published demos name their models by L = 4, N = 400: read here as layers, and units in each direction.

    Attributes:
        depth: layers.
        units: of a layer in each direction.
    """

    for_gpu: ClassVar[bool] = False  # its steps are a loop, and in three dimensions
    depth: int = 4
    units: int = 400

    @property
    def outline(self) -> str:
        """See `NetworkConfig`."""
        return f"{self.depth} bidirectional LSTM layers, {self.units} units"


HOP_256 = SignalConfig(hop=256, frames=188)  # 188 hops: the first whole number past 3 s

LITE = TwoStageConfig(
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
    context=Context(),
)

CONFIGURATIONS: dict[str, NetworkConfig] = {
    "base": TwoStageConfig(
        expansion=3, decoder_depth=3, context=Context()
    ),  # the published size: 1.5 M, 30 GMAC/s
    "lite": LITE,
    "toy": TwoStageConfig(
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
        context=Context(),
    ),
    # Baselines of the literature, on the signal of `lite`, so that the same run hears the same audio.
    # CMGAN (Cao et al. 2022; Abdulatif et al. 2024) has two-stage conformers with ordinary attention. All
    # else is as in `lite`, though CMGAN differs there too (decoders, positions, losses): this one tells
    # linear attention from quadratic and nothing more.
    "quadratic": replace(LITE, attention="quadratic"),
    # The published size.
    "blstm": RecurrentConfig(signal=HOP_256),
}


def configuration(name: str) -> NetworkConfig:
    """The configuration called `name`; `name,FIELD=VALUE,...` is one that differs in some fields.

    Raises:
        UsageError: there is none of that name, or such a field or value is none of it.
    """
    named, *changes = name.split(",")
    if named not in CONFIGURATIONS:
        raise UsageError(f"unknown configuration {named!r}: choose one of {', '.join(CONFIGURATIONS)}")
    config = CONFIGURATIONS[named]
    for change in changes:
        config = _changed(config, change, name)
    return config


def _changed(config: NetworkConfig, change: str, name: str) -> NetworkConfig:
    field_name, _, text = change.partition("=")
    known = {f.name: getattr(config, f.name) for f in fields(config)}
    known = {key: value for key, value in known.items() if isinstance(value, bool | int | str)}
    if field_name not in known:
        raise UsageError(f"configuration {name!r}: {change!r} is no FIELD=VALUE of {', '.join(known)}")
    values: dict[str, Any] = {"true": True, "false": False}
    value = values.get(text, int(text) if text.isdecimal() else text)
    if type(value) is not type(known[field_name]):
        wanted = {bool: "true or false", int: "a whole number", str: "a word"}[type(known[field_name])]
        raise UsageError(f"configuration {name!r}: {field_name} is {wanted}, not {text!r}")
    try:
        return replace(config, **{field_name: value})
    except ValueError as error:
        raise UsageError(f"configuration {name!r}: {error}") from None


def exportable(name: str) -> NetworkConfig:
    """The configuration called `name`, if a model file can be made of it.

    Raises:
        UsageError: there is none of that name, or it is a baseline that breaks the rules of a GPU.
    """
    config = configuration(name)
    if not config.for_gpu:
        raise UsageError(
            f"configuration {name!r} cannot become a model: {config.outline} break the rules of a GPU; "
            "`dss evaluate --model NAME.weights.h5` scores its weights without an export"
        )
    return config
