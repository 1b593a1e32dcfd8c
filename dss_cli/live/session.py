"""Live session from a microphone to a loudspeaker: thread between the two callbacks, and its counters."""

from __future__ import annotations

import math
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import DssError
from .drift import DriftController
from .interpolation import Interpolator
from .recording import Recording
from .reserve import Reserve
from .ring import Ring
from .separator import Keep, LiveSeparator, Mixer

Floats = npt.NDArray[np.float32]

BLOCK_SECONDS = 0.02  # block of the thread
WAIT_SECONDS = 0.005  # interval between checks for input
QUEUE_SECONDS = 2.0  # capacity of a queue, which bridges a busy computer
LATE_SECONDS = 0.5  # excess length of the output queue at which blocks are skipped
SILENCE_DB = -120.0


class _Device(Protocol):
    """Device with a queue of samples between its callback and the session."""

    @property
    def rate(self) -> int:
        """In Hz."""

    @property
    def queue(self) -> Ring:
        """Queue of recorded samples, or of samples to play."""


class SoundSource(_Device, Protocol):
    """Source of sound."""

    @property
    def lost(self) -> int:
        """Number of losses due to a full queue or reported by the device."""


class SoundSink(_Device, Protocol):
    """Destination of sound."""

    @property
    def starved(self) -> int:
        """Number of gaps in the output."""


@dataclass(frozen=True)
class LiveStatus:
    """Status of a session; `to_dict` is ready for JSON.

    Attributes:
        seconds: seconds of processed sound.
        keep: talkers in the output.
        passthrough: whether the output is the unprocessed microphone.
        near_db, far_db: level of the last block in dB re full scale.
        load: share of the time for computing, over some seconds.
        latency: seconds from the microphone's callback to the loudspeaker's: model, rate conversion, queues.
        lost: overruns: losses of input.
        starved: underruns: gaps in the output.
        drift_ppm: drift between the two clocks in ppm.
    """

    seconds: float
    keep: str
    passthrough: bool
    near_db: float
    far_db: float
    load: float
    latency: float
    lost: int
    starved: int
    drift_ppm: float

    def to_dict(self) -> dict[str, Any]:
        """Return the status as plain types."""
        return asdict(self)


class LiveSession:
    """Session that moves sound from a source through a separator to a sink, on a separate thread.

    Args:
        separator: separator at the source's rate.
        source, sink: devices with their queues.
        record: recorder of mixture, near and far, if any.
        computing: measured seconds of the network per chunk.
        keep, balance: as in `LiveSeparator`; `choose` changes them in a running session.

    Attributes:
        passthrough: play the unprocessed microphone with the same delay; can be set at any time.
        failure: error that ended the thread, if any.
    """

    def __init__(
        self,
        separator: LiveSeparator,
        source: SoundSource,
        sink: SoundSink,
        record: Recording | None = None,
        computing: float = 0.0,
        keep: Keep = "near",
        balance: float = 0.0,
    ) -> None:
        self._separator, self._source, self._sink, self._record = separator, source, sink, record
        self._mixer = Mixer(source.rate, keep, balance)
        self._conversion = Interpolator(source.rate, sink.rate)
        self._reserve = Reserve(computing)
        self._control = DriftController(self._target)
        self._playing = False
        self._factor = 1.0
        self._late = np.zeros(separator.delay, np.float32)  # microphone, delayed like the stems
        self._skip = separator.delay  # leading silence, which is not recorded
        self._frames = 0
        self._busy = self._load = 0.0
        self._levels = (SILENCE_DB, SILENCE_DB)
        self._dropped = 0  # blocks
        self.passthrough = False
        self.failure: BaseException | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dss live", daemon=True)

    def start(self) -> None:
        """Start the session."""
        self._thread.start()

    def stop(self) -> None:
        """End the session, wait for the thread, and raise its error, if any.

        Raises:
            DssError: the network failed, or the recording could not be written.
        """
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        if self.failure is not None:
            raise self.failure

    def choose(self, keep: Keep) -> None:
        """Change the talkers in the output."""
        self._mixer.set(keep, self._mixer.balance)

    def wait(self, seconds: float) -> bool:
        """Wait; return whether the session continues."""
        return not self._ended.wait(seconds)

    @property
    def status(self) -> LiveStatus:
        """Return the present status."""
        near, far = self._levels
        queued = len(self._source.queue) / self._source.rate + len(self._sink.queue) / self._sink.rate
        return LiveStatus(
            round(self._frames / self._source.rate, 3),
            self._mixer.keep,
            self.passthrough,
            round(near, 1),
            round(far, 1),
            round(self._load, 3),
            round(self._separator.latency + queued, 3),
            self._source.lost + self._dropped,
            self._sink.starved,
            round(1e6 * self._control.drift, 1),
        )

    def _run(self) -> None:
        try:
            most = max(1, round(BLOCK_SECONDS * self._source.rate))
            while not self._ended.is_set():
                block = self._source.queue.read(most)
                if len(block):
                    self.process(block)
                else:
                    time.sleep(WAIT_SECONDS)
        except BaseException as error:
            self.failure = error
            self._ended.set()

    def process(self, block: Floats) -> None:
        """Process one block."""
        begin = time.perf_counter()
        # Invalid samples of a sound card must not end the session.
        stems = self._separator.push_stems(np.nan_to_num(block, posinf=0.0, neginf=0.0))
        delayed = np.concatenate((self._late, block))
        mixture, self._late = delayed[: len(block)], delayed[len(block) :]
        kept = self._mixer.mix(*stems)
        self._play(mixture if self.passthrough else kept, len(block) / self._source.rate)
        if self._record is not None:
            parts = {"mixture": mixture, "near": stems.near, "far": stems.far}
            self._record.write({name: part[self._skip :] for name, part in parts.items()})
            self._skip = max(0, self._skip - len(block))
        self._frames += len(block)
        self._levels = (level(stems.near), level(stems.far))
        seconds = len(block) / self._source.rate
        share = (time.perf_counter() - begin) / seconds
        self._load += (share - self._load) * (1 - math.exp(-seconds / 3.0))

    @property
    def _target(self) -> float:
        """Length of the output queue in seconds."""
        return self._reserve.seconds + BLOCK_SECONDS

    def _play(self, samples: Floats, seconds: float) -> None:
        queue, rate = self._sink.queue, self._sink.rate
        if not len(queue):
            # At the start, or after a gap: one long silence instead of many gaps.
            if self._playing:
                self._reserve.grow()
            self._playing = True
            queue.write(np.zeros(round(self._target * rate), np.float32))
            self._control.restart(self._target)
        elif len(queue) > (self._target + LATE_SECONDS) * rate:
            self._dropped += 1  # the loudspeaker was lost or asleep
            self._control.restart(self._target)
            return
        step = self._conversion.step * self._factor
        queue.write(self._conversion.push(samples, step))
        self._factor = self._control.update(len(queue) / rate, seconds)


def level(block: Floats) -> float:
    """Return the RMS level in dB re full scale, at least SILENCE_DB."""
    power = float(np.mean(np.square(block, dtype=np.float64))) if len(block) else 0.0
    return max(SILENCE_DB, 10 * math.log10(power)) if power > 0 else SILENCE_DB


def computing_seconds(separator: LiveSeparator, turns: int = 7) -> float:
    """Return the computing time of a chunk in seconds: the median of several, without the first.

    Raises:
        DssError: the network fails.
    """
    timing = separator.timing
    signal = separator.network.signal
    network: Any = separator.network
    chunk = np.full((1, timing.frames, signal.bins, 3), 0.1, np.float32)
    state = network.begin() if hasattr(network, "begin") else None
    times = []
    for _ in range(turns):
        begin = time.perf_counter()
        _ = network.separate(chunk, state) if state is not None else network.separate(chunk)
        times.append(time.perf_counter() - begin)
    return statistics.median(times[1:])


def latency_that_works(
    make: Callable[[float], LiveSeparator], latencies: list[float], most: float = 0.8
) -> float | None:
    """Return the shortest latency whose chunks need at most a share `most` of the time; None: none.

    Args:
        make: returns a separator for a latency.
        latencies: latencies in seconds.
        most: largest share of the time.
    """
    for seconds in sorted(latencies):
        separator = make(seconds)
        if computing_seconds(separator) <= most * separator.advance_seconds:
            return seconds
    return None


def too_slow(
    separator: LiveSeparator, computing: float, make: Callable[[float], LiveSeparator], latencies: list[float]
) -> DssError | None:
    """Return a message with a working latency if the requested one does not work; otherwise None."""
    if computing <= separator.advance_seconds:
        return None
    advance, asked = separator.advance_seconds, separator.timing.seconds(separator.network.signal)
    works = latency_that_works(make, [seconds for seconds in latencies if seconds > asked])
    way_out = f"--latency {works:g} works here" if works else "no latency of this model works here"
    return DssError(
        f"latency {asked:g} s needs a chunk every {1000 * advance:.0f} ms, and one takes "
        f"{1000 * computing:.0f} ms here: {way_out}"
    )
