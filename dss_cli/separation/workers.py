"""Run the jobs of a batch in several processes, each of which loads the model once."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

from ..errors import DssError, ExitCode
from ..utils.endings import raise_on
from ..utils.machine import MOST_THREADS
from .batch import Job
from .running import PACKAGE, BatchListener, NetworkFacts, left_out, run_job

if TYPE_CHECKING:
    from ..runtime.litert import LiteRTNetwork
    from .files import Phase

    Load = Callable[..., LiteRTNetwork]

_PATIENCE = 10.0  # seconds for a worker to clean up when it is told to end
_BETWEEN = 0.1  # seconds between progress messages
_ENDINGS = [number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None))]


class Workers:
    """Worker processes, used as a context manager that starts and ends them.

    If a worker dies, its current recording fails and a new worker replaces it. If the context is left by an
    exception (such as Ctrl-C), every worker removes its temporary files and ends.

    Args:
        count: number of processes.
        load: function that loads the network; called in each process with `warn`.
        options: further arguments of `running.run_job`.
        one_on_gpu: use a single process if the network runs on a GPU, because several processes would only
            wait for the GPU.
    """

    def __init__(self, count: int, load: Load, options: dict[str, Any], one_on_gpu: bool = False) -> None:
        self._count = count
        self._load = load
        self._options = options
        self._one_on_gpu = one_on_gpu
        # A fork has all modules loaded; other systems do not support forks of processes with threads.
        method = "fork" if sys.platform == "linux" else "spawn"
        self._context: Any = multiprocessing.get_context(method)
        self._processes: dict[Connection, BaseProcess] = {}
        self._at: dict[Connection, int] = {}  # current job of each worker

    def __enter__(self) -> Workers:
        try:
            for _ in range(self._count):
                self._begin()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        if kind is None:
            for connection in self._processes:
                with contextlib.suppress(OSError):
                    connection.send(None)
            for process in self._processes.values():
                process.join(_PATIENCE)
        self._end()

    def run(self, jobs: Sequence[Job], listener: BatchListener) -> None:
        """Run the jobs, and return when all of them are finished.

        Raises:
            DssError: the network cannot be loaded; nothing was separated.
        """
        waiting = [number for number, job in enumerate(jobs) if not job.finished]
        left = len(waiting)
        for number, job in enumerate(jobs):
            if job.finished:
                listener.finished(number, left_out(job))
        facts: NetworkFacts | None = None
        while left:
            for connection in wait(list(self._processes)):
                assert isinstance(connection, Connection)
                try:
                    kind, *content = connection.recv()
                except (EOFError, OSError):
                    left -= self._bury(connection, jobs, listener, loaded=facts is not None)
                    continue
                if kind == "refused":
                    raise content[0]
                if kind == "ready":
                    if facts is None:
                        facts = content[0]
                        listener.ready(*content)
                    self._give(connection, jobs, waiting, facts)
                elif kind == "finished":
                    left -= 1
                    del self._at[connection]
                    listener.finished(*content)
                    self._give(connection, jobs, waiting, facts)
                else:
                    getattr(listener, kind)(*content)

    def _give(
        self, connection: Connection, jobs: Sequence[Job], waiting: list[int], facts: NetworkFacts | None
    ) -> None:
        """Send the next job to a worker, if there is one."""
        queueing = self._one_on_gpu and facts is not None and facts.used == "gpu" and self._at
        if waiting and not queueing:
            number = waiting.pop(0)
            self._at[connection] = number
            with contextlib.suppress(OSError):  # a dead worker is noticed at the next read
                connection.send((number, jobs[number]))

    def _bury(
        self, connection: Connection, jobs: Sequence[Job], listener: BatchListener, loaded: bool
    ) -> int:
        """Replace a dead worker; return the number of jobs that failed with it."""
        process = self._processes.pop(connection)
        connection.close()
        process.join()
        number = self._at.pop(connection, None)
        reason = _cause_of_death(process.exitcode)
        if number is None and not loaded:
            raise DssError(f"a worker process died while loading the model: {reason}; try --jobs 1")
        self._begin()
        if number is None:
            return 0
        job = jobs[number]
        error = f"{job.source}: its worker process died: {reason}"
        listener.finished(number, {"input": job.source, "error": error, "exit_code": int(ExitCode.FAILED)})
        return 1

    def _begin(self) -> None:
        ours, theirs = self._context.Pipe()
        verbose = logging.getLogger(PACKAGE).isEnabledFor(logging.INFO)
        forked = self._context.get_start_method() == "fork"
        inherited = [ours, *self._processes] if forked else []
        process = self._context.Process(
            target=_work, args=(theirs, self._load, self._options, verbose, inherited), daemon=True
        )
        with _signals_held():
            process.start()
        theirs.close()
        self._processes[ours] = process

    def _end(self) -> None:
        for process in self._processes.values():
            process.terminate()
        deadline = time.monotonic() + _PATIENCE
        for connection, process in self._processes.items():
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
            connection.close()
        self._processes.clear()


def _cause_of_death(status: int | None) -> str:
    if status is not None and status < 0:
        name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
        return f"killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    return f"exit code {status}"


# In the worker.


class _Teller:
    """Listener of a worker, which sends all events to the parent."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._last = 0.0

    def ready(self, facts: NetworkFacts, notes: Sequence[str], log: Sequence[str] = ()) -> None:
        self._connection.send(("ready", facts, notes, log))

    def warning(self, number: int, message: str) -> None:
        self._connection.send(("warning", number, message))

    def info(self, number: int, message: str) -> None:
        self._connection.send(("info", number, message))

    def progress(self, number: int, phase: Phase, done: int, total: int | None) -> None:
        now = time.monotonic()
        if now - self._last >= _BETWEEN:
            self._last = now
            self._connection.send(("progress", number, phase, done, total))

    def finished(self, number: int, entry: dict[str, Any]) -> None:
        self._connection.send(("finished", number, entry))


class _Forward(logging.Handler):
    """Log handler that sends lines about a job to the parent, and keeps lines about loading the network."""

    def __init__(self, teller: _Teller) -> None:
        super().__init__()
        self._teller = teller
        self.number: int | None = None
        self.early: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if self.number is None:
            self.early.append(record.getMessage())
        else:
            self._teller.info(self.number, record.getMessage())


def _work(
    connection: Connection,
    load: Load,
    options: dict[str, Any],
    verbose: bool,
    inherited: Sequence[Connection],
) -> None:
    """Load the network, and run jobs until there are none or the parent has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends this process
    raise_on(_ENDINGS, lambda number: SystemExit(128 + number))
    _release_signals()
    for other in inherited:
        other.close()
    sys.stderr = sys.__stderr__
    teller = _Teller(connection)
    forward = _Forward(teller)
    log = logging.getLogger(PACKAGE)
    log.handlers[:] = [forward]
    log.setLevel(logging.INFO if verbose else logging.WARNING)
    notes: list[str] = []
    try:
        network = load(warn=notes.append)
    except Exception as error:
        connection.send(("refused", error))
        return
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent has ended
        teller.ready(NetworkFacts.of(network), notes, forward.early)
        while (task := connection.recv()) is not None:
            forward.number, job = task
            teller.finished(forward.number, run_job(forward.number, job, network, options, teller))
            forward.number = None


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Block signals for a moment, so that none reaches a new process before it has its own handlers."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, *_ENDINGS])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _release_signals() -> None:
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT, *_ENDINGS])


def default_jobs(pending: int, cores: int) -> int:
    """Return the default number of processes: one for each core, at most the number of pending recordings."""
    return max(1, min(pending, cores))


def shared_threads(jobs: int, cores: int) -> int:
    """Return the number of threads for each of `jobs` processes."""
    return max(1, min(MOST_THREADS, cores // jobs))
