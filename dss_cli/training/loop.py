"""The training loop: prefetch, step, average the weights, validate, checkpoint. Resumes where it stopped."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..errors import DssError
from ..network import build, configuration
from ..network.widen import Beginning, begin_with
from ..publish import write_files
from ..signal import STEMS
from .data import Sources, batch
from .losses import separation_loss
from .optimiser import ConvolutionMuon
from .recipes import recipe_at
from .schedule import WarmHoldCosine
from .validation import Validation

EVERY = 4  # steps between two samples of the weights for their average


@dataclass(frozen=True)
class Settings:
    """One run, but for the data. Steps are optimiser steps."""

    configuration: str
    seed: int = 1
    batch: int = 4
    peak: float = 1.5e-3
    warmup: int = 200
    hold: int = 4000
    total: int = 6000
    decay: float = 1e-2
    clip: float = 1.0
    average: float = 0.999  # per step, of the exponential moving average
    curriculum: tuple[int, int] = (1000, 3000)  # steps at which the recipe widens
    validate_every: int = 500
    save_every: int = 100
    near_ratio: float = 1.0  # weight of the near output's ratio in the loss; the far output's is 1
    precision: str = "float32"  # of Keras: "mixed_bfloat16" computes in half the width, keeps weights whole


class Run:
    """A network, its optimiser and the average of its weights, in a folder that a run can be resumed from."""

    def __init__(self, settings: Settings, folder: Path, weights: Path | None = None):
        self.settings, self.folder = settings, folder
        keras.utils.set_random_seed(settings.seed)
        keras.config.set_dtype_policy(settings.precision)
        self.config = configuration(settings.configuration)
        self.network = build(self.config)
        self.beginning = Beginning(None, [], [])
        if weights is not None and not self._checkpoint.exists():
            self.beginning = begin_with(self.network, weights, settings.configuration)
        self.network.compile(
            ConvolutionMuon(
                WarmHoldCosine(settings.peak, settings.warmup, settings.hold, settings.total),
                weight_decay=settings.decay,
                adam_weight_decay=settings.decay,
                global_clipnorm=settings.clip,
            ),
            loss={
                stem: separation_loss(self.config.signal.exponent, weight)
                for stem, weight in zip(STEMS, (settings.near_ratio, 1.0), strict=True)
            },
            jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
        )
        self._twin = build(self.config)
        self.network.optimizer.build(self.network.trainable_variables)
        # The losses' trackers are variables: made by the first step, they would have it traced twice.
        nothing = {stem: np.zeros((1, 1, 1, 4), np.float32) for stem in STEMS}
        self.network.compute_loss(y=nothing, y_pred={k: v[..., :2] for k, v in nothing.items()})
        self.step = 0
        self.average = [np.array(w) for w in self.network.get_weights()]
        if self._checkpoint.exists():
            self._load()

    @property
    def _checkpoint(self) -> Path:
        return self.folder / "checkpoint.npz"

    @property
    def hours(self) -> float:
        """Audio seen so far, in hours."""
        return self.step * self.settings.batch * self.config.signal.chunk_seconds / 3600

    def save(self) -> None:
        """Write everything that a resumed run needs."""
        state: dict[str, Any] = {"step": np.array(self.step)}
        groups = (self.network.get_weights(), self.average, self._optimizer_state())
        for name, values in zip(("weight", "average", "optimizer"), groups, strict=True):
            state |= {f"{name}{i}": value for i, value in enumerate(values)}
        write_files({self._checkpoint: partial(np.savez, **state)})

    def _load(self) -> None:
        with np.load(self._checkpoint) as data:
            groups = [
                [data[f"{name}{i}"] for i in range(sum(k.startswith(name) for k in data))]
                for name in ("weight", "average", "optimizer")
            ]
            step = int(data["step"])
        current = [self.network.get_weights(), self.average, self._optimizer_state()]
        shapes = [[np.shape(v) for v in group] for group in (*groups, *current)]
        if shapes[:3] != shapes[3:]:
            raise DssError(
                f"{self._checkpoint}: from another configuration than "
                f"{self.settings.configuration!r}; name another --output folder"
            )
        self.network.set_weights(groups[0])
        self.average = groups[1]
        for variable, value in zip(self.network.optimizer.variables, groups[2], strict=True):
            variable.assign(value)
        self.step = step

    def _optimizer_state(self) -> list[Any]:
        return [keras.ops.convert_to_numpy(v) for v in self.network.optimizer.variables]

    def averaged(self) -> keras.Model:
        """A network with the averaged weights, the same object at each call."""
        self._twin.set_weights(self.average)
        return self._twin

    def advance(self, inputs: Any, targets: Any) -> dict[str, float]:
        """One optimiser step; the losses.

        Raises:
            DssError: the loss is not a number; the last checkpoint stays as it is.
        """
        losses = self.network.train_on_batch(inputs, targets, return_dict=True)
        losses = {k: float(v) for k, v in losses.items()}
        if not np.isfinite(losses["loss"]):
            raise DssError(
                f"the loss is {losses['loss']} at step {self.step}; "
                f"the last good checkpoint is {self._checkpoint}"
            )
        self.step += 1
        if self.step % EVERY == 0:
            keep = min(self.settings.average, (1 + self.step) / (10 + self.step)) ** EVERY
            for mean, weight in zip(self.average, self.network.get_weights(), strict=True):
                mean *= keep
                mean += (1 - keep) * weight
        return losses


def train(
    settings: Settings,
    sources: Sources,
    folder: Path,
    validation: Validation | None = None,
    weights: Path | None = None,
    report: Callable[[dict[str, Any]], None] = lambda row: None,
    mixers: int = 1,
) -> Run:
    """Train to `settings.total` steps, from the folder's checkpoint where there is one.

    A new run begins with `weights`, where they are given, or afresh.

    `mixers` threads render the batches ahead; which they are does not depend on how many.

    Each report is also a line of `log.jsonl`: step, hours of audio, audio seconds per second, losses, scores.

    Raises:
        DssError: a checkpoint or weights of another configuration, a loss that is not a number.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(settings, folder, weights)
    signal = run.config.signal
    seen: list[dict[str, float]] = []
    started, last = time.monotonic(), run.step

    def draw(step: int) -> Any:
        return batch(
            sources,
            recipe_at(step, settings.curriculum),
            signal,
            settings.batch,
            [settings.seed, step],
        )

    def tell(row: dict[str, Any]) -> None:
        with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")
        report(row)

    tell(
        {
            "step": run.step,
            "settings": asdict(settings),
            "parameters": run.network.count_params(),
            **run.beginning._asdict(),
        }
    )
    with ThreadPoolExecutor(mixers) as pool:
        coming = deque(pool.submit(draw, run.step + i) for i in range(mixers))
        while run.step < settings.total:
            inputs, targets = coming.popleft().result()
            coming.append(pool.submit(draw, run.step + mixers))
            seen.append(run.advance(inputs, targets))
            if run.step % settings.save_every == 0 or run.step == settings.total:
                elapsed = time.monotonic() - started
                audio = (run.step - last) * settings.batch * signal.chunk_seconds
                row = {k: round(float(np.mean([s[k] for s in seen])), 4) for k in seen[0]}
                run.save()
                tell(
                    {
                        "step": run.step,
                        "hours": round(run.hours, 3),
                        "speed": round(audio / elapsed, 2),
                        **row,
                    }
                )
                seen, started, last = [], time.monotonic(), run.step
            if validation and (run.step % settings.validate_every == 0 or run.step == settings.total):
                tell({"step": run.step, "scores": validation.score(run.averaged())})
                started, last = time.monotonic(), run.step
    return run
