"""Division of a step's audio into scenes of several segments, and of scenes into chunks with shared context.

A segment is as long as the model's chunk. A step has a fixed number of segments, however they are grouped
into scenes. Short chunks train the same weights for live use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ..constants import SignalConfig
from .config import StepConfig

CHUNKS = {1: 0.6, 2: 0.1, 4: 0.15, 12: 0.15}  # chunks per segment (3 to 0.25 s) and their frequency


@dataclass(frozen=True)
class Cut:
    """Common layout of the scenes of one step.

    Attributes:
        scenes: number of scenes.
        chunks: chunks per scene.
        frames: frames per chunk.
        whole: (scenes,) float32, 1 for context of the whole scene, 0 for context of the past.
    """

    scenes: int
    chunks: int
    frames: int
    whole: NDArray[np.float32]

    def samples(self, signal: SignalConfig) -> int:
        """Return the number of samples that the frames of one scene cover."""
        return (self.chunks * self.frames - 1) * signal.hop + signal.window


def takes_scenes(network: keras.Model) -> bool:
    """Return whether a network takes whole scenes (`build_for_scenes`) or single chunks (`build`)."""
    return isinstance(network.input, dict) and "scenes" in network.input


def inputs_of(network: keras.Model, mixture: Any, cut: Cut, whole: Any = None) -> Any:
    """Return the inputs of a network for the spectra of scenes.

    Args:
        network: network from `build` or `build_for_scenes`.
        mixture: compressed spectra (scenes, frames, bins, 3), an array or a Keras tensor.
        cut: layout of the scenes.
        whole: replacement of `cut.whole`, None for `cut.whole` itself.
    """
    if not takes_scenes(network):
        return mixture
    scenes = _reshape(mixture, (cut.scenes, cut.chunks, cut.frames, *mixture.shape[2:]))
    return {"scenes": scenes, "whole": cut.whole if whole is None else whole}


def in_segments(targets: dict[str, Any], signal: SignalConfig) -> dict[str, Any]:
    """Divide the targets of scenes (scenes, frames, bins, 4) into segments (segments, frames, bins, 4)."""
    return {
        stem: _reshape(target, (-1, signal.frames, *target.shape[2:])) for stem, target in targets.items()
    }


def _reshape(values: Any, shape: tuple[int, ...]) -> Any:
    return (np.reshape if isinstance(values, np.ndarray) else keras.ops.reshape)(values, shape)


def draw_cut(rng: np.random.Generator, step: StepConfig, signal: SignalConfig) -> Cut:
    """Draw the layout of a step, among the numbers of segments per scene that divide the batch evenly."""
    segments = step.batch
    lengths = [n for n in step.segments if segments % n == 0] or [segments]
    length = int(rng.choice(lengths))
    total = length * signal.frames
    parts = [p for p in CHUNKS if total % max(1, round(signal.frames / p)) == 0]
    shares = np.array([CHUNKS[p] for p in parts])
    part = int(rng.choice(parts, p=shares / shares.sum()))
    frames = max(1, round(signal.frames / part))
    scenes = segments // length
    heard_whole = rng.uniform(size=scenes) < step.whole if part == 1 else np.zeros(scenes)
    return Cut(scenes, total // frames, frames, heard_whole.astype(np.float32))


def whole_scenes(scenes: int, segments: int, signal: SignalConfig) -> Cut:
    """Return the layout of scenes of `segments` chunks with context of the whole scene."""
    return Cut(scenes, segments, signal.frames, np.ones(scenes, np.float32))
