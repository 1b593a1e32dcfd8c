"""Streaming engine: samples of one channel in, near and far samples out.

A network processes chunks of STFT frames: whole chunks or, for a short latency, shorter chunks that the
network offers (`runtime.timing`). Consecutive chunks share frames. Their estimates are crossfaded over the
shared frames in the linear STFT domain, with raised-cosine weights that sum to one. One synthesis per stem
converts the frames to samples. A shorter chunk may also contain frames that earlier chunks have finished, at
its beginning, and frames of look-ahead, at its end. Chunks are counted in frames from the first sample on,
so the result does not depend on the sizes of the input blocks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from ..constants import MAX_OVERLAP
from ..errors import DssError, UsageError
from ..runtime.network import carries_context
from ..runtime.timing import Timing, choose_timing, own_latency, whole_chunks
from .listening import Context, Listener, chunks_ahead, settled_context, used_context
from .stft import StreamingISTFT, StreamingSTFT, compress, decompress

if TYPE_CHECKING:
    from ..runtime.network import ContextNetwork, Network

Floats = npt.NDArray[np.float32]
Spectrum = npt.NDArray[np.complex64]


class StreamingSeparator:
    """Block-wise separator of one channel at the network's sample rate, in constant memory.

    Args:
        network: network that estimates the stems; several separators may share it.
        overlap: overlap of consecutive chunks, 0 to 0.5 of a chunk; None: the network's own. A larger
            overlap costs computing time (a chunk advances by `1 - overlap`) and does not change the latency.
        context: context of a network that carries context: the `past`, the `recording` (with a look-ahead of
            `listening.AHEAD_SECONDS`), or `none`.
        latency: largest latency in seconds: the longest latency that the network offers within it is used. It
            requires the context `past` or `none`. None: latency for which the network was loaded
            (`load_model`), by default the latency of whole chunks.

    Attributes:
        context: context in use; `none` if the network carries no context.
        timing: timing of the chunks.

    Raises:
        UsageError: the overlap is out of range, the context is unknown, the network offers no latency
            that short, or a latency is combined with the context `recording`.
    """

    def __init__(
        self,
        network: Network,
        overlap: float | None = None,
        context: Context = "past",
        latency: float | None = None,
    ) -> None:
        signal = network.signal
        latency = own_latency(network) if latency is None else latency
        self.timing = _timing(network, overlap, latency)
        context = settled_context(context, latency)
        self._network: Network = network
        self.context = used_context(network, context)
        self._state: Any = None
        self._listener: Listener | None = None
        if self.context != "none" and carries_context(network):
            self._state = network.begin()
            self._listener = Listener(network, self._state) if self.context == "recording" else None
        self._frames, self._shared = self.timing.frames, self.timing.shared
        self._analysis = StreamingSTFT(signal)
        self._syntheses = (StreamingISTFT(signal), StreamingISTFT(signal))
        # The frames of the last chunk (zeros before the first), and the frames after it.
        self._covered = np.zeros((self._frames, signal.bins + 1), np.complex64)
        self._waiting: list[Spectrum] = []
        self._new = 0  # frames waiting
        self._chunks = 0  # chunks so far
        self._tail: Spectrum | None = None  # [2, shared, bins + 1], to be crossfaded with the next chunk
        fade = (np.arange(self._shared, dtype=np.float32) + 0.5) / np.float32(self._shared or 1)
        self._fade_in = (0.5 - 0.5 * np.cos(np.pi * fade)).astype(np.float32)[:, np.newaxis]
        self._length = 0
        self._flushed = False

    @property
    def latency(self) -> int:
        """Latency in samples: sample n is returned after n + latency samples have been pushed."""
        signal = self._network.signal
        ahead = 0 if self._listener is None else (chunks_ahead(signal) + 1) * signal.frames * signal.hop
        return self.timing.latency(signal) + ahead

    def push(self, block: Floats) -> tuple[Floats, Floats]:
        """Add float32 samples `[n]` (any n); return the near and far samples that are ready, equally many.

        Raises:
            UsageError: the block is not a one-dimensional float32 array, or `flush` was called before.
            DssError: a sample or an estimate of the network is not finite.
        """
        if self._flushed:
            raise UsageError("this separator was flushed: start a new one for the next recording")
        if not isinstance(block, np.ndarray) or block.dtype != np.float32 or block.ndim != 1:
            raise UsageError(f"a block is a float32 array of shape (samples,), not {describe(block)}")
        require_finite(block)
        self._length += len(block)
        # A long block is processed in pieces, so that memory is bounded.
        piece = self._frames * self._network.signal.hop
        parts = [
            self._synthesise(self._separate(frames))
            for start in range(0, len(block), piece)
            for frames in self._due(self._analysis.push(block[start : start + piece]))
        ]
        return _joined([near for near, _ in parts]), _joined([far for _, far in parts])

    def flush(self) -> tuple[Floats, Floats]:
        """Return the rest of near and far, so that all samples have been returned. This is the last call.

        Raises:
            UsageError: `flush` was called before.
            DssError: an estimate of the network is not finite.
        """
        if self._flushed:
            raise UsageError("this separator was flushed already")
        self._flushed = True
        if self._length == 0:
            return np.zeros(0, np.float32), np.zeros(0, np.float32)
        ready = [self._separate(frames) for frames in self._due(self._analysis.flush())]
        if self._listener is not None:
            ready.append(self._separate(self._listener.flush()))
        if self._new or self.timing.ahead:
            ready.append(self._last_chunk())
        elif self._tail is not None:
            ready.append(self._tail)
        near, far = np.concatenate(ready, axis=1)
        first, second = self._syntheses
        return first.flush(near, self._length), second.flush(far, self._length)

    def _due(self, frames: Spectrum) -> Iterable[Spectrum]:
        """Add frames; return those that can be separated now, in pieces with different contexts."""
        return [frames] if self._listener is None else self._listener.push(frames)

    def _separate(self, frames: Spectrum) -> Spectrum:
        """Add frames; return the finished frames of both stems, [2, frames, bins + 1]."""
        ready = [np.zeros((2, 0, self._covered.shape[1]), np.complex64)]
        while len(frames):
            wanted = self.timing.behind if self._tail is None else self.timing.advance
            taken = frames[: wanted - self._new]
            frames = frames[len(taken) :]
            self._waiting.append(taken)
            self._new += len(taken)
            if self._new == wanted:
                ready.append(self._faded(self._estimates(self._recent())))
        return np.concatenate(ready, axis=1)

    def _last_chunk(self) -> Spectrum:
        """Separate the last, incomplete chunk, completed by the frames before it or by zeros after it."""
        if self._tail is not None:
            return self._faded(self._estimates(self._recent()), last=True)
        padded = np.roll(self._recent(), self._new, axis=0)  # move the leading zeros to the end
        return self._estimates(padded)[:, : self._new]

    def _recent(self) -> Spectrum:
        """Return the newest frames, as many as a chunk has."""
        self._covered = np.concatenate((self._covered, *self._waiting))[-self._frames :]
        self._waiting.clear()
        return self._covered

    def _faded(self, estimates: Spectrum, last: bool = False) -> Spectrum:
        """Crossfade the estimates with the previous chunk; hold back the frames shared with the next chunk.

        The last chunk of a recording has no look-ahead and shares no frames: it finishes all its frames.
        """
        ahead = self.timing.ahead
        if self._tail is None:
            estimates = estimates[:, -self._new :]
        else:
            estimates = estimates[:, -(self._new + self._shared + ahead) :]
            faded = self._tail + self._fade_in * (estimates[:, : self._shared] - self._tail)
            estimates = np.concatenate((faded, estimates[:, self._shared :]), axis=1)
        self._new = 0
        if last:
            return estimates
        finished = estimates.shape[1] - self._shared - ahead
        self._tail = estimates[:, finished : finished + self._shared]
        return estimates[:, :finished]

    def _estimates(self, mixture: Spectrum) -> Spectrum:
        """Run the network on one chunk [frames, bins + 1]; return near and far, [2, frames, bins + 1].

        The network does not estimate the Nyquist bin. That bin gets the magnitude ratio of the bin below it,
        at most 1.

        Raises:
            DssError: an estimate is not finite.
        """
        signal = self._network.signal
        outputs = self._run(compress(mixture[np.newaxis, :, :-1], signal.exponent))
        estimates = np.empty((2, *mixture.shape), np.complex64)
        neighbour = np.abs(mixture[:, -2])
        with np.errstate(over="ignore", invalid="ignore"):  # an overflow is reported below
            for estimate, output in zip(estimates, outputs, strict=True):
                estimate[:, :-1] = decompress(output, signal.exponent)[0]
                share = np.zeros_like(neighbour)
                np.divide(np.abs(estimate[:, -2]), neighbour, out=share, where=neighbour > 0)
                estimate[:, -1] = mixture[:, -1] * np.minimum(share, 1)
        if not np.isfinite(estimates).all():
            on_gpu = getattr(self._network, "used", "cpu") == "gpu"
            way_out = "; `--delegate cpu` helps if the precision of the GPU is too low" if on_gpu else ""
            raise DssError(f"the model gave values that are not finite{way_out}")
        return estimates

    def _run(self, chunk: Floats) -> tuple[Floats, Floats]:
        if self._state is None:
            return self._network.separate(chunk)
        network = cast("ContextNetwork", self._network)
        since = self._chunks - self.timing.first
        self._chunks += 1
        # The state of a listener includes this chunk already; overlapping chunks update the state only once.
        update = self._listener is None and since >= 0 and since % self.timing.every == 0
        return network.separate(chunk, self._state, update=update)

    def _synthesise(self, stems: Spectrum) -> tuple[Floats, Floats]:
        near, far = (one.push(stem) for one, stem in zip(self._syntheses, stems, strict=True))
        return near, far


def _timing(network: Network, overlap: float | None, latency: float | None) -> Timing:
    if overlap is not None and not 0.0 <= overlap <= MAX_OVERLAP:
        raise UsageError(f"overlap {overlap!r} lies outside 0 to {MAX_OVERLAP}")
    if latency is not None:
        return choose_timing(network, latency, overlap)
    return whole_chunks(network.signal, network.overlap if overlap is None else overlap)


def _joined(parts: list[Floats]) -> Floats:
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def require_finite(samples: Floats) -> None:
    """Raise DssError if samples are NaN or infinite, with their number."""
    bad = samples.size - np.count_nonzero(np.isfinite(samples))
    if bad:
        raise DssError(f"{bad} of {samples.size} samples are NaN or infinite")


def describe(value: object) -> str:
    """Return type and shape of a value, for messages."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    return type(value).__name__
