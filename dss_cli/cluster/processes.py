"""Engine for one machine: this process, or several child processes."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from ..errors import DssError
from .work import Do, Run, Work


@contextmanager
def processes(jobs: int, work: Work) -> Iterator[Run]:
    """Yield a function that runs pieces in this process (`jobs` below 2) or in `jobs` child processes.

    Raises:
        DssError: a child process died.
    """
    if jobs < 2:
        yield lambda do, pieces: enumerate(map(do, pieces))
        return

    def run(do: Do, pieces: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        places = {pool.submit(do, piece): place for place, piece in enumerate(pieces)}
        for future in as_completed(places):
            yield places[future], future.result()

    context = multiprocessing.get_context("spawn")  # forks of threads break audio libraries
    with ProcessPoolExecutor(jobs, context, _leave_interrupts_to_the_parent) as pool:
        try:
            yield run
        except BrokenProcessPool:
            raise DssError(f"a process died; {work.resume}") from None
        finally:
            pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
