"""Lock-free queue of samples between a sound card's callback and a thread (one writer, one reader)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Ring:
    """Queue of at most `size` samples of one channel, first in, first out.

    One thread writes and one reads. Each advances its own counter after copying the samples, so that neither
    needs a lock.
    """

    def __init__(self, size: int) -> None:
        self._samples = np.zeros(size, np.float32)
        self._written = self._taken = 0

    def __len__(self) -> int:
        return self._written - self._taken

    def write(self, block: Floats) -> int:
        """Append as much of a block as fits; return the number of samples that do not fit."""
        size = len(self._samples)
        fitting = min(len(block), size - len(self))
        start = self._written % size
        first = min(fitting, size - start)
        self._samples[start : start + first] = block[:first]
        self._samples[: fitting - first] = block[first:fitting]
        self._written += fitting
        return len(block) - fitting

    def read(self, most: int) -> Floats:
        """Return at most `count` of the oldest samples."""
        size = len(self._samples)
        count = min(most, len(self))
        start = self._taken % size
        first = min(count, size - start)
        block = np.concatenate((self._samples[start : start + first], self._samples[: count - first]))
        self._taken += count
        return block
