"""Streaming STFT analysis and synthesis, and the power-law compression between them. NumPy only.

Both windows are the square root of a periodic Hann window, so their product is a Hann window. Copies of the
Hann window at a distance of `hop` samples sum to `window / (2 * hop)`. Synthesis divides by this constant, so
that it reconstructs the input. Frame k covers the samples `[k * hop - (window - hop), k * hop + hop)`;
samples before the first and after the last are zero. So every sample lies in `window / hop` frames.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..constants import SignalConfig
from ..errors import DssError

Floats = npt.NDArray[np.float32]
Spectrum = npt.NDArray[np.complex64]

_SMALLEST = np.finfo(np.float32).tiny  # smaller magnitudes count as zero, because their powers overflow


def compress(spectrum: Spectrum, exponent: float) -> Floats:
    """Compress magnitudes by a power law and keep phases (Braun & Tashev 2020).

    Args:
        spectrum: complex64 `[..., bins]`.
        exponent: exponent of the magnitude, in (0, 1].

    Returns:
        float32 `[..., bins, 3]`: `|X|^exponent`, and the real and imaginary part of X with this magnitude.
    """
    magnitude = np.abs(spectrum)
    scaled = spectrum * _power(magnitude, exponent - 1.0)
    return np.stack((_power(magnitude, exponent), scaled.real, scaled.imag), axis=-1)


def decompress(compressed: Floats, exponent: float) -> Spectrum:
    """Invert `compress`, from the real and imaginary parts.

    Args:
        compressed: float32 `[..., bins, 2]`.
        exponent: exponent of the compression.

    Returns:
        complex64 `[..., bins]`.
    """
    scaled = np.ascontiguousarray(compressed, dtype=np.float32).view(np.complex64)[..., 0]
    spectrum: Spectrum = scaled * _power(np.abs(scaled), 1.0 / exponent - 1.0)
    return spectrum


class StreamingSTFT:
    """Streaming analysis of samples into frames, in blocks of any size.

    The frames are bit-equal for any partition of the samples.
    """

    def __init__(self, signal: SignalConfig) -> None:
        self._hop = signal.hop
        self._window = root_hann(signal.window)
        self._kept = np.zeros(signal.window - signal.hop, np.float32)

    def push(self, samples: Floats) -> Spectrum:
        """Add float32 samples `[n]`; return the completed frames, complex64 `[frames, window // 2 + 1]`."""
        samples = np.concatenate((self._kept, samples), dtype=np.float32)
        frames = max(0, (len(samples) - len(self._window)) // self._hop + 1)
        self._kept = samples[frames * self._hop :].copy()
        if frames == 0:
            return np.zeros((0, len(self._window) // 2 + 1), np.complex64)
        views = np.lib.stride_tricks.sliding_window_view(samples, len(self._window))
        windowed = views[: (frames - 1) * self._hop + 1 : self._hop] * self._window
        return np.fft.rfft(windowed).astype(np.complex64, copy=False)

    def flush(self) -> Spectrum:
        """Return the remaining frames, padded with zeros. This is the last call."""
        held = len(self._kept) - (len(self._window) - self._hop)  # samples of an incomplete hop
        return self.push(np.zeros(len(self._window) - self._hop + -held % self._hop, np.float32))


class StreamingISTFT:
    """Streaming synthesis of frames into samples, the inverse of `StreamingSTFT`.

    The samples are bit-equal for any partition of the frames.
    """

    def __init__(self, signal: SignalConfig) -> None:
        self._hop = signal.hop
        self._window = root_hann(signal.window) * np.float32(2 * signal.hop / signal.window)
        self._sums = np.zeros((signal.window // signal.hop - 1, signal.hop), np.float32)
        self._padding = len(self._sums) * signal.hop  # samples to drop at the start
        self._given = 0

    def push(self, frames: Spectrum) -> Floats:
        """Add frames, complex64 `[frames, window // 2 + 1]`; return the completed samples.

        After k frames in total, `k * hop - (window - hop)` samples have been returned.
        """
        overlap = len(self._sums)
        blocks = np.fft.irfft(frames, len(self._window)).astype(np.float32, copy=False)
        blocks = (blocks * self._window).reshape(len(frames), overlap + 1, self._hop)
        sums = np.zeros((len(frames) + overlap, self._hop), np.float32)
        sums[:overlap] = self._sums
        # The oldest frame comes first for each hop, so the order of the sums is the same for any partition.
        for place in range(overlap, -1, -1):
            sums[place : place + len(frames)] += blocks[:, place]
        self._sums = sums[len(frames) :].copy()
        samples = sums[: len(frames)].reshape(-1)
        dropped = min(self._padding, len(samples))
        self._padding -= dropped
        self._given += len(samples) - dropped
        return samples[dropped:]

    def flush(self, frames: Spectrum, length: int) -> Floats:
        """Add the last frames, from the flush of the analysis, and return the last samples.

        Args:
            frames: complex64 `[frames, window // 2 + 1]`.
            length: total number of samples, including those returned before.

        Raises:
            DssError: the frames are too few for the length, or more samples have been returned already.
        """
        given = self._given
        samples = self.push(frames)
        if not given <= length <= self._given:
            raise DssError(f"synthesis can end after {given} to {self._given} samples, not after {length}")
        return samples[: length - given]


def _power(magnitude: Floats, exponent: float) -> Floats:
    """Return `magnitude ** exponent`, and 0 if the magnitude is 0."""
    power = np.zeros_like(magnitude)
    np.power(magnitude, np.float32(exponent), out=power, where=magnitude >= _SMALLEST)
    return power


def root_hann(window: int) -> Floats:
    """Return the square root of a periodic Hann window, which is half a period of a sine."""
    return np.sin(np.pi * np.arange(window) / window).astype(np.float32)
