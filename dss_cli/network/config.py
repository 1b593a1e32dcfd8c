"""Configurations of networks: dataclasses for the tables `network` of configs/*.toml."""

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
    """Common settings of all networks.

    Attributes:
        signal: STFT constants and the fixed length of one chunk.
        for_gpu: whether the graph obeys the GPU rules (`gpu_rules`). Other networks (baselines) cannot be
            exported; Keras scores their weights.
        kind: name of the kind of network in configuration files.
    """

    kind: ClassVar[str]
    signal: SignalConfig = field(default_factory=SignalConfig)
    for_gpu: ClassVar[bool] = True

    @property
    @abstractmethod
    def outline(self) -> str:
        """Size of the network in a few words."""


@dataclass(frozen=True)
class Zoom:
    """Additional, narrower tokens for the lowest bins.

    Attributes:
        bins: number of bins, from the lowest.
        stride: bins per token.
        channels: features per token.
        blocks: additional two-stage blocks for these tokens.
    """

    bins: Positive = 32
    stride: Positive = 2
    channels: Positive = 32
    blocks: Positive = 2


@dataclass(frozen=True)
class Context:
    """Settings of the context that the time stages carry from chunk to chunk (see `context`).

    Attributes:
        half_life: seconds of speech after which older context has half its weight.
        silence: level, as a share of the loudest recent frame's mean compressed magnitude, below which a
            frame's weight decreases: 0.3 is 35 dB at the exponent 0.3.
        recent_half_life: seconds after which that frame's compressed magnitude has decayed to half, 20 dB: so
            much softer speech counts after a loud sound.
        loudness_half_life: the same for the loudest frame so far, with which the context before a louder
            sound is compared.
    """

    half_life: Seconds = 30.0
    silence: Share = 0.3
    recent_half_life: Seconds = 10.0
    loudness_half_life: Seconds = 60.0


@dataclass(frozen=True)
class TwoStageConfig(NetworkConfig):
    """Two-stage conformer for distance-based separation (Bae et al. 2025, section 2).

    Attributes:
        channels: features per time-frequency token.
        blocks: number of two-stage blocks (time, then frequency).
        near_after: number of the block whose output the near decoder reads; the far decoder reads the last.
        heads: heads of the attention; they divide `channels` into parts of an even size.
        attention: "linear" in the number of positions, as published, or "quadratic".
        rotary: rotary embedding of queries and keys, as published.
        feed_forwards: 2 = the conformer's two half steps, 1 = one full step at the end.
        expansion: inner width of a feed-forward module, in multiples of `channels`.
        time_kernel, frequency_kernel: kernel sizes of the gated convolution modules, in tokens.
        band_stride: bins per token.
        dense_depth: dilated layers (1, 2, 4, ...) of the encoder's DenseNet.
        decoder_depth: dilated layers of each decoder's DenseNet.
        separable: depthwise-separable dense layers instead of full convolutions.
        full_resolution: dense layers before the strided convolution, as published, or after it.
        fine: features per bin that the decoders read in addition to the tokens; 0 = none, as published.
        refinement: complex term in addition to the mask, as published; without it, an estimate is masked
            only.
        zoom: additional tokens for the lowest bins, or None.
        norm: "layer", as published, or "rms" (one reduction less).
        context: context of linear attention between chunks; None: chunks are independent, as published.
            Quadratic attention has no context, because it would have to keep all positions.
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
        """Raise ValueError for inconsistent numbers."""
        if not 0 < self.near_after <= self.blocks:
            raise ValueError(f"near_after {self.near_after} is not one of {self.blocks} blocks")
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
    """Baseline of Patterson et al. 2022 (arXiv 2207.00562): bidirectional LSTMs and masks.

    The published demos label their models with L = 4, N = 400, taken here as layers and units per direction.

    Attributes:
        depth: number of layers.
        units: units of a layer in each direction.
    """

    kind: ClassVar[str] = "recurrent"
    for_gpu: ClassVar[bool] = False  # its graph has a loop, and tensors of three dimensions
    depth: Positive = 4
    units: Positive = 400

    @property
    def outline(self) -> str:
        """See `NetworkConfig`."""
        return f"{self.depth} bidirectional LSTM layers, {self.units} units"


@dataclass(frozen=True)
class _File:
    """Part of a configuration file that this module reads."""

    network: NetworkConfig


def read_network(file: str | Path, changes: Sequence[str] = ()) -> NetworkConfig:
    """Read the table `network` of a configuration file or of a bundled configuration.

    Args:
        file: path of a TOML file, or name of a bundled configuration.
        changes: changes `FIELD=VALUE`, applied on top.

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
        name: name of a bundled configuration or path of a .toml file, optionally with changes, as in
            `lite,attention=quadratic`.

    Raises:
        DssError: the file cannot be read.
        UsageError: there is no configuration of that name, or a changed field or value is invalid.
    """
    named, *changes = name.split(",")
    if not changes and named in CONFIGURATIONS:
        return CONFIGURATIONS[named]
    if odd := [change for change in changes if "=" not in change]:
        raise UsageError(f"configuration {name!r}: FIELD=VALUE, as in lite,rotary=false, not {odd[0]!r}")
    return read_network(named, changes)


def configuration_name(name: str) -> str:
    """Return the name of a configuration in model cards.

    A file gets the name of the bundled configuration that it equals, or else the stem of its path.
    """
    if not name.endswith(".toml"):
        return name
    config = configuration(name)
    return next((known for known, other in CONFIGURATIONS.items() if other == config), Path(name).stem)


def exportable(name: str) -> NetworkConfig:
    """Return the configuration called `name`, if its networks can be exported as model files.

    Raises:
        DssError: the file cannot be read.
        UsageError: there is no configuration of that name, or it is a baseline that violates the GPU rules.
    """
    config = configuration(name)
    if not config.for_gpu:
        raise UsageError(
            f"configuration {name!r} cannot be exported: {config.outline} violate the rules of a GPU; "
            "`dss evaluate --model NAME.weights.h5` scores its weights without an export"
        )
    return config
