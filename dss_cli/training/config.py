"""Settings of a training run, read from TOML: network, rooms, scenes, schedule, loss."""

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

Metres = Annotated[tuple[float, float], Bounds(0.05, 18)]  # outdoor places end at 20 m
LAST_THRESHOLD = 5.0  # largest allowed start of the far distances in metres, so that rooms can contain them


@dataclass(frozen=True)
class RoomsConfig:
    """Settings of the simulated places, whose responses form a bank.

    Attributes:
        places: number of places; a third are outdoors. Validation has an eighth as many, different places.
        near, far: (least, most) distance of a near and of a far talker in metres; in rooms far ends at 6 m.
        protocol: protocol of the simulation, see docs/experiments/02-rooms.md.
    """

    places: Annotated[int, Bounds(2)] = 900
    near: Metres = NEAR
    far: Metres = FAR_OUTDOOR
    protocol: Literal[1, 2] = 2

    def __post_init__(self) -> None:
        """Raise ValueError for distances too long for rooms, and for overlapping near and far distances."""
        if self.far[0] > LAST_THRESHOLD:
            raise ValueError(f"far begins at {self.far[0]:g} m; rooms allow at most {LAST_THRESHOLD:g} m")
        if self.near[1] > self.far[0]:
            raise ValueError(f"near ends at {self.near[1]:g} m, after far begins at {self.far[0]:g} m")


@dataclass(frozen=True)
class CurriculumConfig:
    """Curriculum of the scenes.

    Attributes:
        begins: step at which each stage begins; a stage that begins at the same step as the next is skipped.
    """

    begins: Annotated[tuple[int, ...], Bounds(0)] = (0,)


@dataclass(frozen=True)
class StepConfig:
    """Settings of the training steps.

    Attributes:
        seed: seed of all random numbers.
        batch: segments per step, each as long as a chunk of the network; a scene has one or several segments.
        segments: segments per scene; each step draws one of these numbers that divides the batch. A number
            that is listed twice is drawn twice as often.
        whole: share of the scenes of whole-segment chunks whose context is the whole scene, as for a file;
            the context of the other scenes is the past.
        voices: additional voices made from each talker by vocal tract length perturbation
            (`simulation/vtlp.py`).
        precision: dtype policy of Keras; mixed_bfloat16 computes in bfloat16 and keeps float32 weights.
        mixing: place where scenes are mixed: threads of the `host`, or the step on the accelerator
            (`device`).
        save_every: steps between checkpoints.
    """

    seed: Count = 1
    batch: Positive = 8
    segments: Annotated[tuple[int, ...], Bounds(1)] = (2, 4, 8)
    whole: Share = 0.6
    voices: Count = 0
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    mixing: Literal["host", "device"] = "host"
    save_every: Positive = 100


@dataclass(frozen=True)
class ScheduleConfig:
    """Schedule of the learning rate.

    Attributes:
        peak: highest learning rate.
        warmup: steps of the rise to the peak.
        hold: step at which the decay begins.
        steps: total number of optimiser steps.
    """

    peak: Weight = 1.2e-3
    warmup: Count = 300
    hold: Count = 6650
    steps: Positive = 9500

    def __post_init__(self) -> None:
        """Raise ValueError if the decay begins after the last step."""
        if self.hold > self.steps:
            raise ValueError(f"hold = {self.hold} lies after the last step, steps = {self.steps}")


@dataclass(frozen=True)
class OptimiserConfig:
    """Settings of the optimiser.

    Attributes:
        decay: weight decay.
        clip: largest global norm of the gradients.
        average: decay per step of the exponential moving average of the weights; the average is exported.
    """

    decay: Weight = 1e-2
    clip: Weight = 1.0
    average: Share = 0.999


@dataclass(frozen=True)
class LossConfig:
    """Weights of the terms of the loss, relative to the terms of the compressed spectra.

    Attributes:
        near_ratio, far_ratio: weight of the scale-invariant signal-to-noise ratio of each output.
    """

    near_ratio: Weight = 1.0
    far_ratio: Weight = 1.0


@dataclass(frozen=True)
class ValidationConfig:
    """Settings of the validation on a fixed set of scenes.

    Attributes:
        scenes: number of scenes in each stratum; 0 disables validation.
        every: steps between validations.
    """

    scenes: Count = 24
    every: Positive = 400


@dataclass(frozen=True)
class MachineConfig:
    """Use of the machine; results do not depend on these settings.

    Attributes:
        jobs: number of processes that simulate rooms.
        mixers: number of threads that mix scenes ahead of the step.
        devices: number of devices that share each batch, only with JAX; None: as Keras's backend chooses.
    """

    jobs: Positive = 2
    mixers: Positive = 1
    devices: Positive | None = None


@dataclass(frozen=True)
class DataConfig:
    """Paths of the data. A path in a file is relative to the file's folder, an option to the current folder.

    Attributes:
        speech: folder of dry speech, with a subfolder for each talker or a MANIFEST.csv.
        noise: folder of environmental noise.
        rirs: folder of measured responses with a MANIFEST.csv, from which additional places are composed.
        bank: file with the responses of all places, created if missing; None: bank.npz in the run's folder.
        weights: initial weights of a new run; None: random weights.
    """

    speech: Path | None = None
    noise: Path | None = None
    rirs: Path | None = None
    bank: Path | None = None
    weights: Path | None = None


@dataclass(frozen=True)
class TrainingConfig:
    """Complete settings of a training run.

    Attributes:
        name: name of the model; the trained weights are written to NAME.weights.h5.
        network: configuration of the network.
        scenes: common settings of the scenes of all stages.
        stages: complete settings of the scenes of each stage of the curriculum.
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
        """Raise ValueError if a stage has no first step, or if the name is unsuitable for a file."""
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", self.name):
            raise ValueError(f"name = {self.name!r}: a name has letters, digits, '.', '_' and '-'")
        begins = self.curriculum.begins
        if len(begins) != len(self.stages) or begins[0] != 0:
            raise ValueError(
                f"curriculum.begins = {list(begins)}: one step for each of the {len(self.stages)} stages, "
                "0 for the first"
            )

    def scenes_at(self, step: int) -> Recipe:
        """Return the settings of the scenes at a step."""
        return self.stages[bisect_right(self.curriculum.begins, step) - 1]

    @property
    def reached(self) -> list[Recipe]:
        """Stages that the run reaches before its last step."""
        begins = (0, *(step for step in self.curriculum.begins if step < self.schedule.steps))
        return [self.scenes_at(step) for step in dict.fromkeys(begins)]


def read_config(
    file: str | Path, changes: Sequence[str] = (), paths: dict[str, Path | None] | None = None
) -> TrainingConfig:
    """Read the settings of a run.

    Args:
        file: path of a TOML file, or name of a bundled configuration.
        changes: changes `TABLE.KEY=VALUE` by `--set`, applied on top.
        paths: values for `DataConfig`, applied last; None leaves a setting unchanged.

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
    """Make the paths of a file relative to its folder."""
    data = layers.values.get("data", {})
    for key, path in data.items() if isinstance(data, dict) else ():
        origin = layers.origin(f"data.{key}")
        if isinstance(path, str) and not origin.startswith("--set "):
            data[key] = os.path.normpath(Path(origin).parent / path)


def _spread(layers: Layers) -> None:
    """Complete each stage with the common settings of the scenes."""
    common, stages = layers.values.get("scenes", {}), layers.values.get("stages", [])
    if not isinstance(common, dict) or not isinstance(stages, list) or not stages:
        return
    for key in common:
        changed = layers.origins.get(f"scenes.{key}", "")
        own = [str(i) for i, stage in enumerate(stages) if isinstance(stage, dict) and key in stage]
        if own and changed.startswith("--set "):
            raise UsageError(
                f"{changed}: the stages {', '.join(own)} have other values; --set stages.{own[0]}.{key}=VALUE"
            )
    for i, stage in enumerate(stages):
        for key in common:
            layers.origins.setdefault(f"stages.{i}.{key}", layers.origin(f"scenes.{key}"))
        if isinstance(stage, dict):
            stages[i] = merged(common, stage, Recipe)
