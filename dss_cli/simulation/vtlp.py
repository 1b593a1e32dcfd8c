"""Vocal tract length perturbation: additional voices with a longer or shorter vocal tract."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..constants import SAMPLE_RATE
from .corpus import Material, joined, remembered

REACH = 0.18  # largest relative change of the tract; adults differ by as much
LEAST = 0.06  # least relative change; a smaller one sounds like the same talker
WINDOW, HOP = 512, 128
ENVELOPE = 32  # cepstral coefficients (2 ms), fewer than the period of any voice
MOST = 2.3  # largest change of a bin in nepers (20 dB)
BLOCK = 60 * SAMPLE_RATE  # samples transformed at once
FAINT = 1e-5  # floor of the magnitudes


def another_tract(samples: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    """Shift the formants by a factor without changing the pitch.

    The method follows Jaitly & Hinton 2013, who warp features. Here the spectral envelope, smoothed in the
    cepstrum, is stretched along the frequency, and the fine structure is kept. `Voice.pace` changes both, so
    that pitch and formants vary independently.

    Args:
        samples: speech (samples,) at 16 kHz.
        factor: factor of the formants; above 1 for a shorter tract.
    """
    parts = [_warp(samples[i : i + BLOCK], factor) for i in range(0, len(samples), BLOCK)]
    return np.concatenate(parts) if parts else samples


def _warp(samples: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    from scipy import signal  # takes most of a second to import

    length = len(samples)
    padded = np.pad(samples, (0, max(0, WINDOW - length)))
    spectrum = signal.stft(padded, SAMPLE_RATE, nperseg=WINDOW, noverlap=WINDOW - HOP)[2].T
    gain = np.log(np.abs(spectrum) + FAINT) @ _raise(factor)
    spectrum *= np.exp(np.clip(gain, -MOST, MOST))
    back = signal.istft(spectrum.T, SAMPLE_RATE, nperseg=WINDOW, noverlap=WINDOW - HOP)[1]
    return np.asarray(back[:length], np.float32)


def _raise(factor: float) -> NDArray[np.float32]:
    """Return the matrix (bins, bins) from log magnitudes to the change by a stretched envelope."""
    bins, quefrencies = np.arange(WINDOW // 2 + 1), np.arange(ENVELOPE)
    both = np.where((bins == 0) | (bins == WINDOW // 2), 1, 2) / WINDOW  # a bin and its mirror image
    smoothing = np.cos(2 * np.pi / WINDOW * np.outer(bins, quefrencies)) * both[:, None]

    def drawn(at: NDArray[np.float64]) -> NDArray[np.float64]:
        waves: NDArray[np.float64] = np.cos(2 * np.pi / WINDOW * np.outer(quefrencies, at))
        return waves * np.where(quefrencies == 0, 1, 2)[:, None]

    moved = drawn(np.minimum(bins / factor, WINDOW // 2))
    return (smoothing @ (moved - drawn(bins.astype(float)))).astype(np.float32)


def with_more_voices(speech: Material, copies: int, seed: int) -> Material:
    """Add `copies` voices after each talker, with the same speech and another vocal tract.

    The result is a function of the seed. It is kept in the user's cache, because hours of speech take
    minutes.
    """
    if not copies:
        return speech
    content = hashlib.sha256(speech.samples.tobytes()).hexdigest()
    key = ("tract", content, speech.spans.tolist(), copies, seed, REACH, LEAST)

    def make() -> Material:
        def voices() -> Iterator[tuple[str, NDArray[np.float32]]]:
            for group, (start, end) in enumerate(speech.spans):
                samples = speech.take(group, 0, int(end - start))
                yield str(speech.names[group]), samples
                for copy in range(1, copies + 1):
                    rng = np.random.default_rng([seed, group, copy])
                    size = rng.uniform(np.log1p(LEAST), np.log1p(REACH))
                    factor = np.exp(size if rng.uniform() < 0.5 else -size)
                    yield f"{speech.names[group]} x {factor:.3f}", another_tract(samples, factor)

        return joined(voices())

    return remembered(key, make)
