"""Synthetic test signals and damaged files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile as sf

Floats = npt.NDArray[np.float32]


def noise(frames: int, channels: int = 1, *, seed: int = 0, peak: float = 0.5) -> Floats:
    """Return reproducible white noise between -peak and peak, float32 (frames, channels)."""
    generator = np.random.default_rng(seed)
    return generator.uniform(-peak, peak, (frames, channels)).astype(np.float32)


def tone(frames: int, rate: int, frequency: float = 440.0, channels: int = 1, peak: float = 0.5) -> Floats:
    """Return a sine per channel with increasing frequencies, float32 (frames, channels)."""
    cycles = np.arange(frames)[:, np.newaxis] * (frequency * (1 + 0.1 * np.arange(channels))) / rate
    return (peak * np.sin(2 * np.pi * cycles)).astype(np.float32)


def quantised(samples: Floats, bits: int = 16) -> Floats:
    """Return the samples rounded to values that an encoding of `bits` bits holds exactly."""
    scale = np.float32(2 ** (bits - 1))
    return (np.round(samples * scale) / scale).astype(np.float32)


def write(
    path: Path,
    samples: Floats,
    rate: int = 16_000,
    subtype: str | None = None,
    container: str | None = None,
) -> Path:
    """Write (frames, channels) samples by libsndfile and return the path."""
    if path.suffix == ".opus":
        container, subtype = "OGG", "OPUS"
    sf.write(path, samples, rate, subtype=subtype, format=container)
    return path


def cut(path: Path, percent: float) -> Path:
    """Truncate a file to `percent` of its bytes, in place."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * percent / 100)])
    return path


def read(path: Path) -> Floats:
    """Return all samples of a file as float32 (frames, channels)."""
    samples: Floats = sf.read(path, dtype="float32", always_2d=True)[0]
    return samples
