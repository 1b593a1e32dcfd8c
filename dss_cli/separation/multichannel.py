"""Separate several channels at any rate with the streaming engine; stems are aligned to the sample."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from ..audio import Resampler
from ..errors import DssError
from .listening import Context
from .streaming import StreamingSeparator

if TYPE_CHECKING:
    from ..runtime.network import Network

Floats = npt.NDArray[np.float32]

MAX_CHANNELS = 64  # ambisonics of the seventh order; each channel costs as much as a mono recording


class _Parts(NamedTuple):
    near: Floats
    far: Floats
    residual: Floats  # mixture - near - far: noise, and frequencies above the model's band


class Stems(_Parts):
    """Parts of a recording or a block, `(near, far, residual)`: float32 arrays in its shape that sum to it.

    Notebooks show the stems of a recording as players and spectrograms.

    Attributes:
        sample_rate: sample rate in Hz; None if unknown.
    """

    sample_rate: float | None = None

    def _repr_html_(self) -> str | None:
        """Return what a notebook shows; None without a sample rate."""
        if self.sample_rate is None or not len(self.near):
            return None
        from ..page.notebook import stems_html

        return stems_html(*self, self.sample_rate)


class Splitter:
    """Block-wise separator of a multichannel recording; stems are delayed, but have as many frames in total.

    Each channel has its own separator with its own state. Channels that are equal from the first sample on
    share a separator until they differ.

    Args:
        network: network that estimates the stems.
        overlap: overlap of consecutive chunks, None for the network's own.
        rate: sample rate of the blocks in Hz.
        channels: number of channels of the blocks.
        context: context of each channel, as in `StreamingSeparator`.
        latency: latency in seconds, as in `StreamingSeparator`; rate conversion adds its own delay.

    Raises:
        UsageError: the overlap is out of range, the context is unknown, or the network offers no latency
            that short.
        DssError: there are more than `MAX_CHANNELS` channels.
    """

    def __init__(
        self,
        network: Network,
        overlap: float | None,
        rate: float,
        channels: int,
        context: Context = "past",
        latency: float | None = None,
    ) -> None:
        if channels > MAX_CHANNELS:
            raise DssError(
                f"{channels} channels are more than the {MAX_CHANNELS} that can be separated individually; "
                "`--channels mix` averages them to one"
            )
        inner = network.signal.sample_rate
        self._network, self._latency = network, latency
        self._separators = [StreamingSeparator(network, overlap, context, latency)]
        self._members = [list(range(channels))]  # the channels of each separator
        self._channels = channels
        self._down = Resampler(rate, inner, channels)
        self._up = (Resampler(inner, rate, channels), Resampler(inner, rate, channels))
        # Rounding at each conversion may lose a frame of the lower rate. Zeros after the end compensate for
        # the loss; surplus frames are dropped.
        self._padding = 0 if rate == inner else 2 * (int(rate / inner) + 1)
        empty = np.zeros((0, channels), np.float32)
        self._mixture, self._near, self._far = empty, empty, empty

    @property
    def latency(self) -> float | None:
        """Latency of the chosen timing in seconds, without rate conversion; None: whole chunks."""
        if self._latency is None:
            return None
        return self._separators[0].timing.seconds(self._network.signal)

    def push(self, block: Floats) -> Stems:
        """Add a float32 block (frames, channels) of the mixture; return the stems that are ready."""
        self._mixture = np.concatenate((self._mixture, block))
        self._separate(self._down.push(block))
        return self._take()

    def flush(self) -> Stems:
        """Return the rest of the stems, up to the last frame of the mixture. This is the last call."""
        silence = np.zeros((self._padding, self._mixture.shape[1]), np.float32)
        self._separate(self._down.push(silence))
        self._separate(self._down.flush())
        self._collect([separator.flush() for separator in self._separators])
        self._near = np.concatenate((self._near, self._up[0].flush()))
        self._far = np.concatenate((self._far, self._up[1].flush()))
        return self._take()

    def _separate(self, block: Floats) -> None:
        self._part(block)
        self._collect(
            [
                separator.push(np.ascontiguousarray(block[:, members[0]]))
                for separator, members in zip(self._separators, self._members, strict=True)
            ]
        )

    def _part(self, block: Floats) -> None:
        """Give channels that differ from now on separate separators, as copies of the common one so far."""
        for separator, members in list(zip(self._separators, self._members, strict=True)):
            while others := [m for m in members if not np.array_equal(block[:, m], block[:, members[0]])]:
                same = [m for m in others if np.array_equal(block[:, m], block[:, others[0]])]
                self._separators.append(copy.deepcopy(separator, {id(self._network): self._network}))
                self._members.append(same)
                members[:] = [m for m in members if m not in same]

    def _collect(self, stems: list[tuple[Floats, Floats]]) -> None:
        near, far = (np.empty((len(stem), self._channels), np.float32) for stem in stems[0])
        for pair, members in zip(stems, self._members, strict=True):
            near[:, members], far[:, members] = (stem[:, np.newaxis] for stem in pair)
        self._near = np.concatenate((self._near, self._up[0].push(near)))
        self._far = np.concatenate((self._far, self._up[1].push(far)))

    def _take(self) -> Stems:
        """Return the frames that are available of mixture, near and far, with their residual."""
        ready = min(len(self._mixture), len(self._near), len(self._far))
        mixture, near, far = self._mixture[:ready], self._near[:ready], self._far[:ready]
        self._mixture = self._mixture[ready:]
        self._near, self._far = self._near[ready:], self._far[ready:]
        return Stems(near, far, mixture - near - far)
