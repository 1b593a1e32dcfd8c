"""Energy of an interval: gross, net of the idle machine, or the reason why there is no number."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from .meter import Meter, MeterError

_READS_PER_GAP = 4  # reads per longest gap of a meter, so that a late thread loses no energy


@dataclass(frozen=True)
class Energy:
    """Energy of an interval by one meter.

    Attributes:
        meter, scope: name and scope of the meter.
        seconds: length of the interval.
        joules: gross energy of the meter's scope, including other programs; None if unknown.
        percent: percent of a battery's full charge; None for other meters.
        problem: reason if `joules` is None, else None.
    """

    meter: str
    scope: str
    seconds: float
    joules: float | None
    percent: float | None = None
    problem: str | None = None

    @property
    def watts(self) -> float | None:
        """Mean power in watts, None if the energy is unknown."""
        return None if self.joules is None else self.joules / self.seconds

    def net(self, idle: Energy) -> float | None:
        """Return the joules in excess of the idle machine's energy in the same time; None if unknown.

        The result may be slightly negative if the interval cost no more than idling; it is not clipped to 0.

        Args:
            idle: energy of the idle machine by the same meter.
        """
        if self.joules is None or idle.watts is None:
            return None
        return self.joules - idle.watts * self.seconds


class EnergyRun:
    """One interval on several meters; `energies` is available after its end (see `measure`)."""

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
        """Read all meters; failures are kept for the report."""
        with self._turn:
            for track in self._tracks:
                track.read(self._clock())

    def end(self) -> None:
        """Read all meters for the last time, and set `energies`."""
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

    Meters must not be used by two intervals at the same time.
    """
    run = EnergyRun(meters)
    try:
        yield run
    finally:
        run.end()


def measure_idle(
    meters: Sequence[Meter], seconds: float, sleep: Callable[[float], None] = time.sleep
) -> tuple[Energy, ...]:
    """Measure the energy of the machine while this process sleeps for `seconds`."""
    with measure(meters) as run:
        sleep(seconds)
    return run.energies


class _Track:
    """Readings of one meter: the first, the last, and the first failure."""

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
                f"was not read for {gap:.0f} s, and its counter may have wrapped around more than once"
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
                else f"did not change in {ended - begun:.1f} s: the interval is too short"
            )
        seconds = self._readings[-1][0] - self._readings[0][0] if self._readings else 0.0
        return Energy(meter.name, meter.scope, seconds, None, problem=self._problem)
