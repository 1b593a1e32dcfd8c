"""Rate conversion for a live signal, with a delay of milliseconds and a ratio that may change meanwhile.

Band-limited interpolation by a windowed sinc (Smith & Gossett 1984): an output sample at instant t of the
input is the sum of the input samples around t, weighted by the kernel. soxr, which converts files, works in
blocks that would delay a live signal by 70 to 220 ms in both directions together.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

CROSSINGS = 24  # zero crossings of the kernel on each side: half of the length, in samples of the lower rate
PASSBAND = 0.93  # pass band, as a share of the lower rate's band
BETA = 9.0  # parameter of the Kaiser window: about 90 dB
PHASES = 512  # phases of the kernel per sample of the input, interpolated linearly
MOST_DRIFT = 0.01  # largest relative change of the ratio during a stream


class Interpolator:
    """Rate converter of a stream of one channel.

    Sample 0 of the output is at the instant of sample 0 of the input.

    Args:
        source: rate of the input in Hz.
        target: rate of the output in Hz.

    Attributes:
        reach: samples of the input after its own instant that an output sample needs.
    """

    def __init__(self, source: float, target: float) -> None:
        self.step = source / target
        self._kernel = kernel(self.step * (1 + MOST_DRIFT) if self.step > 1 else 1.0)
        self.reach: int = self._kernel.shape[1] // 2
        self._kept = np.zeros(self.reach - 1, np.float32)  # silence before the first sample
        self._start = 1 - self.reach  # index of the first kept sample in the input
        self._whole, self._part = 0, 0.0  # instant of the next output sample

    def push(self, block: Floats, step: float | None = None) -> Floats:
        """Add a block; return the output samples that are ready, float32 `[m]`.

        Args:
            block: float32 samples `[n]` of the input, any n.
            step: distance of the following output samples in samples of the input, within `MOST_DRIFT` of the
                ratio of the rates; None: this ratio.
        """
        step = self.step if step is None else step
        self._kept = np.concatenate((self._kept, block))
        last = self._start + len(self._kept) - 1 - self.reach  # latest instant with all required samples
        count = max(0, math.floor((last + 1 - self._whole - self._part) / step) + 1)
        instants = self._part + step * np.arange(count + 1)
        while count and self._whole + instants[count - 1] >= last + 1:
            count -= 1
        whole = np.floor(instants[: count + 1]).astype(np.int64)
        output = self._at(self._whole + whole[:count], instants[:count] - whole[:count])
        self._part = float(instants[count] - whole[count])
        self._whole += int(whole[count])
        spent = min(max(0, self._whole - self.reach + 1 - self._start), len(self._kept))
        self._kept = self._kept[spent:].copy()
        self._start += spent
        return output

    def _at(self, whole: NDArray[np.int64], part: NDArray[np.float64]) -> Floats:
        """Return the samples at the instants `whole + part`."""
        if not len(whole):
            return np.zeros(0, np.float32)
        places = part * PHASES
        phase = places.astype(np.int64)
        between = (places - phase).astype(np.float32)[:, np.newaxis]
        weights = self._kernel[phase] + between * (self._kernel[phase + 1] - self._kernel[phase])
        views = np.lib.stride_tricks.sliding_window_view(self._kept, self._kernel.shape[1])
        result: Floats = np.einsum("ij,ij->i", views[whole - self.reach + 1 - self._start], weights)
        return result


@lru_cache(maxsize=16)
def kernel(step: float) -> Floats:
    """Return weights [PHASES + 1, 2 * reach] of the samples around an instant, by the instant's phase."""
    band = PASSBAND / max(1.0, step)
    reach = math.ceil(CROSSINGS * max(1.0, step))
    offsets = np.arange(1 - reach, reach + 1) - np.arange(PHASES + 1)[:, np.newaxis] / PHASES
    window = np.i0(BETA * np.sqrt(np.maximum(0.0, 1 - (offsets / reach) ** 2))) / np.i0(BETA)
    weights = band * np.sinc(band * offsets) * window
    normed: Floats = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return normed
