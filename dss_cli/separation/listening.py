"""Context of a recording for the separation of its chunks: the past, or the past and a look-ahead.

A network that carries context (`runtime.network.ContextNetwork`) can use the past alone, or listen ahead.
When it listens ahead, frames wait until the network has received AHEAD_SECONDS more. So a recording up to
that length is heard completely before its first chunk is separated, and memory is bounded for longer ones.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from ..constants import SignalConfig
from ..errors import UsageError
from ..runtime.network import carries_context
from .stft import compress

if TYPE_CHECKING:
    from ..runtime.network import ContextNetwork, Network

Spectrum = npt.NDArray[np.complex64]

Context = Literal["recording", "past", "none"]
CONTEXTS: tuple[Context, ...] = get_args(Context)
AHEAD_SECONDS = 45.0  # more favours what comes later; selected in docs/experiments/10-context.md


def used_context(network: Network, asked: Context) -> Context:
    """Return the requested context if the network carries context, else `none`.

    Raises:
        UsageError: the name of the context is unknown.
    """
    if asked not in CONTEXTS:
        raise UsageError(f"context {asked!r}: choose one of {', '.join(CONTEXTS)}")
    return asked if carries_context(network) else "none"


def settled_context(asked: Context | None, latency: float | None) -> Context:
    """Return the context of an array or a file: by default the recording, or the past if a latency is given.

    Raises:
        UsageError: the context `recording` is requested together with a latency.
    """
    if latency is None:
        return asked or "recording"
    if asked == "recording":
        raise UsageError("a latency and the context `recording` exclude each other")
    return asked or "past"


def chunks_ahead(signal: SignalConfig) -> int:
    """Return the number of chunks that are heard before the first chunk is separated."""
    return max(1, round(AHEAD_SECONDS / signal.chunk_seconds))


class Listener:
    """Delay line that lets a network hear frames before they are separated.

    Args:
        network: network with context.
        state: state of the recording, which is updated by every chunk heard.
    """

    def __init__(self, network: ContextNetwork, state: Any) -> None:
        self._network, self._state = network, state
        self._frames = network.signal.frames
        self._ahead = chunks_ahead(network.signal)
        self._last = np.zeros((0, network.signal.bins + 1), np.complex64)
        self._new: list[Spectrum] = []
        self._count = 0  # frames in `_new`
        self._held: deque[Spectrum] = deque()  # chunks heard, not yet separated

    def push(self, frames: Spectrum) -> Iterator[Spectrum]:
        """Hear frames [n, bins + 1]; yield each delayed chunk as soon as the network has heard enough."""
        while len(frames):
            taken, frames = np.split(frames, [self._frames - self._count])
            self._new.append(taken)
            self._count += len(taken)
            if self._count == self._frames:
                self._last = self._take()
                self._hear(self._last)
                self._held.append(self._last)
                if len(self._held) > self._ahead:
                    yield self._held.popleft()

    def flush(self) -> Spectrum:
        """Hear the remaining frames and return all delayed frames. This is the last call."""
        rest = self._take()
        if len(rest):
            known = np.concatenate((self._last, rest))[-self._frames :]
            self._hear(np.pad(known, ((0, self._frames - len(known)), (0, 0))))
        return np.concatenate((*self._held, rest))

    def _take(self) -> Spectrum:
        frames = np.concatenate([self._last[:0], *self._new])
        self._new, self._count = [], 0
        return frames

    def _hear(self, chunk: Spectrum) -> None:
        mixture = compress(chunk[np.newaxis, :, :-1], self._network.signal.exponent)
        self._network.listen(mixture, self._state)
