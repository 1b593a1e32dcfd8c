"""From what a decoder gives, whatever its sizes and rates, to blocks of one rate and any size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from ..errors import DssError
from .resampling import Resampler

Floats = NDArray[np.float32]


def at_one_rate(
    pieces: Iterable[tuple[Floats, int]], rate: int, channels: int, name: str
) -> Iterator[Floats]:
    """Yield the samples of `pieces`, which are samples (frames, channels) with their rate, at `rate`.

    Raises:
        DssError: the number of channels changes on the way; `name` is the recording's.
    """
    resampler, current = Resampler(rate, rate, channels), rate
    for samples, piece_rate in pieces:
        if samples.shape[1] != channels:
            raise DssError(
                f"{name}: it changes from {channels} to {samples.shape[1]} channels on the way; "
                "convert it first: ffmpeg -i INPUT -ac 1 OUTPUT.wav"
            )
        if piece_rate != current:
            yield resampler.flush()
            resampler, current = Resampler(piece_rate, rate, channels), piece_rate
        yield resampler.push(samples)
    yield resampler.flush()


class BlockBuffer:
    """Samples of an iterator, handed out in blocks of any size.

    Args:
        pieces: samples (frames, channels), any number of frames each.
        channels: their columns.
    """

    def __init__(self, pieces: Iterator[Floats], channels: int) -> None:
        self._pieces = pieces
        self._held = np.zeros((0, channels), np.float32)

    def read(self, *, out: Floats) -> Floats:
        """Fill `out` (frames, channels) as far as there are samples; return the part that was filled."""
        filled = 0
        while filled < len(out):
            taken = self._held[: len(out) - filled]
            out[filled : filled + len(taken)] = taken
            self._held = self._held[len(taken) :]
            filled += len(taken)
            if not len(self._held):
                following = next(self._pieces, None)
                if following is None:
                    break
                self._held = following
        return out[:filled]
