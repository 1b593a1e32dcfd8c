"""Process for one run of a row, so that its costs are measured separately and a crash does no harm."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol, TypeVar

from ..errors import DssError
from .measurement import Opening, Run, run_file, run_first_chunk
from .profile import Profile, profile_file
from .rows import BenchmarkRow
from .subject import Proof, Refused, prepare

Answer = TypeVar("Answer")

_PATIENCE = 5.0  # seconds from the request to end until the kill


class Died(DssError):
    """The process of a row ended unexpectedly, such as by a crash of a driver or a library."""


class Worker(Protocol):
    """Row that is loaded and warm, ready for one run; a context manager."""

    def __enter__(self) -> Worker: ...

    def __exit__(self, *error: object) -> None: ...

    @property
    def proof(self) -> Proof:
        """Delegate that runs the model."""

    def run(self) -> Run:
        """Do the run."""


class ProcessWorker:
    """Worker in a new process that has loaded a row and run its first chunk.

    Args:
        row: row to run.
        recording: path of the recording to separate.
        stems: folder for `near.wav` and `far.wav`.

    Raises:
        DssError: the model or the library cannot be loaded.
        Refused: the GPU was requested and cannot be used.
        Died: the process ended unexpectedly.
    """

    def __init__(self, row: BenchmarkRow, recording: Path, stems: Path) -> None:
        context = multiprocessing.get_context("spawn")  # LiteRT's threads do not survive a fork
        self._ours, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, row, recording, stems), name=row.name, daemon=True
        )
        with _ctrl_c_blocked():
            self._process.start()
        theirs.close()
        try:
            self.proof = self._answer(Proof)
        except BaseException:
            self._end(0)
            raise

    def __enter__(self) -> ProcessWorker:
        return self

    def __exit__(self, *error: object) -> None:
        self._end(0 if any(error) else _PATIENCE)

    def _end(self, patience: float) -> None:
        """Wait for the end of the process; terminate or kill it if necessary."""
        self._ours.close()
        self._process.join(patience)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join(_PATIENCE)
        if self._process.is_alive():
            self._process.kill()
        self._process.join()

    def run(self) -> Run:
        """Separate the recording.

        Raises:
            DssError: the separation failed.
            Died: the process ended unexpectedly.
        """
        return self._do(run_file, Run)

    def profile(self) -> Profile:
        """Separate the recording under the profiler, instead of `run`.

        Raises:
            DssError, Died: as `run`.
        """
        return self._do(profile_file, Profile)

    def _do(self, work: Callable[..., Answer], kind: type[Answer]) -> Answer:
        with suppress(BrokenPipeError):  # `_answer` reports the reason
            self._ours.send(work)
        return self._answer(kind)

    def _answer(self, kind: type[Answer]) -> Answer:
        try:
            answer = self._ours.recv()
        except (EOFError, ConnectionError):
            self._process.join(_PATIENCE)
            raise Died(f"its process ended with {_ending(self._process.exitcode)}") from None
        if isinstance(answer, BaseException):
            raise answer
        assert isinstance(answer, kind)
        return answer


def _serve(connection: Connection, row: BenchmarkRow, recording: Path, stems: Path) -> None:
    """Main function of the process: load the row, send the proof, receive one task, send its result."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both processes; the parent ends this one
    try:
        with suppress(EOFError, ConnectionError):  # the parent has ended
            try:
                _answers(connection, row, recording, stems)
            except (DssError, Refused) as error:
                connection.send(error)
    finally:
        connection.close()


def _answers(connection: Connection, row: BenchmarkRow, recording: Path, stems: Path) -> None:
    started = time.perf_counter()
    load = prepare(row)
    imported = time.perf_counter()
    network, proof = load()
    loaded = time.perf_counter()
    opening = Opening(imported - started, loaded - imported, run_first_chunk(network))
    connection.send(proof)
    work = connection.recv()
    connection.send(work(network, opening, recording, stems / "near.wav", stems / "far.wav"))


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        with suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"


@contextmanager
def _ctrl_c_blocked() -> Iterator[None]:
    """Block Ctrl-C for a moment; a process started meanwhile inherits the blocked signal: no traceback."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
