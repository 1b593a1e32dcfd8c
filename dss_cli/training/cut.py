"""How the audio of a step is cut: into scenes of some segments, each heard in chunks that share context.

A segment is as long as the model's chunk; a step has a fixed number of them, whatever their scenes. Short
chunks make the same weights serve a live mode.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ..constants import SignalConfig

SEGMENTS = (2, 4, 8)  # of a scene: 6, 12 or 24 s in chunks of 3 s
CHUNKS = {1: 0.7, 2: 0.1, 4: 0.15, 12: 0.05}  # how often a chunk is that part of a segment: 3 to 0.25 s
WHOLE = 0.6  # share of the scenes in chunks of a segment that are heard as a whole, as a recording is


@dataclass(frozen=True)
class Cut:
    """What the scenes of one step have in common.

    Attributes:
        scenes: how many.
        chunks: of each scene.
        frames: of each chunk.
        whole: (scenes,) float32, 1 where every chunk sees the whole scene, 0 where it sees the past.
    """

    scenes: int
    chunks: int
    frames: int
    whole: NDArray[np.float32]

    def samples(self, signal: SignalConfig) -> int:
        """Samples under the frames of one scene."""
        return (self.chunks * self.frames - 1) * signal.hop + signal.window


def takes_scenes(network: keras.Model) -> bool:
    """Whether a network hears whole scenes (`build_for_scenes`), or chunks alone (`build`)."""
    return isinstance(network.input, dict) and "scenes" in network.input


def inputs_of(network: keras.Model, mixture: Any, cut: Cut, whole: Any = None) -> Any:
    """What a network takes of the spectra of scenes (scenes, frames, bins, 3).

    Args:
        network: of `build` or `build_for_scenes`.
        mixture: an array, or a tensor while a graph is built.
        cut: of the scenes.
        whole: instead of the cut's.
    """
    if not takes_scenes(network):
        return mixture
    scenes = _reshape(mixture, (cut.scenes, cut.chunks, cut.frames, *mixture.shape[2:]))
    return {"scenes": scenes, "whole": cut.whole if whole is None else whole}


def in_segments(targets: dict[str, Any], signal: SignalConfig) -> dict[str, Any]:
    """Targets of scenes (scenes, frames, bins, 4) as the loss takes them, (segments, frames, bins, 4)."""
    return {
        stem: _reshape(target, (-1, signal.frames, *target.shape[2:])) for stem, target in targets.items()
    }


def _reshape(values: Any, shape: tuple[int, ...]) -> Any:
    return (np.reshape if isinstance(values, np.ndarray) else keras.ops.reshape)(values, shape)


def draw_cut(rng: np.random.Generator, segments: int, signal: SignalConfig) -> Cut:
    """Draw how a step of `segments` is cut; only what divides evenly is drawn."""
    lengths = [n for n in SEGMENTS if segments % n == 0] or [segments]
    length = int(rng.choice(lengths))
    total = length * signal.frames
    parts = [p for p in CHUNKS if total % max(1, round(signal.frames / p)) == 0]
    shares = np.array([CHUNKS[p] for p in parts])
    part = int(rng.choice(parts, p=shares / shares.sum()))
    frames = max(1, round(signal.frames / part))
    scenes = segments // length
    heard_whole = rng.uniform(size=scenes) < WHOLE if part == 1 else np.zeros(scenes)
    return Cut(scenes, total // frames, frames, heard_whole.astype(np.float32))


def whole_scenes(scenes: int, segments: int, signal: SignalConfig) -> Cut:
    """Scenes of `segments` chunks, each of which sees the whole scene."""
    return Cut(scenes, segments, signal.frames, np.ones(scenes, np.float32))
