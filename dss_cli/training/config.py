"""The settings of a training run, read from TOML: network, rooms, scenes, schedule, loss."""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from ..distances import FAR_OUTDOOR, NEAR
from ..errors import UsageError
from ..network.config import CONFIGS, NetworkConfig
from ..simulation.recipe import Recipe
from ..utils.layers import Layers, find_settings, merged, read_layers
from ..utils.settings import Bounds, Count, Positive, Share, Weight, build_settings

Metres = Annotated[tuple[float, float], Bounds(0.05, 18)]  # the open places end at 20 m
LAST_THRESHOLD = 5.0  # metres at which far begins at the latest: rooms have to hold it


@dataclass(frozen=True)
class RoomsConfig:
    """The places that a bank of responses is simulated of.

    Attributes:
        places: how many; a third are outdoors. Validation has an eighth as many of its own.
        near, far: (least, most) metres to a near and to a far talker; in rooms far ends at 6 m.
        protocol: of the simulation, see docs/experiments/02-rooms.md.
    """

    places: Annotated[int, Bounds(2)] = 900
    near: Metres = NEAR
    far: Metres = FAR_OUTDOOR
    protocol: Literal[1, 2] = 2

    def __post_init__(self) -> None:
        """Refuse distances that no room holds, or that are near and far at once."""
        if self.far[0] > LAST_THRESHOLD:
            raise ValueError(
                f"far begins at {self.far[0]:g} m; at {LAST_THRESHOLD:g} m at the latest: rooms hold no more"
            )
        if self.near[1] > self.far[0]:
            raise ValueError(f"near ends at {self.near[1]:g} m, after far begins at {self.far[0]:g} m")


@dataclass(frozen=True)
class CurriculumConfig:
    """When the scenes become harder.

    Attributes:
        begins: the step at which each of the stages begins; one that begins with the next is left out.
    """

    begins: Annotated[tuple[int, ...], Bounds(0)] = (0,)


@dataclass(frozen=True)
class StepConfig:
    """What a step sees.

    Attributes:
        seed: of everything that is drawn.
        batch: segments of a step, each as long as the network's chunk; scenes have one or several.
        voices: talkers made of each, by another length of the vocal tract (`simulation/vtlp.py`).
        precision: dtype policy of Keras; mixed_bfloat16 computes in half the width, keeps weights whole.
        mixing: where scenes are rendered: on threads of the host, or in the step on the accelerator.
        save_every: steps from one checkpoint to the next.
    """

    seed: Count = 1
    batch: Positive = 8
    voices: Count = 0
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    mixing: Literal["host", "device"] = "host"
    save_every: Positive = 100


@dataclass(frozen=True)
class ScheduleConfig:
    """The learning rate over the optimiser's steps.

    Attributes:
        peak: highest learning rate.
        warmup: steps in which it rises to the peak.
        hold: step at which it begins to fall.
        steps: optimiser steps in all.
    """

    peak: Weight = 1.2e-3
    warmup: Count = 300
    hold: Count = 6650
    steps: Positive = 9500

    def __post_init__(self) -> None:
        """Refuse a fall that begins behind the end."""
        if self.hold > self.steps:
            raise ValueError(f"hold = {self.hold} lies behind the last step, steps = {self.steps}")


@dataclass(frozen=True)
class OptimiserConfig:
    """How weights move.

    Attributes:
        decay: weight decay.
        clip: greatest norm of all gradients together.
        average: decay per step of the exponential moving average of the weights, which is what is exported.
    """

    decay: Weight = 1e-2
    clip: Weight = 1.0
    average: Share = 0.999


@dataclass(frozen=True)
class LossConfig:
    """Weights of the terms of the loss, beside the compressed spectra.

    Attributes:
        near_ratio, far_ratio: of each output's scale-invariant signal-to-noise ratio.
    """

    near_ratio: Weight = 1.0
    far_ratio: Weight = 1.0


@dataclass(frozen=True)
class ValidationConfig:
    """Scores on scenes that are kept.

    Attributes:
        scenes: of each stratum; 0 leaves validation out.
        every: steps from one to the next.
    """

    scenes: Count = 24
    every: Positive = 400


@dataclass(frozen=True)
class MachineConfig:
    """What computes; no result depends on it.

    Attributes:
        jobs: processes that simulate rooms.
        mixers: threads that render scenes ahead.
        devices: that share each batch, under JAX alone; None leaves it to Keras' backend.
    """

    jobs: Positive = 2
    mixers: Positive = 1
    devices: Positive | None = None


@dataclass(frozen=True)
class DataConfig:
    """Where things lie; paths in a file start at that file's folder, those of options where the command runs.

    Attributes:
        speech: dry speech, a folder per talker or with a MANIFEST.csv.
        noise: environmental noise.
        rirs: measured responses with a MANIFEST.csv, of which further places are put together.
        bank: responses of all places, made where it is missing; None is bank.npz in the folder of the run.
        weights: what a new run begins with; None begins afresh.
    """

    speech: Path | None = None
    noise: Path | None = None
    rirs: Path | None = None
    bank: Path | None = None
    weights: Path | None = None


@dataclass(frozen=True)
class TrainingConfig:
    """All settings of a training run.

    Attributes:
        name: of the model; the trained weights are NAME.weights.h5.
        network: its shape.
        scenes: what the stages have in common.
        stages: the scenes of each stage of the curriculum, complete.
    """

    name: str
    network: NetworkConfig
    rooms: RoomsConfig
    scenes: Recipe
    stages: tuple[Recipe, ...]
    curriculum: CurriculumConfig
    training: StepConfig
    schedule: ScheduleConfig
    optimiser: OptimiserConfig
    loss: LossConfig
    validation: ValidationConfig
    machine: MachineConfig
    data: DataConfig

    def __post_init__(self) -> None:
        """Refuse stages without a beginning, and a name that no file can have."""
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", self.name):
            raise ValueError(f"name = {self.name!r}: letters, digits, '.', '_' and '-' make a name")
        begins = self.curriculum.begins
        if len(begins) != len(self.stages) or begins[0] != 0:
            raise ValueError(
                f"curriculum.begins = {list(begins)}: a step for each of the {len(self.stages)} stages, "
                "0 for the first"
            )

    def scenes_at(self, step: int) -> Recipe:
        """Return the scenes of a step."""
        return self.stages[bisect_right(self.curriculum.begins, step) - 1]

    @property
    def reached(self) -> list[Recipe]:
        """The stages that the run comes to."""
        begins = (0, *(step for step in self.curriculum.begins if step < self.schedule.steps))
        return [self.scenes_at(step) for step in dict.fromkeys(begins)]


def read_config(
    file: str | Path, changes: Sequence[str] = (), paths: dict[str, Path | None] | None = None
) -> TrainingConfig:
    """Read the settings of a run.

    Args:
        file: TOML, or the name of a bundled configuration.
        changes: `TABLE.KEY=VALUE` over them, as of `--set`.
        paths: of `DataConfig` over all of that, where they are not None.

    Raises:
        DssError: a file cannot be read.
        UsageError: a setting is unknown, missing, of a wrong type or out of range.
    """
    layers = read_layers(TrainingConfig, file, CONFIGS)
    for change in changes:
        layers.set(change)
    _anchor(layers)
    layers.put({"data": {key: str(path) for key, path in (paths or {}).items() if path}}, "the command line")
    layers.values.setdefault("name", find_settings(file, CONFIGS).stem)
    _spread(layers)
    return build_settings(TrainingConfig, layers)


def _anchor(layers: Layers) -> None:
    """Let the paths of a file start at its folder."""
    data = layers.values.get("data", {})
    for key, path in data.items() if isinstance(data, dict) else ():
        origin = layers.origin(f"data.{key}")
        if isinstance(path, str) and not origin.startswith("--set "):
            data[key] = os.path.normpath(Path(origin).parent / path)


def _spread(layers: Layers) -> None:
    """Complete each stage by the scenes that all have in common."""
    common, stages = layers.values.get("scenes", {}), layers.values.get("stages", [])
    if not isinstance(common, dict) or not isinstance(stages, list) or not stages:
        return
    for key in common:
        changed = layers.origins.get(f"scenes.{key}", "")
        own = [str(i) for i, stage in enumerate(stages) if isinstance(stage, dict) and key in stage]
        if own and changed.startswith("--set "):
            raise UsageError(
                f"{changed}: the stages {', '.join(own)} say otherwise; --set stages.{own[0]}.{key}=VALUE"
            )
    for i, stage in enumerate(stages):
        for key in common:
            layers.origins.setdefault(f"stages.{i}.{key}", layers.origin(f"scenes.{key}"))
        if isinstance(stage, dict):
            stages[i] = merged(common, stage, Recipe)
