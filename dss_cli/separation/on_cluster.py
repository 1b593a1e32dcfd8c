"""Run the jobs of a batch on the workers of a Dask cluster, one task for each recording."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..cluster.dask import cluster, this_worker
from ..cluster.work import SHARING, Work
from ..errors import DssError, ExitCode, UsageError
from ..utils import urls
from ..utils.descriptors import PIPE, is_stream
from .batch import Job
from .running import PACKAGE, BatchListener, NetworkFacts, left_out, run_job
from .staging import as_asked

if TYPE_CHECKING:
    from ..runtime.litert import LiteRTNetwork
    from .files import Phase

    Load = partial[LiteRTNetwork]

PACKAGES = ("dss-cli", "numpy", "ai-edge-litert", "soundfile", "soxr")  # packages that determine the stems
WORK = Work(
    "recordings",
    "separated again",
    "separate one recording",
    PACKAGES,
    "with --skip-existing the same command goes on where it stopped",
)
_LEFTOVER = ".{}.[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f].part"


@dataclass
class Outcome:
    """Result of a job, sent back by a worker.

    Attributes:
        entry: report of the job.
        facts: facts about the network that ran the job; None if none ran.
        notes: warnings of loading the network.
        warnings: warnings about the recording.
        log: log lines for `--verbose`, about the recording and about loading the network.
    """

    entry: dict[str, Any]
    facts: NetworkFacts | None = None
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)


def run_on_cluster(
    jobs: Sequence[Job],
    load: Load,
    options: dict[str, Any],
    listener: BatchListener,
    scheduler: str,
    warn: Callable[[str], None],
) -> None:
    """Run the jobs on a cluster, and return when all of them are finished.

    If a worker dies, its recording goes to another worker. A recording over which several workers die has
    failed; the other recordings continue. Local files must have the same names on all workers.

    Args:
        jobs: jobs of the batch.
        load: partial of `load_model` with the model as its first argument; called on each worker with
            `warn`. Workers must have the same model file.
        options: further arguments of `running.run_job`.
        listener: receives warnings and reports.
        scheduler: address of the scheduler, or path of its scheduler file.
        warn: receives one line about each event on the workers.

    Raises:
        UsageError: a job uses a pipe or a device.
        DssError: the cluster cannot be used or is lost, or a worker cannot load the model.
    """
    from ..runtime.registry import find_model

    for job in jobs:
        _refuse_streams(job)
    sha256 = find_model(load.args[0]).card["sha256"]
    waiting = [number for number, job in enumerate(jobs) if not job.finished]
    for number, job in enumerate(jobs):
        if job.finished:
            listener.finished(number, left_out(job))
    if not waiting:
        return
    losses: list[str] = []

    def told(message: str) -> None:
        losses.append(message)
        warn(message)

    def lost(place: int, message: str) -> Outcome:
        source = jobs[waiting[place]].source
        error = f"{source}: {message}"
        return Outcome({"input": source, "error": error, "exit_code": int(ExitCode.FAILED)})

    there = [_anywhere(job) for job in jobs]
    verbose = logging.getLogger(PACKAGE).isEnabledFor(logging.INFO)
    do = partial(
        separate_there, sha256=sha256, load=load, options={**options, "adopt": True}, verbose=verbose
    )
    unfinished = set(waiting)
    hear = _Hearing(listener, warn)
    try:
        with cluster(scheduler, told, WORK, lost) as run:
            for place, outcome in run(do, [there[number] for number in waiting]):
                number = waiting[place]
                if losses:
                    _sweep(there[number])
                unfinished.discard(number)
                hear(number, outcome, there[number], jobs[number])
    finally:
        for number in unfinished:  # a worker that still runs cannot publish its outputs then
            _sweep(there[number])


class _Hearing:
    """Receiver of the workers' results, which it forwards to the listener."""

    def __init__(self, listener: BatchListener, warn: Callable[[str], None]) -> None:
        self._listener, self._warn = listener, warn
        self._facts: NetworkFacts | None = None
        self._heard: set[str] = set()
        self._patience = SHARING

    def __call__(self, number: int, outcome: Outcome, there: Job, job: Job) -> None:
        entry = outcome.entry
        if outcome.facts is not None:
            self._network(outcome.facts, outcome.notes, entry["worker"])
        for message in outcome.log:
            self._listener.info(number, f"worker {entry['worker']}: {as_asked(message, there, job)}")
        for message in outcome.warnings:
            self._listener.warning(number, as_asked(message, there, job))
        if "error" not in entry and (missing := self._missing(there)):
            entry = {
                "error": f"{missing}: written by worker {entry['worker']}, but not found here; all machines "
                "must see the same folder",
                "exit_code": int(ExitCode.FAILED),
                "worker": entry["worker"],
            }
        elif "error" in entry and "worker" in entry:
            entry["error"] = f"{as_asked(entry['error'], there, job)} (worker {entry['worker']})"
        entry["input"] = job.source
        if "outputs" in entry:
            entry["outputs"] = dict(job.targets)
            entry["warnings"] = [as_asked(message, there, job) for message in entry["warnings"]]
        self._listener.finished(number, entry)

    def _network(self, facts: NetworkFacts, notes: list[str], worker: str) -> None:
        new = [note for note in notes if note not in self._heard]
        self._heard.update(new)
        if self._facts is None:
            self._facts = facts
            self._listener.ready(facts, new)
            return
        for note in new:
            self._warn(f"worker {worker}: {note}")
        if facts.used != self._facts.used and worker not in self._heard:
            self._heard.add(worker)
            here, first = facts.used.upper(), self._facts.used.upper()
            self._warn(f"worker {worker}: runs on the {here}, the first on the {first}")

    def _missing(self, job: Job) -> str | None:
        """Return the first output that is not found here; all jobs share one limit of waiting time."""
        for target in job.targets.values():
            while not urls.is_url(target) and not Path(target).exists():
                if self._patience <= 0:
                    return target
                self._patience -= 0.5
                time.sleep(0.5)
        return None


def _refuse_streams(job: Job) -> None:
    for path in (job.source, *job.targets.values()):
        if path == PIPE or (not urls.is_url(path) and is_stream(path)):
            name = "standard input and output" if path == PIPE else path
            raise UsageError(
                f"{name}: a pipe or a device of this machine; --engine dask takes files and URLs"
            )


def _anywhere(job: Job) -> Job:
    """Return the job with absolute paths, for processes in other working directories."""

    def absolute(path: str) -> str:
        return path if urls.is_url(path) else str(Path(path).absolute())

    targets = {stem: absolute(path) for stem, path in job.targets.items()}
    return replace(
        job, source=absolute(job.source), targets=targets, folder=job.folder and job.folder.absolute()
    )


def _sweep(job: Job) -> None:
    """Remove temporary files that a killed worker may have left beside the outputs."""
    for target in job.targets.values():
        if not urls.is_url(target):
            path = Path(target)
            name = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path.name)
            for leftover in path.parent.glob(_LEFTOVER.format(name)):
                leftover.unlink(missing_ok=True)


# On the worker.

_one_at_a_time = threading.Lock()  # a network runs one chunk at a time
_loaded: tuple[Any, LiteRTNetwork, list[str]] | None = None


def separate_there(
    job: Job, *, sha256: str, load: Load, options: dict[str, Any], verbose: bool = False
) -> Outcome:
    """Run one job on a worker, which keeps the network for the next job. The call can be repeated safely.

    Raises:
        DssError: the worker has another model file, or cannot load it.
    """
    with _one_at_a_time, _log_lines(verbose) as log:
        network, notes = _network(sha256, load)
        hearer = _Hearer()
        entry = run_job(0, job, network, options, hearer) | {"worker": this_worker()}
        return Outcome(entry, NetworkFacts.of(network), notes, hearer.warnings, log)


@contextmanager
def _log_lines(verbose: bool) -> Iterator[list[str]]:
    """Collect the log lines of the package; without `verbose` none."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger(PACKAGE)
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO if verbose else logging.WARNING)
    try:
        yield lines
    finally:
        log.removeHandler(handler)
        log.setLevel(before)


def _network(sha256: str, load: Load) -> tuple[LiteRTNetwork, list[str]]:
    global _loaded
    key = (sha256, load.args, sorted(load.keywords.items()))
    if _loaded is None or _loaded[0] != key:
        from ..runtime.registry import find_model

        found = find_model(load.args[0])
        if found.card["sha256"] != sha256:
            raise DssError(f"{found.path}: not the same model as on the requesting machine")
        _loaded = None  # free the memory of the former network
        notes: list[str] = []
        _loaded = (key, load(warn=notes.append), notes)
    return _loaded[1], _loaded[2]


class _Hearer:
    """Listener of one job on a worker, which keeps the warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def ready(self, facts: NetworkFacts, notes: Sequence[str], log: Sequence[str] = ()) -> None:
        pass

    def info(self, number: int, message: str) -> None:
        pass

    def warning(self, number: int, message: str) -> None:
        self.warnings.append(message)

    def progress(self, number: int, phase: Phase, done: int, total: int | None) -> None:
        pass

    def finished(self, number: int, entry: dict[str, Any]) -> None:
        pass
