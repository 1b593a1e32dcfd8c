"""Training loop: prefetch, step, average weights, validate, checkpoint; an interrupted run is resumed."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..constants import STEMS
from ..errors import DssError
from ..network import build, build_for_scenes, has_context
from ..network.weights import Beginning, begin_with
from ..simulation.corpus import DAMAGED
from ..simulation.vtlp import with_more_voices
from ..utils.atomic_write import write_files
from ..utils.toml_text import to_table
from .config import TrainingConfig
from .cut import Cut, draw_cut, inputs_of, takes_scenes, whole_scenes
from .data import Sources, examples
from .device_batches import Desk
from .device_mixing import MixedTraining, Mixing
from .distribution import data_parallel
from .losses import separation_loss
from .optimiser import ConvolutionMuon
from .schedule import WarmHoldCosine
from .validation import Validation

GROUPS = ("weight", "average", "optimizer")  # groups of arrays in a checkpoint
CUTS = 1_000_000  # last number of the seed of a step's layout; for scenes, it is the index of the scene
EVERY = 4  # steps between two updates of the averaged weights


class TrainingRun:
    """Network, optimiser and averaged weights of a run, with a folder from which the run can be resumed."""

    def __init__(
        self,
        config: TrainingConfig,
        folder: Path,
        sources: Sources | None = None,
    ):
        """Resume the run in `folder`, or begin a new one.

        Args:
            config: settings of the run, which may name initial weights.
            folder: folder of the run.
            sources: material of the scenes, required for mixing on the device, which copies it.

        Raises:
            DssError: the checkpoint or the weights belong to another configuration, or there are too few
                devices.
        """
        self.config, self.folder = config, folder
        self.signal = config.network.signal
        self._distribution = (
            None
            if config.machine.devices is None
            else data_parallel(config.machine.devices, config.training.batch)
        )
        keras.utils.set_random_seed(config.training.seed)
        keras.config.set_dtype_policy(config.training.precision)
        self.beginning = Beginning([], [])
        self.desk: Desk | None = None
        self.step = 0
        with self._shared():
            self.network = self._build()
            if config.data.weights is not None and not self._checkpoint.exists():
                self.beginning = begin_with(self.network, config.data.weights, config.name)
            self._trained = self.network
            if config.training.mixing == "device":
                if sources is None:
                    raise ValueError("scenes mixed on the device need the sources")
                self._cut = self._whole_scenes()
                self.desk = Desk(sources, self.signal, self._cut.samples(self.signal))
                self._trained = MixedTraining.of(self.network, Mixing(self.desk), self._cut)
            self._compile()
        self._twin = self._build()  # on one device, as validation has batches of any size
        self.average = [np.array(w) for w in self.network.get_weights()]
        if self._checkpoint.exists():
            self._load()

    def _build(self) -> keras.Model:
        network = self.config.network
        return build_for_scenes(network) if has_context(network) else build(network)

    def _whole_scenes(self) -> Cut:
        """Return the layout of scenes mixed on the device; its shapes are compiled, so all steps share it."""
        segments = 4 if takes_scenes(self.network) and self.config.training.batch % 4 == 0 else 1
        return whole_scenes(self.config.training.batch // segments, segments, self.signal)

    def _shared(self) -> AbstractContextManager[Any]:
        """Return the context in which batches and weights are distributed, if the settings request it."""
        return self._distribution.scope() if self._distribution else nullcontext()

    def _compile(self) -> None:
        schedule, optimiser, loss = self.config.schedule, self.config.optimiser, self.config.loss
        trained, signal = self._trained, self.signal
        trained.compile(
            ConvolutionMuon(
                WarmHoldCosine(schedule.peak, schedule.warmup, schedule.hold, schedule.steps),
                weight_decay=optimiser.decay,
                adam_weight_decay=optimiser.decay,
                global_clipnorm=optimiser.clip,
            ),
            loss={
                stem: separation_loss(signal.exponent, weight)
                for stem, weight in zip(STEMS, (loss.near_ratio, loss.far_ratio), strict=True)
            },
            jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
        )
        trained.optimizer.build(trained.trainable_variables)
        # Create the loss trackers now: variables created in the first step would cause a second trace.
        targets = {stem: np.zeros((1, signal.frames, 1, 4), np.float32) for stem in STEMS}
        estimates = {
            name: np.zeros((1, *output.shape[1:]), np.float32) for name, output in self.network.output.items()
        }
        mixed = {"estimates": estimates, "targets": targets}
        trained.compute_loss(y=targets, y_pred=mixed if self.desk else estimates)

    @property
    def _checkpoint(self) -> Path:
        return self.folder / "checkpoint.npz"

    @property
    def hours(self) -> float:
        """Audio used so far, in hours."""
        return self.step * self.config.training.batch * self.signal.chunk_seconds / 3600

    def save(self) -> None:
        """Write a checkpoint with all that a resumed run needs.

        Raises:
            DssError: the checkpoint cannot be written, or weights are not finite; the last checkpoint is
                kept.
        """
        state: dict[str, Any] = {"step": np.array(self.step)}
        groups = (self.network.get_weights(), self.average, self._optimizer_state())
        if not all(np.isfinite(value).all() for values in groups for value in values):
            # The loss is computed before the weights change, so it would reveal this one step too late.
            raise DssError(f"weights are not finite after step {self.step}; {self._kept()}")
        for name, values in zip(GROUPS, groups, strict=True):
            state |= {f"{name}{i}": value for i, value in enumerate(values)}
        try:
            write_files({self._checkpoint: partial(np.savez, **state)})
        except DssError as error:
            raise DssError(f"{error}; {self._kept()}") from error

    def _kept(self) -> str:
        """Return the advice for a run that ends now: its last good checkpoint, if there is one."""
        if self._checkpoint.exists():
            return f"the last good checkpoint is {self._checkpoint}, and the same command continues from it"
        return "there is no checkpoint yet"

    def _load(self) -> None:
        try:
            with np.load(self._checkpoint) as data:
                groups = [
                    [data[f"{name}{i}"] for i in range(sum(k.startswith(name) for k in data))]
                    for name in GROUPS
                ]
                step = int(data["step"])
        except DAMAGED as error:
            raise DssError(
                f"{self._checkpoint}: not a checkpoint, or a damaged one; delete it to start the run again"
            ) from error
        current = [self.network.get_weights(), self.average, self._optimizer_state()]
        shapes = [[np.shape(v) for v in group] for group in (*groups, *current)]
        if shapes[: len(GROUPS)] != shapes[len(GROUPS) :]:
            raise DssError(
                f"{self._checkpoint}: from another configuration than {self.config.name!r}; name another RUN"
            )
        self.network.set_weights(groups[0])
        self.average = groups[1]
        for variable, value in zip(self._trained.optimizer.variables, groups[2], strict=True):
            variable.assign(value)
        self.step = step

    def _optimizer_state(self) -> list[Any]:
        return [keras.ops.convert_to_numpy(v) for v in self._trained.optimizer.variables]

    def averaged(self) -> keras.Model:
        """Return a network with the averaged weights, the same object at each call."""
        self._twin.set_weights(self.average)
        return self._twin

    def batch(self, sources: Sources, step: int) -> tuple[Any, Any]:
        """Return the arguments of `advance` for a step: spectra, or the arrays that the device mixes."""
        recipe = self.config.scenes_at(step)
        seed = [self.config.training.seed, step]
        if self.desk:
            numbers = self.desk.numbers(self.desk.draws(recipe, self._cut.scenes, seed))
            share = self.config.training.whole
            heard_whole = np.random.default_rng([*seed, CUTS]).uniform(size=self._cut.scenes) < share
            return numbers | {"heard_whole": heard_whole.astype(np.float32)}, None
        signal, batch = self.signal, self.config.training.batch
        if takes_scenes(self.network):
            cut = draw_cut(np.random.default_rng([*seed, CUTS]), self.config.training, signal)
        else:
            cut = whole_scenes(batch, 1, signal)
        draws = sources.draws(recipe, signal, cut.scenes, seed, length=cut.samples(signal))
        inputs, targets = examples([sources.mix(*drawn) for drawn in draws], signal)
        targets = {
            stem: target.reshape(-1, signal.frames, *target.shape[2:]) for stem, target in targets.items()
        }
        return inputs_of(self.network, inputs, cut), targets

    def advance(self, inputs: Any, targets: Any) -> dict[str, float]:
        """Make one optimiser step; return the losses.

        Raises:
            DssError: the loss is not finite; the last checkpoint is kept.
        """
        with self._shared():
            losses = self._trained.train_on_batch(inputs, targets, return_dict=True)
        losses = {k: float(v) for k, v in losses.items()}
        if not np.isfinite(losses["loss"]):
            raise DssError(
                f"the loss is {losses['loss']} at step {self.step}; {self._kept()}; a lower schedule.peak"
                " may help"
            )
        self.step += 1
        if self.step % EVERY == 0:
            keep = min(self.config.optimiser.average, (1 + self.step) / (10 + self.step)) ** EVERY
            for mean, weight in zip(self.average, self.network.get_weights(), strict=True):
                mean *= keep
                mean += (1 - keep) * weight
        return losses


def append_line(path: Path, text: str) -> None:
    """Append a line to a file; if the last line is incomplete (by a full disk, for example), end it first.

    Raises:
        OSError: the file cannot be written.
    """
    with path.open("a+b") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
        cut = file.read() not in (b"", b"\n")
        file.write(b"\n" * cut + text.encode() + b"\n")


def train(
    config: TrainingConfig,
    sources: Sources,
    folder: Path,
    validation: Validation | None = None,
    report: Callable[[dict[str, Any]], None] = lambda row: None,
) -> TrainingRun:
    """Train to the last step of the schedule, starting from the folder's checkpoint if there is one.

    Threads prepare the batches ahead; the batches do not depend on the number of threads. Each report is also
    a line of `log.jsonl`: step, hours of audio, audio seconds per second, share of the time spent waiting for
    scenes, losses, scores.

    Args:
        config: settings of the run.
        sources: material of the scenes.
        folder: folder of the run, created if missing.
        validation: validation scenes, None for no validation.
        report: receives each report.

    Returns:
        The finished run.

    Raises:
        DssError: the checkpoint or the weights belong to another configuration, a loss is not finite, or a
            file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    training, last_step, mixers = config.training, config.schedule.steps, config.machine.mixers
    if training.voices:
        sources = replace(sources, speech=with_more_voices(sources.speech, training.voices, training.seed))
    run = TrainingRun(config, folder, sources)
    signal = run.signal
    seen: list[dict[str, float]] = []
    started, waited, last = time.monotonic(), 0.0, run.step

    def tell(row: dict[str, Any]) -> None:
        try:
            append_line(folder / "log.jsonl", json.dumps(row))
        except OSError as error:
            raise DssError(
                f"{folder / 'log.jsonl'}: cannot be written: {error.strerror}; {run._kept()}"
            ) from error
        report(row)

    tell(
        {
            "step": run.step,
            "settings": to_table(config),
            "parameters": run.network.count_params(),
            **run.beginning._asdict(),
        }
    )
    with ThreadPoolExecutor(mixers) as pool:
        coming = deque(pool.submit(run.batch, sources, run.step + i) for i in range(mixers))
        while run.step < last_step:
            asked = time.monotonic()
            inputs, targets = coming.popleft().result()
            waited += time.monotonic() - asked
            coming.append(pool.submit(run.batch, sources, run.step + mixers))
            seen.append(run.advance(inputs, targets))
            if run.step % training.save_every == 0 or run.step == last_step:
                elapsed = time.monotonic() - started
                audio = (run.step - last) * training.batch * signal.chunk_seconds
                row = {k: round(float(np.mean([s[k] for s in seen])), 4) for k in seen[0]}
                run.save()
                tell(
                    {
                        "step": run.step,
                        "hours": round(run.hours, 3),
                        "speed": round(audio / elapsed, 2),
                        "waiting": round(waited / elapsed, 3),
                        **row,
                    }
                )
                seen, started, waited, last = [], time.monotonic(), 0.0, run.step
            if validation and (run.step % config.validation.every == 0 or run.step == last_step):
                tell({"step": run.step, "scores": validation.score(run.averaged())})
                started, waited, last = time.monotonic(), 0.0, run.step
    return run
