"""Synthetic recording for benchmarks, the same in every run and on every machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile as sf

SEED = 0
PERIOD = 60  # seconds; longer recordings repeat the period, so that memory use is bounded
_TALKERS = ((110.0, 3.1, 0.2), (205.0, 4.3, 0.05))  # pitch in Hz, syllables per second, level
_HARMONICS = 20
_FLOOR = 0.002  # noise, about -54 dBFS


def write_recording(path: Path, seconds: float, rate: int) -> None:
    """Write `seconds` of two voice-like sounds, one loud and one soft, over weak noise.

    The file is a mono float32 WAV. The stems keep this encoding, so they are not rounded.
    """
    frames = round(seconds * rate)
    period = _sound(min(frames, PERIOD * rate), rate)
    with sf.SoundFile(path, "w", rate, 1, subtype="FLOAT", format="WAV") as file:
        for start in range(0, frames, len(period)):
            file.write(period[: frames - start])


def synthetic(seconds: float, rate: int) -> npt.NDArray[np.float32]:
    """Return the same sound in memory, `(frames,)`."""
    return _sound(round(seconds * rate), rate)


def _sound(frames: int, rate: int) -> npt.NDArray[np.float32]:
    """Return harmonics of gliding pitches, modulated like syllables, `(frames,)` within full scale."""
    generator = np.random.default_rng(SEED)
    phases = generator.uniform(0, 2 * np.pi, (len(_TALKERS), _HARMONICS))
    time = np.arange(frames) / rate
    glide = 1 + 0.1 * np.sin(2 * np.pi * 0.4 * time)
    sound = _FLOOR * generator.standard_normal(frames)
    for (pitch, syllables, level), starts in zip(_TALKERS, phases, strict=True):
        phase = 2 * np.pi * np.cumsum(pitch * glide) / rate
        voice = np.zeros(frames)
        for harmonic, start in enumerate(starts, start=1):
            voice += np.sin(harmonic * phase + start) / harmonic
        sound += level * np.maximum(0, np.sin(2 * np.pi * syllables * time)) * voice
    return np.clip(sound, -1, 1).astype(np.float32)
