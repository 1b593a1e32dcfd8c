"""A benchmark from the first warm-up to the last run: who may take part, and in which order."""

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
    """A row that takes part.

    Attributes:
        row: what was asked for.
        proof: who does the work.
        agreement: with the stems of the CPU on one thread; None for that row itself.
        runs: in the order of the repetitions.
        energies: of each run, by meter.
        start_ups: seconds of whole `dss separate` processes; empty where there are none.
        profile: of a run of its own; None where nobody asked for it.
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
    """Everything that was measured.

    Attributes:
        entries: the rows that took part.
        idle: what the meters counted while nothing ran.
        missing: (what, why) of each row that could not take part, and of what could not be measured.
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
    """Warm every row up, measure the idle machine, then let the rows take turns: A B A B.

    Each run has a new process, so that each tells the time of loading, and no row holds memory or
    threads while another one runs. The warm-up is a whole run, whose figures are dropped: it fills
    the caches of the disk and of the GPU's driver.

    Args:
        rows: as `plan_rows` makes them.
        recording: gives the recording for a model.
        folder: for the stems.
        open_worker: as `ProcessWorker`.
        meters: of energy; may be none.
        repeat: runs of each row.
        idle_seconds: for which the idle machine is measured, if there is a meter.
        gpu_required: a GPU that cannot be used, or computes something else, is an error, not a row that is
            missing.
        tell: given a line at the start of each phase; a progress bar would take part in what is
            measured.
        clock: in seconds, to tell how long the runs will take.

    Raises:
        DssError: a model or library that cannot be loaded, a run that fails, or a GPU that cannot
            be used though it is required.
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
    """The first run of a row, of each row once."""

    def __init__(
        self, recording: Callable[[str], Path], folder: Path, open_worker: Open, clock: Callable[[], float]
    ) -> None:
        self._recording, self._folder, self._open, self._clock = recording, folder, open_worker, clock
        self._done: dict[BenchmarkRow, tuple[Proof, Path, float]] = {}

    def get(self, row: BenchmarkRow) -> tuple[Proof, Path]:
        """The proof, and the folder with the stems."""
        if row not in self._done:
            stems = Path(tempfile.mkdtemp(prefix="stems-", dir=self._folder))
            started = self._clock()
            with self._open(row, self._recording(row.model), stems) as worker:
                worker.run()
            self._done[row] = worker.proof, stems, self._clock() - started
        return self._done[row][:2]

    def seconds(self, row: BenchmarkRow) -> float:
        """How long it took."""
        return self._done[row][2]
