"""Session of a benchmark: warm-ups, checks of the rows, and interleaved runs."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..energy import Energy, Meter, measure, measure_idle
from ..errors import DssError
from .agreement import agreement, check
from .measurement import Run
from .profile import Profile
from .rows import BenchmarkRow
from .subject import Proof, Refused
from .worker import Died, Worker

Open = Callable[[BenchmarkRow, Path, Path], Worker]  # row, recording, folder for the stems


@dataclass
class Entry:
    """Row that takes part, with its measurements.

    Attributes:
        row: the requested row.
        proof: the delegate that does the work.
        agreement: agreement with the stems of the CPU on one thread; None for that row itself.
        runs: runs in order of the repetitions.
        energies: energies of each run, one for each meter.
        start_ups: seconds of complete `dss separate` processes; may be empty.
        profile: profile of a separate run; None if not requested.
    """

    row: BenchmarkRow
    proof: Proof
    agreement: dict[str, Any] | None
    runs: list[Run] = field(default_factory=list)
    energies: list[tuple[Energy, ...]] = field(default_factory=list)
    start_ups: list[float] = field(default_factory=list)
    profile: Profile | None = None


@dataclass
class Measurements:
    """All measurements of a session.

    Attributes:
        entries: rows that took part.
        idle: energies of the idle machine, one for each meter.
        missing: (what, why) for each row that could not take part and each failed measurement.
    """

    entries: list[Entry] = field(default_factory=list)
    idle: tuple[Energy, ...] = ()
    missing: list[tuple[str, str]] = field(default_factory=list)


def run_session(
    rows: Sequence[BenchmarkRow],
    recording: Callable[[str], Path],
    folder: Path,
    open_worker: Open,
    meters: Sequence[Meter],
    *,
    repeat: int,
    idle_seconds: float,
    gpu_required: bool,
    tell: Callable[[str], None] = lambda message: None,
    clock: Callable[[], float] = time.monotonic,
) -> Measurements:
    """Warm up all rows, measure the idle machine, then run the rows interleaved: A B A B.

    Each run has a new process, so that its loading time is measured and no row holds memory or threads while
    another row runs. The warm-up is a complete run whose figures are discarded; it fills the caches of the
    disk and of the GPU's driver.

    Args:
        rows: rows from `plan_rows`.
        recording: function that returns the recording for a model.
        folder: folder for the stems.
        open_worker: constructor such as `ProcessWorker`.
        meters: energy meters; may be empty.
        repeat: runs of each row.
        idle_seconds: duration of the measurement of the idle machine, if there is a meter.
        gpu_required: raise an error if the GPU cannot be used or gives wrong results, instead of leaving out
            its row.
        tell: receives one line at the start of each phase; a progress bar would disturb the measurement.
        clock: function that returns the time in seconds, to predict the duration of the runs.

    Raises:
        DssError: a model or library cannot be loaded, a run fails, or a required GPU cannot be used.
    """
    session = Measurements()
    warm_ups = _WarmUps(recording, folder, open_worker, clock)
    for row in rows:
        tell(f"warming up: {row.model}, {row.name}")
        try:
            proof, stems = warm_ups.get(row)
            compared = None
            if row != row.reference:
                compared = agreement(stems, warm_ups.get(row.reference)[1])
                check(compared)
        except (Refused, Died) as error:
            if gpu_required or row.delegate != "gpu":
                way_out = "; `--delegate all` leaves it out" if gpu_required else ""
                raise DssError(f"{row.model} on {row.name}: {error}{way_out}") from error
            session.missing.append((f"GPU row of {row.model}", str(error)))
            continue
        session.entries.append(Entry(row, proof, compared))
    if meters:
        tell(f"measuring the idle machine: {idle_seconds:g} s")
        session.idle = measure_idle(meters, idle_seconds)
    turns = [entry for _ in range(repeat) for entry in session.entries]
    seconds = repeat * sum(warm_ups.seconds(entry.row) for entry in session.entries)
    tell(f"measuring: {len(turns)} runs, about {seconds:.0f} s")
    for entry in turns:
        with open_worker(entry.row, recording(entry.row.model), folder) as worker:
            if worker.proof != entry.proof:
                was, found = entry.proof.name, worker.proof.name
                raise DssError(f"{entry.row.model}: at first on {was}, then on {found}")
            with measure(meters) as energy:
                run = worker.run()
        entry.runs.append(run)
        entry.energies.append(energy.energies)
    return session


class _WarmUps:
    """First runs of the rows, made once for each row."""

    def __init__(
        self, recording: Callable[[str], Path], folder: Path, open_worker: Open, clock: Callable[[], float]
    ) -> None:
        self._recording, self._folder, self._open, self._clock = recording, folder, open_worker, clock
        self._done: dict[BenchmarkRow, tuple[Proof, Path, float]] = {}

    def get(self, row: BenchmarkRow) -> tuple[Proof, Path]:
        """Return the proof and the folder with the stems of a row."""
        if row not in self._done:
            stems = Path(tempfile.mkdtemp(prefix="stems-", dir=self._folder))
            started = self._clock()
            with self._open(row, self._recording(row.model), stems) as worker:
                worker.run()
            self._done[row] = worker.proof, stems, self._clock() - started
        return self._done[row][:2]

    def seconds(self, row: BenchmarkRow) -> float:
        """Return the duration of the warm-up of a row in seconds."""
        return self._done[row][2]
