"""How the chunks of a recording follow each other, and the latency that follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..constants import MAX_OVERLAP, SignalConfig
from ..errors import DssError, UsageError

if TYPE_CHECKING:
    from .network import Network


@dataclass(frozen=True)
class Timing:
    """Chunks of frames that follow each other.

    A chunk has `frames` frames. Its newest `ahead` frames are heard for the sake of the others; the
    `shared` frames before them are faded into the next chunk; the `advance` frames before those are
    finished. Whatever is left of the chunk, on its left, was finished by earlier chunks and is read again.

    Attributes:
        frames: of a chunk.
        advance: new frames from one chunk to the next.
        shared: frames that are faded into the next chunk.
        ahead: frames of look-ahead.

    Raises:
        DssError: numbers that do not fit into a chunk.
    """

    frames: int
    advance: int
    shared: int
    ahead: int = 0

    def __post_init__(self) -> None:
        numbers = (self.frames, self.advance, self.shared, self.ahead)
        if any(type(number) is not int or number < 0 for number in numbers) or not self.advance:
            raise DssError(f"{self} does not consist of whole numbers from 0, and an advance from 1")
        if self.behind > self.frames:
            raise DssError(f"{self}: advance, shared and ahead are more than the frames of a chunk")
        if self.shared > self.frames * MAX_OVERLAP:
            raise DssError(f"{self}: shared is more than half of a chunk")

    @property
    def behind(self) -> int:
        """Frames from the first that a chunk finishes to its newest."""
        return self.advance + self.shared + self.ahead

    @property
    def every(self) -> int:
        """Chunks from one that counts for later ones to the next, so that hardly a frame counts twice."""
        return max(1, self.frames // self.advance)

    @property
    def first(self) -> int:
        """The first chunk, from 0, that counts for the context: the last one that holds all frames so far."""
        return (self.frames - self.behind) // self.advance

    def latency(self, signal: SignalConfig) -> int:
        """Of the engine, in samples: once n + latency samples were pushed, sample n has left."""
        return self.behind * signal.hop + signal.window - signal.hop

    def seconds(self, signal: SignalConfig) -> float:
        """The latency in seconds."""
        return self.latency(signal) / signal.sample_rate

    def to_dict(self, signal: SignalConfig) -> dict[str, Any]:
        """The timing as it stands in a model card, with its latency in seconds."""
        return {"seconds": self.seconds(signal), **asdict(self)}


def whole_chunks(signal: SignalConfig, overlap: float) -> Timing:
    """Chunks of the full length, of which `overlap` is faded into the next."""
    shared = int(signal.frames * overlap)
    return Timing(signal.frames, signal.frames - shared, shared)


def offered(network: Network) -> tuple[Timing, ...]:
    """The timings of shorter latency than whole chunks that a network offers, shortest first."""
    timings: Iterable[Timing] = getattr(network, "timings", ())
    return tuple(sorted(timings, key=lambda timing: timing.behind))


def own_latency(network: Network) -> float | None:
    """The latency in seconds that a network was loaded for; None: that of whole chunks."""
    seconds: float | None = getattr(network, "latency", None)
    return seconds


def choose_timing(network: Network, seconds: float, overlap: float | None = None) -> Timing:
    """Return the timing that a network offers with the longest latency of at most `seconds`.

    Args:
        network: that is to separate.
        seconds: of latency, at most.
        overlap: of whole chunks, where `seconds` is enough for these; None is the network's own.

    Raises:
        UsageError: the network offers none that short; the message names those that it offers.
    """
    signal = network.signal
    whole = whole_chunks(signal, network.overlap if overlap is None else overlap)
    timings = [*offered(network), whole]
    fitting = [timing for timing in timings if timing.seconds(signal) <= seconds]
    if not fitting:
        raise UsageError(
            f"latency {seconds!r}: the model offers {named_latencies(timings, signal)} s"
            if len(timings) > 1
            else f"latency {seconds!r}: the model has one latency alone, {whole.seconds(signal):g} s"
        )
    return fitting[-1]


def named_latencies(timings: Sequence[Timing], signal: SignalConfig) -> str:
    """The latencies of timings in seconds, for a message."""
    *others, last = [f"{timing.seconds(signal):g}" for timing in timings]
    return f"{', '.join(others)} and {last}" if others else last
