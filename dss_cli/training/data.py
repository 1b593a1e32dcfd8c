"""Batches of training scenes, each a function of (seed, step): a resumed run sees what it would have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..signal import SignalConfig
from ..simulation.bank import Bank
from ..simulation.material import Material
from ..simulation.scenes import Recipe, Scene, draw_kind, draw_snr, render
from ..stft import compress, root_hann

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Sources:
    """What scenes are made of."""

    speech: Material
    noise: Material | None
    bank: Bank

    def scene(self, rng: np.random.Generator, recipe: Recipe, length: int) -> Scene:
        """Draw one scene of `length` samples."""
        bank = self.bank
        outdoor = rng.uniform() < recipe.outdoor
        wanted = bank.outdoor == outdoor
        calm = wanted & (bank.rt60 <= recipe.rt60)  # a small bank may have no room that calm
        place = bank.responses[rng.choice(np.flatnonzero(calm if calm.any() else wanted))]
        if outdoor:  # nothing sounds longer than the ground's reflection: shorter transforms
            place = place[:, :OUTDOOR_TAPS]
        return render(
            rng,
            draw_kind(rng, recipe),
            recipe,
            list(place[: bank.near_sources]),
            list(place[bank.near_sources :]),
            self.speech,
            self.noise,
            length,
            draw_snr(rng, recipe),
        )


OUTDOOR_TAPS = 1600


def batch(
    sources: Sources, recipe: Recipe, signal: SignalConfig, size: int, seed: Sequence[int]
) -> tuple[Array, dict[str, Array]]:
    """One batch of spectra.

    Returns:
        The network's input (size, frames, bins, 3), and for each output a target (size, frames, bins, 4):
        real and imaginary part of the reference's linear spectrum, then of the mixture's.
    """
    length = (signal.frames - 1) * signal.hop + signal.window
    scenes = [sources.scene(np.random.default_rng([*seed, i]), recipe, length) for i in range(size)]
    mixture, near, far = (
        spectra(np.stack([getattr(s, part) for s in scenes]), signal) for part in ("mixture", "near", "far")
    )
    return compress(mixture, signal.exponent), {
        "near": _target(near, mixture),
        "far": _target(far, mixture),
    }


def spectra(samples: Array, signal: SignalConfig) -> NDArray[np.complex64]:
    """Spectra (..., frames, bins) of whole windows, without padding."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, signal.window, axis=-1)
    windowed = frames[..., :: signal.hop, :] * root_hann(signal.window)
    return np.fft.rfft(windowed, axis=-1)[..., : signal.bins].astype(np.complex64)


def _target(reference: NDArray[np.complex64], mixture: NDArray[np.complex64]) -> Array:
    return np.stack([reference.real, reference.imag, mixture.real, mixture.imag], axis=-1)
