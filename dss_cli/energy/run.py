"""Energy over an interval: gross, net of the idle machine, and why where there is no number."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from .meter import Meter, MeterError

_READS_PER_GAP = 4  # of a meter's longest gap, so that a late thread loses nothing


@dataclass(frozen=True)
class Energy:
    """What one meter counted. Where `joules` is None, `problem` says why.

    Attributes:
        meter, scope: of the meter.
        seconds: that the interval took.
        joules: gross: everything that the meter's scope spent, other programs' share included.
        percent: of a battery's full charge; None for a meter of another kind.
    """

    meter: str
    scope: str
    seconds: float
    joules: float | None
    percent: float | None = None
    problem: str | None = None

    @property
    def watts(self) -> float | None:
        """Average power."""
        return None if self.joules is None else self.joules / self.seconds

    def net(self, idle: Energy) -> float | None:
        """Joules beyond what the idle machine, measured by the same meter, spends in that time.

        Slightly negative where the interval cost no more than idling: it is not made up to be 0.
        """
        if self.joules is None or idle.watts is None:
            return None
        return self.joules - idle.watts * self.seconds


class EnergyRun:
    """One interval on several meters; `energies` stands when it has ended (see `measure`)."""

    energies: tuple[Energy, ...]

    def __init__(self, meters: Sequence[Meter], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._turn = threading.Lock()
        self._tracks = [_Track(meter) for meter in meters]
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        gap = min((meter.longest_gap for meter in meters), default=float("inf"))
        if gap < threading.TIMEOUT_MAX:
            self._thread = threading.Thread(
                target=self._keep_reading, args=(gap / _READS_PER_GAP,), name="energy", daemon=True
            )
        self.read()
        if self._thread:
            self._thread.start()

    def read(self) -> None:
        """Read every meter; a failure is kept for the report."""
        with self._turn:
            for track in self._tracks:
                track.read(self._clock())

    def end(self) -> None:
        """Read for the last time."""
        self._ended.set()
        if self._thread:
            self._thread.join()
        self.read()
        self.energies = tuple(track.energy() for track in self._tracks)

    def _keep_reading(self, pause: float) -> None:
        while not self._ended.wait(pause):
            self.read()


@contextmanager
def measure(meters: Sequence[Meter]) -> Iterator[EnergyRun]:
    """Measure the block; afterwards `energies` of the yielded run has one entry per meter, in order.

    One interval at a time: meters are not shared by several threads.
    """
    run = EnergyRun(meters)
    try:
        yield run
    finally:
        run.end()


def measure_idle(
    meters: Sequence[Meter], seconds: float, sleep: Callable[[float], None] = time.sleep
) -> tuple[Energy, ...]:
    """What the machine spends while this process sleeps for so many seconds."""
    with measure(meters) as run:
        sleep(seconds)
    return run.energies


class _Track:
    """One meter's readings: the first, the last, and the first failure."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._readings: list[tuple[float, float, float | None]] = []  # seconds, joules, percent
        self._problem: str | None = None

    def read(self, now: float) -> None:
        if self._problem is not None:
            return
        try:
            reading = (now, self._meter.read(), self._meter.percent())
        except MeterError as error:
            self._problem = str(error)
            return
        if self._readings and (gap := now - self._readings[-1][0]) > self._meter.longest_gap:
            self._problem = (
                f"was not read for {gap:.0f} s, in which its counter may have wrapped around more than once"
            )
        self._readings[1:] = [reading]

    def energy(self) -> Energy:
        meter = self._meter
        if self._problem is None and len(self._readings) == 2:
            (begun, first, charge), (ended, last, left) = self._readings
            if last > first:
                percent = None if charge is None or left is None else charge - left
                return Energy(meter.name, meter.scope, ended - begun, last - first, percent)
            self._problem = (
                "ran backwards"
                if last < first
                else f"did not move in {ended - begun:.1f} s: too short a time"
            )
        seconds = self._readings[-1][0] - self._readings[0][0] if self._readings else 0.0
        return Energy(meter.name, meter.scope, seconds, None, problem=self._problem)
