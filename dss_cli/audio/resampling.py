"""Streaming sample-rate conversion."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray


class Resampler:
    """Convert a stream of float32 blocks from one rate to another, without delay or drift.

    Sample 0 of the output stands at the instant of sample 0 of the input (linear phase), and the
    blocks of one stream, joined, do not depend on how its input was cut. `total` input frames
    give `total * target / source` output frames, rounded by soxr. Equal rates pass untouched.

    Args:
        source: rate of the input in Hz.
        target: rate of the output in Hz.
        channels: columns of each block.
    """

    def __init__(self, source: float, target: float, channels: int = 1) -> None:
        self.channels = channels
        self._stream = (
            None
            if source == target
            else soxr.ResampleStream(source, target, channels, dtype="float32", quality="HQ")
        )

    def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take float32 (frames, channels); return what is ready of the output, as (m, channels)."""
        return self._convert(block, last=False)

    def flush(self) -> NDArray[np.float32]:
        """End the stream and return the rest of the output, as (m, channels)."""
        return self._convert(np.zeros((0, self.channels), np.float32), last=True)

    def _convert(self, block: NDArray[np.float32], last: bool) -> NDArray[np.float32]:
        if self._stream is None:
            return block
        converted: NDArray[np.float32] = self._stream.resample_chunk(np.ascontiguousarray(block), last=last)
        return converted
