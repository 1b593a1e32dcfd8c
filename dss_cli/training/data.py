"""Batches of training scenes as functions of (seed, step), so that a resumed run sees the same scenes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..constants import SignalConfig
from ..separation.stft import compress, root_hann
from ..simulation.corpus import Material
from ..simulation.mixing import Scene, mix
from ..simulation.recipe import Recipe
from ..simulation.rir_bank import Bank
from ..simulation.scene_sampling import Draw, draw, draw_kind, draw_snr

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Sources:
    """Material for scenes: speech, noise and a bank of responses."""

    speech: Material
    noise: Material | None
    bank: Bank

    def scene(self, rng: np.random.Generator, recipe: Recipe, length: int) -> Scene:
        """Draw and mix one scene of `length` samples."""
        return self.mix(*self.draw(rng, recipe, length))

    def draw(
        self, rng: np.random.Generator, recipe: Recipe, length: int, hiss: Array | None = None
    ) -> tuple[int, Draw]:
        """Draw one scene without mixing it.

        Args:
            rng: random generator.
            recipe: settings of the scenes.
            length: length of the scene in samples.
            hiss: long recording of the microphone's noise; with it, every scene has responses of the same
                length, as a compiled renderer requires.

        Returns:
            Index of the scene's place in the bank, and the drawn scene.
        """
        bank = self.bank
        outdoor = rng.uniform() < recipe.outdoor
        wanted = bank.outdoor == outdoor
        if bank.measured is not None and bank.measured.any() and not outdoor:
            wanted &= bank.measured == (rng.uniform() < recipe.measured)
        calm = wanted & (bank.rt60 <= recipe.rt60)  # a small bank may lack such dry rooms
        place = int(rng.choice(np.flatnonzero(calm if calm.any() else wanted)))
        _, sources, taps = bank.responses.shape
        if hiss is None:  # the place's longest response, for shorter transforms
            taps = min(bank.taps(place), OUTDOOR_TAPS if outdoor else taps)
        kind, snr_db = draw_kind(rng, recipe, outdoor), draw_snr(rng, recipe)
        count = (bank.near_sources, sources - bank.near_sources)
        return place, draw(rng, kind, recipe, count, taps, self.speech, self.noise, length, snr_db, hiss=hiss)

    def draws(
        self,
        recipe: Recipe,
        signal: SignalConfig,
        size: int,
        seed: Sequence[int],
        hiss: Array | None = None,
        length: int | None = None,
    ) -> list[tuple[int, Draw]]:
        """Draw a batch of `size` scenes, as a function of the seed; `length` is one chunk by default."""
        length = chunk_length(signal) if length is None else length
        return [self.draw(np.random.default_rng([*seed, i]), recipe, length, hiss) for i in range(size)]

    def mix(self, place: int, drawn: Draw) -> Scene:
        """Mix a drawn scene at a place of the bank."""
        responses = list(self.bank.responses[place, :, : drawn.taps])
        near, far = responses[: self.bank.near_sources], responses[self.bank.near_sources :]
        return mix(drawn, near, far, self.speech, self.noise)


OUTDOOR_TAPS = 1600  # covers the reflections of ground and facade


def chunk_length(signal: SignalConfig) -> int:
    """Return the number of samples that the frames of one chunk cover."""
    return (signal.frames - 1) * signal.hop + signal.window


def examples(scenes: Sequence[Scene], signal: SignalConfig) -> tuple[Array, dict[str, Array]]:
    """Return inputs and targets for scenes of equal length.

    Returns:
        Input of the network (size, frames, bins, 3), and for each output a target (size, frames, bins, 4):
        real and imaginary part of the reference's linear spectrum, then of the mixture's.
    """
    mixture, near, far = (
        spectra(np.stack([getattr(s, part) for s in scenes]), signal) for part in ("mixture", "near", "far")
    )
    return compress(mixture, signal.exponent), {
        "near": _target(near, mixture),
        "far": _target(far, mixture),
    }


def spectra(samples: Array, signal: SignalConfig) -> NDArray[np.complex64]:
    """Return the spectra (..., frames, bins) of samples (..., n), of complete windows without padding."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, signal.window, axis=-1)
    windowed = frames[..., :: signal.hop, :] * root_hann(signal.window)
    return np.fft.rfft(windowed, axis=-1)[..., : signal.bins].astype(np.complex64)


def _target(reference: NDArray[np.complex64], mixture: NDArray[np.complex64]) -> Array:
    return np.stack([reference.real, reference.imag, mixture.real, mixture.imag], axis=-1)
