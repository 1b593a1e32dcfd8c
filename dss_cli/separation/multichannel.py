"""Several channels of any rate through the streaming engine, their stems aligned to the sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from ..audio import Resampler
from .listening import Context
from .streaming import StreamingSeparator

if TYPE_CHECKING:
    from ..runtime.network import Network

Floats = npt.NDArray[np.float32]


class Stems(NamedTuple):
    """The parts of a recording or of a block: float32, all of its shape, adding up to it."""

    near: Floats
    far: Floats
    residual: Floats  # mixture - near - far: noise, and what lies above the model's band


class Splitter:
    """Separates a recording block by block; stems come late, but as many frames as came in.

    Each channel has its own separator, as each has its own memory.

    Args:
        network: what estimates the stems.
        overlap: of consecutive chunks, None for the network's own.
        rate: of the blocks in Hz.
        channels: columns of each block.
        context: of each channel, as `StreamingSeparator` takes it.

    Raises:
        UsageError: an overlap out of range, an unknown context.
    """

    def __init__(
        self,
        network: Network,
        overlap: float | None,
        rate: float,
        channels: int,
        context: Context = "past",
    ) -> None:
        inner = network.signal.sample_rate
        self._separators = [StreamingSeparator(network, overlap, context) for _ in range(channels)]
        self._down = Resampler(rate, inner, channels)
        self._up = (Resampler(inner, rate, channels), Resampler(inner, rate, channels))
        # Rounding at either conversion may cost a frame of the lower rate; zeros after the end
        # cover it, and what they become is dropped.
        self._padding = 0 if rate == inner else 2 * (int(rate / inner) + 1)
        empty = np.zeros((0, channels), np.float32)
        self._mixture, self._near, self._far = empty, empty, empty

    def push(self, block: Floats) -> Stems:
        """Take float32 (frames, channels) of the mixture, return the stems that are ready."""
        self._mixture = np.concatenate((self._mixture, block))
        self._separate(self._down.push(block))
        return self._take()

    def flush(self) -> Stems:
        """The rest, up to the last frame of the mixture. The last call."""
        silence = np.zeros((self._padding, self._mixture.shape[1]), np.float32)
        self._separate(self._down.push(silence))
        self._separate(self._down.flush())
        self._collect([separator.flush() for separator in self._separators])
        self._near = np.concatenate((self._near, self._up[0].flush()))
        self._far = np.concatenate((self._far, self._up[1].flush()))
        return self._take()

    def _separate(self, block: Floats) -> None:
        self._collect(
            [
                separator.push(np.ascontiguousarray(block[:, channel]))
                for channel, separator in enumerate(self._separators)
            ]
        )

    def _collect(self, stems: list[tuple[Floats, Floats]]) -> None:
        near, far = (np.stack(stem, axis=1) for stem in zip(*stems, strict=True))
        self._near = np.concatenate((self._near, self._up[0].push(near)))
        self._far = np.concatenate((self._far, self._up[1].push(far)))

    def _take(self) -> Stems:
        """What mixture, near and far all have, and the residual of it."""
        ready = min(len(self._mixture), len(self._near), len(self._far))
        mixture, near, far = self._mixture[:ready], self._near[:ready], self._far[:ready]
        self._mixture = self._mixture[ready:]
        self._near, self._far = self._near[ready:], self._far[ready:]
        return Stems(near, far, mixture - near - far)
