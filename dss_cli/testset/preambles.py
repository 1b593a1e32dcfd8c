"""Preambles: synthetic sounds without speech before a conversation, which may disturb the context.

Each sound is made by a function of (rng, samples) that returns samples at 16 kHz with an RMS of about 1,
except for silence and clipped sound.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ..constants import SAMPLE_RATE

Samples = NDArray[np.float32]

FULL = 0.95  # peak of clipped sound, relative to full scale
OVERDRIVE = 20.0  # dB by which clipped sound would exceed that peak


def make_preamble(rng: np.random.Generator, sound: str, samples: int, talkers: float) -> Samples:
    """Make a preamble.

    Args:
        rng: random generator.
        sound: key of SOUNDS.
        samples: number of samples, at 16 kHz.
        talkers: RMS of the conversation's talkers, the reference of the sound's level.

    Returns:
        Samples `(samples,)` with a peak of at most 0.95; the level is reduced if the sound would clip.
    """
    make, decibels = SOUNDS[sound]
    if sound == "clipped":
        return _clipped(rng, samples)
    made = make(rng, samples) * (talkers * 10 ** (decibels / 20))
    return np.asarray(made / max(1.0, float(np.abs(made).max(initial=0.0)) / FULL), np.float32)


def _silence(rng: np.random.Generator, samples: int) -> Samples:
    return np.zeros(samples, np.float32)


def _coloured(rng: np.random.Generator, samples: int, slope: float) -> NDArray[np.float64]:
    """Return noise whose spectrum has a slope in dB per octave above 60 Hz."""
    spectrum = fft.rfft(rng.standard_normal(samples))
    hertz = np.maximum(np.fft.rfftfreq(samples, 1 / SAMPLE_RATE), 60.0)
    return _level(fft.irfft(spectrum * (hertz / 1000) ** (slope / (20 * np.log10(2))), samples))


def _tone(rng: np.random.Generator, samples: int) -> NDArray[np.float64]:
    """Return the noise of a quiet room."""
    return _coloured(rng, samples, -6.0)


def _fan(rng: np.random.Generator, samples: int) -> NDArray[np.float64]:
    """Return the noise of a fan: air noise and slightly wavering harmonics of the blades."""
    time = np.arange(samples) / SAMPLE_RATE
    blades = rng.uniform(80, 160)
    phase = 2 * np.pi * (blades * time + 0.5 * np.sin(2 * np.pi * rng.uniform(0.1, 0.4) * time))
    hum = np.sum([np.sin(k * phase + rng.uniform(0, 2 * np.pi)) / k for k in range(1, 6)], axis=0)
    return _level(_coloured(rng, samples, -3.0) + 0.5 * _level(hum))


def _music(rng: np.random.Generator, samples: int) -> NDArray[np.float64]:
    """Return music: plucked chords of a major scale, a bass and a drum, with four beats per bar."""
    made = np.zeros(samples)
    beat = round(SAMPLE_RATE * 60 / rng.uniform(80, 130))
    root, scale = rng.uniform(90, 140), np.array([0, 2, 4, 5, 7, 9, 11])
    degree = 0
    for number, at in enumerate(range(0, samples, beat)):
        if number % 4 == 0:
            degree = int(rng.integers(7))
        notes = [degree + step + 7 for step in (0, 2, 4)] + ([degree] if number % 2 == 0 else [])
        for note in notes:
            octave, step = divmod(note, 7)
            sound = _pluck(root * 2 ** (octave + scale[step] / 12), 2 * beat)
            made[at : at + len(sound)] += sound[: samples - at]
        drum = rng.standard_normal(beat // 2) * np.exp(-np.arange(beat // 2) / (0.02 * SAMPLE_RATE))
        made[at : at + len(drum)] += 0.7 * drum[: samples - at]
    return _level(made)


def _pluck(hertz: float, samples: int) -> NDArray[np.float64]:
    time = np.arange(samples) / SAMPLE_RATE
    partials = [k for k in range(1, 13) if k * hertz < 7000]
    waves = [np.sin(2 * np.pi * k * hertz * time) * np.exp(-2 * k**0.5 * time) / k for k in partials]
    return np.asarray(np.sum(waves, axis=0))


def _applause(rng: np.random.Generator, samples: int) -> NDArray[np.float64]:
    """Return applause: bursts of noise around 1 to 3 kHz at random times, with a slowly varying level."""
    from scipy import signal  # takes most of a second to import

    made = np.zeros(samples)
    for _ in range(12):  # groups of hands with equal sound
        clap = rng.standard_normal(800) * np.exp(-np.arange(800) / (SAMPLE_RATE * rng.uniform(0.003, 0.01)))
        band = signal.butter(2, rng.uniform(0.6, 1.4) * np.array([800, 2400]), "band", fs=SAMPLE_RATE)
        hits = (rng.uniform(size=samples) < 15 / SAMPLE_RATE) * rng.uniform(0.3, 1.0, samples)
        made += signal.oaconvolve(hits, signal.lfilter(*band, clap), mode="full")[:samples]
    swell = 1 + 0.4 * np.sin(2 * np.pi * rng.uniform(0.05, 0.15) * np.arange(samples) / SAMPLE_RATE)
    return _level(made * swell)


def _clipped(rng: np.random.Generator, samples: int) -> Samples:
    """Return music that is clipped by a too high gain of the recording."""
    music = _music(rng, samples)
    driven = music / np.abs(music).max(initial=1e-9) * 10 ** (OVERDRIVE / 20)
    return np.asarray(FULL * np.clip(driven, -1, 1), np.float32)


def _level(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    return samples / (np.sqrt(np.mean(samples**2)) + 1e-12)


SOUNDS: dict[str, tuple[Callable[[np.random.Generator, int], NDArray[np.floating]], float]] = {
    # function, and level relative to the talkers in dB
    "silence": (_silence, 0.0),
    "tone": (_tone, -35.0),
    "fan": (_fan, -6.0),
    "music": (_music, 0.0),
    "applause": (_applause, 0.0),
    "clipped": (_clipped, 0.0),
}
