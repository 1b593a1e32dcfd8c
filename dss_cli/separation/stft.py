"""Streaming analysis and synthesis, and the power-law compression between them. NumPy only.

Both windows are the square root of a periodic Hann window: their product is the Hann window,
whose copies `hop` samples apart add up to `window / (2 * hop)`, so that synthesis divides by that
and gives back what analysis took in. Frame k covers the samples
`[k * hop - (window - hop), k * hop + hop)`; what lies before the first and behind the last
sample is zero. Every sample thus stands in `window / hop` frames, the first and the last as well.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..constants import SignalConfig
from ..errors import DssError

Floats = npt.NDArray[np.float32]
Spectrum = npt.NDArray[np.complex64]

_SMALLEST = np.finfo(np.float32).tiny  # below it, powers of a magnitude overflow: counted as zero


def compress(spectrum: Spectrum, exponent: float) -> Floats:
    """Power-law compression of magnitudes, phases kept (Braun & Tashev 2020).

    Args:
        spectrum: complex64 `[..., bins]`.
        exponent: of the magnitude, in (0, 1].

    Returns:
        float32 `[..., bins, 3]`: `|X|^exponent`, and the real and the imaginary part of X with
        that magnitude.
    """
    magnitude = np.abs(spectrum)
    scaled = spectrum * _power(magnitude, exponent - 1.0)
    return np.stack((_power(magnitude, exponent), scaled.real, scaled.imag), axis=-1)


def decompress(compressed: Floats, exponent: float) -> Spectrum:
    """Undo `compress` from the real and imaginary parts alone.

    Args:
        compressed: float32 `[..., bins, 2]`.
        exponent: the one that compressed it.

    Returns:
        complex64 `[..., bins]`.
    """
    scaled = np.ascontiguousarray(compressed, dtype=np.float32).view(np.complex64)[..., 0]
    spectrum: Spectrum = scaled * _power(np.abs(scaled), 1.0 / exponent - 1.0)
    return spectrum


class StreamingSTFT:
    """Samples in, frames out, in pieces of any size.

    Any partition of the samples gives bit-equal frames.
    """

    def __init__(self, signal: SignalConfig) -> None:
        self._hop = signal.hop
        self._window = root_hann(signal.window)
        self._kept = np.zeros(signal.window - signal.hop, np.float32)

    def push(self, samples: Floats) -> Spectrum:
        """Take float32 `[n]`, return the frames it ends: complex64 `[frames, window // 2 + 1]`."""
        samples = np.concatenate((self._kept, samples), dtype=np.float32)
        frames = max(0, (len(samples) - len(self._window)) // self._hop + 1)
        self._kept = samples[frames * self._hop :].copy()
        if frames == 0:
            return np.zeros((0, len(self._window) // 2 + 1), np.complex64)
        views = np.lib.stride_tricks.sliding_window_view(samples, len(self._window))
        windowed = views[: (frames - 1) * self._hop + 1 : self._hop] * self._window
        return np.fft.rfft(windowed).astype(np.complex64, copy=False)

    def flush(self) -> Spectrum:
        """The frames that still hold samples, filled up with zeros. The last call."""
        held = len(self._kept) - (len(self._window) - self._hop)  # samples of an unfinished hop
        return self.push(np.zeros(len(self._window) - self._hop + -held % self._hop, np.float32))


class StreamingISTFT:
    """Frames in, samples out: the inverse of `StreamingSTFT`.

    Any partition of the frames gives bit-equal samples.
    """

    def __init__(self, signal: SignalConfig) -> None:
        self._hop = signal.hop
        self._window = root_hann(signal.window) * np.float32(2 * signal.hop / signal.window)
        self._sums = np.zeros((signal.window // signal.hop - 1, signal.hop), np.float32)
        self._padding = len(self._sums) * signal.hop  # still to be dropped in front
        self._given = 0

    def push(self, frames: Spectrum) -> Floats:
        """Take complex64 `[frames, window // 2 + 1]`, return the samples that are complete.

        After k frames in all, `k * hop - (window - hop)` samples have left.
        """
        overlap = len(self._sums)
        blocks = np.fft.irfft(frames, len(self._window)).astype(np.float32, copy=False)
        blocks = (blocks * self._window).reshape(len(frames), overlap + 1, self._hop)
        sums = np.zeros((len(frames) + overlap, self._hop), np.float32)
        sums[:overlap] = self._sums
        # Oldest frame first for each hop of samples: the same order of sums for any partition.
        for place in range(overlap, -1, -1):
            sums[place : place + len(frames)] += blocks[:, place]
        self._sums = sums[len(frames) :].copy()
        samples = sums[: len(frames)].reshape(-1)
        dropped = min(self._padding, len(samples))
        self._padding -= dropped
        self._given += len(samples) - dropped
        return samples[dropped:]

    def flush(self, frames: Spectrum, length: int) -> Floats:
        """Take the last frames, those that analysis gave at its flush; return the last samples.

        Args:
            frames: complex64 `[frames, window // 2 + 1]`.
            length: of all samples, with those that have left before.

        Raises:
            DssError: the frames do not reach that far, or more samples have left already.
        """
        given = self._given
        samples = self.push(frames)
        if not given <= length <= self._given:
            raise DssError(f"synthesis can end after {given} to {self._given} samples, not after {length}")
        return samples[: length - given]


def _power(magnitude: Floats, exponent: float) -> Floats:
    """`magnitude ** exponent`, and 0 where the magnitude is 0."""
    power = np.zeros_like(magnitude)
    np.power(magnitude, np.float32(exponent), out=power, where=magnitude >= _SMALLEST)
    return power


def root_hann(window: int) -> Floats:
    """The square root of a periodic Hann window, which is half a period of a sine."""
    return np.sin(np.pi * np.arange(window) / window).astype(np.float32)
