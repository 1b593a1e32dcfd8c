"""Configurations of the network: dataclasses, which the tables `network` of configs/*.toml describe."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from ..constants import SignalConfig
from ..errors import UsageError
from ..utils.bundled import bundled_folder
from ..utils.layers import Layers, read_layers
from ..utils.settings import Bounds, Count, Positive, Share, build_settings

CONFIGS = bundled_folder("configs")
Seconds = Annotated[float, Bounds(1e-3)]


@dataclass(frozen=True)
class NetworkConfig(ABC):
    """What every network of the family has.

    Attributes:
        signal: the STFT that the network sees and the fixed length of one chunk.
        for_gpu: its graph keeps the rules of a GPU (`gpu_rules`). A baseline without is scored by Keras.
        kind: what a configuration file calls this sort of network.
    """

    kind: ClassVar[str]
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

    bins: Positive = 32
    stride: Positive = 2
    channels: Positive = 32
    blocks: Positive = 2


@dataclass(frozen=True)
class Context:
    """How the time stages carry what they have heard from chunk to chunk (see `context`).

    Attributes:
        half_life: seconds of speech after which what was heard before counts half.
        silence: share of the loudest frame's mean compressed magnitude below which frames stop counting:
            0.3 is 35 dB at the exponent 0.3.
        loudness_half_life: seconds after which the loudest frame's compressed magnitude counts half.
    """

    half_life: Seconds = 60.0
    silence: Share = 0.3
    loudness_half_life: Seconds = 60.0


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

    kind: ClassVar[str] = "two-stage"
    channels: Positive = 64
    blocks: Positive = 4
    near_after: Positive = 2
    heads: Positive = 4
    attention: Literal["linear", "quadratic"] = "linear"
    rotary: bool = True
    feed_forwards: Annotated[int, Bounds(1, 2)] = 2
    expansion: Positive = 4
    time_kernel: Positive = 31
    frequency_kernel: Positive = 31
    band_stride: Positive = 2
    dense_depth: Positive = 4
    decoder_depth: Positive = 4
    separable: bool = False
    full_resolution: bool = True
    fine: Count = 0
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

    kind: ClassVar[str] = "recurrent"
    for_gpu: ClassVar[bool] = False  # its steps are a loop, and in three dimensions
    depth: Positive = 4
    units: Positive = 400

    @property
    def outline(self) -> str:
        """See `NetworkConfig`."""
        return f"{self.depth} bidirectional LSTM layers, {self.units} units"


@dataclass(frozen=True)
class _File:
    """The part of a configuration file that is read here."""

    network: NetworkConfig


def read_network(file: str | Path, changes: Sequence[str] = ()) -> NetworkConfig:
    """Read the table `network` of a configuration file, or of a bundled configuration.

    Args:
        file: TOML, or the name of a bundled configuration.
        changes: `FIELD=VALUE` over it.

    Raises:
        DssError: the file cannot be read.
        UsageError: a setting is unknown, missing, of a wrong type or out of range.
    """
    layers: Layers = read_layers(_File, file, CONFIGS)
    for change in changes:
        layers.set(f"network.{change}")
    table = layers.values.get("network")
    return build_settings(NetworkConfig, layers, table, "network")  # type: ignore[type-abstract]


CONFIGURATIONS = {path.stem: read_network(path) for path in sorted(CONFIGS.glob("*.toml"))}


def configuration(name: str) -> NetworkConfig:
    """Return the configuration called `name`.

    Args:
        name: of a bundled one, perhaps with changes as in `lite,attention=quadratic`; or a .toml file.

    Raises:
        DssError: the file cannot be read.
        UsageError: there is none of that name, or such a field or value is none of it.
    """
    named, *changes = name.split(",")
    if not changes and named in CONFIGURATIONS:
        return CONFIGURATIONS[named]
    if odd := [change for change in changes if "=" not in change]:
        raise UsageError(f"configuration {name!r}: FIELD=VALUE, as in lite,rotary=false, not {odd[0]!r}")
    return read_network(named, changes)


def configuration_name(name: str) -> str:
    """Return what model cards call a configuration: a file by the bundled one that it equals, or its stem."""
    if not name.endswith(".toml"):
        return name
    config = configuration(name)
    return next((known for known, other in CONFIGURATIONS.items() if other == config), Path(name).stem)


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
