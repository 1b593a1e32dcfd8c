"""Timing of the chunks of a recording, and the latency that results from the timing."""

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
    """Arrangement of consecutive chunks.

    From its newest frame backwards, a chunk consists of `ahead` frames of look-ahead, `shared` frames that
    are crossfaded with the next chunk, and `advance` frames that the chunk finishes. The remaining frames,
    at its beginning, were finished by earlier chunks and serve as input only.

    Attributes:
        frames: frames of a chunk.
        advance: new frames from one chunk to the next.
        shared: frames that are crossfaded with the next chunk.
        ahead: frames of look-ahead.

    Raises:
        DssError: a number is not an integer in range, or the parts exceed the chunk.
    """

    frames: int
    advance: int
    shared: int
    ahead: int = 0

    def __post_init__(self) -> None:
        numbers = (self.frames, self.advance, self.shared, self.ahead)
        if any(type(number) is not int or number < 0 for number in numbers) or not self.advance:
            raise DssError(f"{self}: the numbers must be integers of at least 0, and advance at least 1")
        if self.behind > self.frames:
            raise DssError(f"{self}: the sum of advance, shared and ahead is more than the frames of a chunk")
        if self.shared > self.frames * MAX_OVERLAP:
            raise DssError(f"{self}: shared is more than half of a chunk")

    @property
    def behind(self) -> int:
        """Number of frames from the first frame that a chunk finishes to the newest frame of the chunk."""
        return self.advance + self.shared + self.ahead

    @property
    def every(self) -> int:
        """Number of chunks between two updates of the state, so that few frames update the state twice."""
        return max(1, self.frames // self.advance)

    @property
    def first(self) -> int:
        """Index of the first chunk that updates the state: the last chunk that still holds all frames."""
        return (self.frames - self.behind) // self.advance

    def latency(self, signal: SignalConfig) -> int:
        """Return the latency in samples: sample n is returned after n + latency samples have been pushed."""
        return self.behind * signal.hop + signal.window - signal.hop

    def seconds(self, signal: SignalConfig) -> float:
        """Return the latency in seconds."""
        return self.latency(signal) / signal.sample_rate

    def to_dict(self, signal: SignalConfig) -> dict[str, Any]:
        """Return the timing as an entry of a model card, with the latency in seconds."""
        return {"seconds": self.seconds(signal), **asdict(self)}


def whole_chunks(signal: SignalConfig, overlap: float) -> Timing:
    """Return the timing of whole chunks; `overlap` is the share that is crossfaded with the next chunk."""
    shared = int(signal.frames * overlap)
    return Timing(signal.frames, signal.frames - shared, shared)


def offered(network: Network) -> tuple[Timing, ...]:
    """Return the timings with shorter latencies than whole chunks that a network offers, shortest first."""
    timings: Iterable[Timing] = getattr(network, "timings", ())
    return tuple(sorted(timings, key=lambda timing: timing.behind))


def own_latency(network: Network) -> float | None:
    """Return the latency in seconds for which a network was loaded; None: latency of whole chunks."""
    seconds: float | None = getattr(network, "latency", None)
    return seconds


def choose_timing(network: Network, seconds: float, overlap: float | None = None) -> Timing:
    """Return the timing that a network offers with the longest latency of at most `seconds`.

    Args:
        network: network that separates.
        seconds: largest latency in seconds.
        overlap: overlap of whole chunks, used if `seconds` allows whole chunks; None: the network's own.

    Raises:
        UsageError: the network offers no latency that short; the message lists the latencies on offer.
    """
    signal = network.signal
    whole = whole_chunks(signal, network.overlap if overlap is None else overlap)
    timings = [*offered(network), whole]
    fitting = [timing for timing in timings if timing.seconds(signal) <= seconds]
    if not fitting:
        raise UsageError(
            f"latency {seconds!r}: the model offers {named_latencies(timings, signal)} s"
            if len(timings) > 1
            else f"latency {seconds!r}: the model offers only {whole.seconds(signal):g} s"
        )
    return fitting[-1]


def named_latencies(timings: Sequence[Timing], signal: SignalConfig) -> str:
    """Return the latencies of timings in seconds, joined for a message."""
    *others, last = [f"{timing.seconds(signal):g}" for timing in timings]
    return f"{', '.join(others)} and {last}" if others else last
