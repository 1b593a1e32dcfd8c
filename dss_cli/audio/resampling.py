"""Streaming sample-rate conversion."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray


class Resampler:
    """Streaming converter of float32 blocks from one sample rate to another, without delay or drift.

    Sample 0 of the output has the time of sample 0 of the input (linear phase). The joined output does not
    depend on the sizes of the input blocks. `total` input frames give `total * target / source` output
    frames, rounded by soxr. With equal rates the blocks pass unchanged.

    Args:
        source: rate of the input in Hz.
        target: rate of the output in Hz.
        channels: number of channels of each block.
    """

    def __init__(self, source: float, target: float, channels: int = 1) -> None:
        self.channels = channels
        self._stream = (
            None
            if source == target
            else soxr.ResampleStream(source, target, channels, dtype="float32", quality="HQ")
        )

    def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Add a float32 block (frames, channels); return the output that is ready, (m, channels)."""
        return self._convert(block, last=False)

    def flush(self) -> NDArray[np.float32]:
        """End the stream; return the rest of the output, (m, channels)."""
        return self._convert(np.zeros((0, self.channels), np.float32), last=True)

    def _convert(self, block: NDArray[np.float32], last: bool) -> NDArray[np.float32]:
        if self._stream is None:
            return block
        converted: NDArray[np.float32] = self._stream.resample_chunk(np.ascontiguousarray(block), last=last)
        return converted
