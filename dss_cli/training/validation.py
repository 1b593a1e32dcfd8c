"""Validation: scores of the network on a fixed set of mixed scenes during training."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from ..constants import STEMS, SignalConfig
from ..metrics import attenuation, si_sdr
from ..network.config import NetworkConfig
from ..separation.stft import StreamingISTFT, compress, decompress
from ..simulation.mixing import Scene
from ..simulation.recipe import Recipe
from .cut import inputs_of, whole_scenes
from .data import Sources, chunk_length, spectra

STRATA = {  # name: kind, share of outdoor scenes, signal-to-noise ratio in dB
    "indoor 1N+1F 20 dB": ("1N+1F", 0.0, 20.0),
    "outdoor 1N+1F 20 dB": ("1N+1F", 1.0, 20.0),
    "indoor near-only": ("near-only", 0.0, 20.0),
    "indoor far-only": ("far-only", 0.0, 20.0),
}


@dataclass(frozen=True)
class Validation:
    """Validation scenes by stratum, each one chunk long."""

    signal: SignalConfig
    scenes: dict[str, list[Scene]]

    @classmethod
    def draw(cls, sources: Sources, config: NetworkConfig, count: int, seed: int) -> Validation:
        """Draw `count` scenes per stratum, as a function of the seed."""
        signal = config.signal
        length = chunk_length(signal)
        scenes = {}
        for number, (name, (kind, outdoor, snr)) in enumerate(STRATA.items()):
            recipe = Recipe({kind: 1.0}, outdoor=outdoor, clean=0.0, snr=(snr, snr), free_gain=0.0)
            scenes[name] = [
                sources.scene(np.random.default_rng([seed, number, i]), recipe, length) for i in range(count)
            ]
        return cls(signal, scenes)

    def score(self, network: keras.Model) -> dict[str, dict[str, float]]:
        """Return the medians of the scores of `rows` per stratum."""
        return {
            name: {figure: float(np.median([row[figure] for row in rows])) for figure in rows[0]}
            for name, rows in self.rows(network).items()
        }

    def rows(self, network: keras.Model, batch: int = 4) -> dict[str, list[dict[str, float]]]:
        """Return the scores of each scene per stratum, in dB.

        The scores are SI-SDR and its improvement, or the attenuation of an output whose reference is silent.

        Args:
            network: Keras model with the same signal configuration.
            batch: scenes per run of the network.
        """
        result = {}
        for name, scenes in self.scenes.items():
            rows = []
            for first in range(0, len(scenes), batch):
                group = scenes[first : first + batch]
                mixture = spectra(np.stack([s.mixture for s in group]), self.signal)
                estimates = self._estimates(network, compress(mixture, self.signal.exponent))
                for i, scene in enumerate(group):
                    near, far = (self._samples(estimates[k][i]) for k in STEMS)
                    rows.append(self._row(scene, near, far))
            result[name] = rows
        return result

    def _estimates(self, network: keras.Model, mixture: Samples) -> dict[str, Samples]:
        """Estimate near and far (size, frames, bins, 2) from (size, frames, bins, 3), with whole context."""
        size, frames, bins, _ = mixture.shape
        cut = whole_scenes(size, frames // self.signal.frames, self.signal)
        estimates = network.predict_on_batch(inputs_of(network, mixture, cut))
        return {stem: np.reshape(estimates[stem], (size, frames, bins, 2)) for stem in STEMS}

    def _row(self, scene: Scene, near: Samples, far: Samples) -> dict[str, float]:
        inner = slice(self.signal.window, len(scene.mixture) - self.signal.window)
        mixture = scene.mixture[inner]
        row = {}
        for name, estimate in (("near", near[inner]), ("far", far[inner])):
            reference = getattr(scene, name)[inner]
            if np.any(reference):
                row[f"{name}_si_sdr"] = si_sdr(estimate, reference)
                row[f"{name}_si_sdri"] = row[f"{name}_si_sdr"] - si_sdr(mixture, reference)
            else:
                row[f"{name}_attenuation"] = attenuation(mixture, estimate)
        return row

    def _samples(self, compressed: NDArray[np.float32]) -> Samples:
        linear = decompress(np.asarray(compressed), self.signal.exponent)
        full = np.pad(linear, ((0, 0), (0, 1)))  # the Nyquist bin is not scored
        synthesis = StreamingISTFT(self.signal)
        lead = np.zeros((self.signal.window // self.signal.hop - 1, full.shape[1]), np.complex64)
        samples = np.concatenate([synthesis.push(full), synthesis.push(lead)])
        # Streaming frames begin window - hop before the first sample; these frames begin with it.
        return np.pad(samples, (self.signal.window - self.signal.hop, 0))


Samples = NDArray[np.float32]
