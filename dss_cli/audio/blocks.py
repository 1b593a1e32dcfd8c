"""Convert decoded pieces of any size and rate to blocks of one rate and a requested size."""

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
    """Yield the samples of all pieces at one rate.

    Args:
        pieces: pairs of samples (frames, channels) and their rate in Hz.
        rate: rate of the output in Hz.
        channels: number of channels of every piece.
        name: name of the recording, for messages.

    Raises:
        DssError: a piece has another number of channels.
    """
    resampler, current = Resampler(rate, rate, channels), rate
    for samples, piece_rate in pieces:
        if samples.shape[1] != channels:
            raise DssError(
                f"{name}: the number of channels changes from {channels} to {samples.shape[1]}; "
                "convert it first: ffmpeg -i INPUT -ac 1 OUTPUT.wav"
            )
        if piece_rate != current:
            yield resampler.flush()
            resampler, current = Resampler(piece_rate, rate, channels), piece_rate
        yield resampler.push(samples)
    yield resampler.flush()


class BlockBuffer:
    """Buffer that regroups the samples of an iterator into blocks of a requested size.

    Args:
        pieces: sample arrays (frames, channels) with any number of frames.
        channels: number of channels.
    """

    def __init__(self, pieces: Iterator[Floats], channels: int) -> None:
        self._pieces = pieces
        self._held = np.zeros((0, channels), np.float32)

    def read(self, *, out: Floats) -> Floats:
        """Fill `out` (frames, channels) with the next samples; return the filled part, shorter at the end."""
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
