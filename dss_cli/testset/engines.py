"""Who makes the scenes of a test set: this process, several processes, or the workers of a Dask cluster.

An engine is a context that gives a function: it takes what makes a range of scenes and the ranges, and
says of each range, as soon as it is done, how many scenes that was. The files do not depend on the engine.
"""

from __future__ import annotations

import asyncio
import json
import logging
import multiprocessing
import pickle
import re
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence, Set
from concurrent.futures import CancelledError, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..errors import DssError

Range = Sequence[int]
Make = Callable[[Range], int]  # picklable, safe to repeat; raises DssError
Run = Callable[[Make, Sequence[Range]], Iterator[int]]
Warn = Callable[[str], None]

PATIENCE = 10.0  # seconds for a scheduler to answer
PACKAGES = ("dss-cli", "numpy", "scipy", "pyroomacoustics", "soundfile", "soxr")  # that make the bytes
AGAIN = "the same command goes on where it stopped"


@contextmanager
def processes(jobs: int) -> Iterator[Run]:
    """This process, or that many others.

    Raises:
        DssError: a process died.
    """
    if jobs < 2:
        yield map
        return

    def run(make: Make, ranges: Sequence[Range]) -> Iterator[int]:
        for future in as_completed([pool.submit(make, numbers) for numbers in ranges]):
            yield future.result()

    context = multiprocessing.get_context("spawn")  # forked threads and audio libraries do not go together
    with ProcessPoolExecutor(jobs, context, _leave_interrupts_to_the_parent) as pool:
        try:
            yield run
        except BrokenProcessPool:
            raise DssError(f"a process died; {AGAIN}") from None
        finally:
            pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def cluster(scheduler: str, warn: Warn) -> Iterator[Run]:
    """The workers of a running Dask cluster; leaving the context cancels what has not begun.

    The ranges of a worker that dies are made by another, up to the scheduler's `allowed-failures`.

    Args:
        scheduler: its address (tcp://host:port), or the path of its scheduler file.
        warn: told of workers that are lost, missing or have several threads, and of other versions
            of Dask.

    Raises:
        DssError: Dask is not installed, no scheduler answers or it is lost, a worker has other
            versions or cannot do the work, or several workers died over the same range.
    """
    try:
        import distributed
    except ImportError as error:
        raise DssError(
            f"--engine dask needs more packages: pip install 'dss-cli[cluster]' ({error})"
        ) from None
    address = _answering(scheduler)
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # tracebacks of a lost scheduler
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        client = distributed.Client(address, timeout=PATIENCE, set_as_default=False, name="dss")
    with client:
        for warning in caught:  # a table of versions, without its rules
            warn(" ".join(re.sub("[+-]{2,}", "", str(warning.message)).split()))
        _compare_pythons(client)

        def run(make: Make, ranges: Sequence[Range]) -> Iterator[int]:
            futures = client.map(_job(make), ranges, pure=False)
            sizes = {str(future.key): len(numbers) for future, numbers in zip(futures, ranges, strict=True)}
            _watch(client, sizes.keys(), warn)
            finished = distributed.as_completed(futures, loop=client.loop)
            del futures  # what is done is forgotten, and not done again when its worker goes
            for future in finished:
                if future.status != "finished":
                    future.result()  # raises
                yield sizes[str(future.key)]

        try:
            yield run
        except distributed.KilledWorker as error:
            raise DssError(
                f"worker {error.last_worker.address} died over scenes that had cost "
                f"{error.allowed_failures} others before; {AGAIN}"
            ) from None
        except ImportError as error:  # of _job
            raise DssError(str(error)) from None
        except CancelledError:
            raise DssError(f"{address}: the scheduler was lost or has dropped the work; {AGAIN}") from None


def _answering(scheduler: str) -> str:
    """The address of a scheduler that answers, asked before there is a client: one that fails lingers."""
    from distributed import Security, rpc

    async def identity(address: str) -> dict[str, Any]:
        secured = Security().get_connection_args("client")
        async with rpc(address, timeout=PATIENCE, connection_args=secured) as there:
            answer: dict[str, Any] = await asyncio.wait_for(there.identity(), PATIENCE)
            return answer

    try:
        file = Path(scheduler)
        address = str(json.loads(file.read_bytes())["address"]) if file.is_file() else scheduler
        kind = asyncio.run(identity(address))["type"]
    except Exception as error:  # of any kind, if something else than Dask answers
        raise DssError(
            f"--scheduler {scheduler}: no Dask scheduler answers ({error or 'time is up'})"
        ) from None
    if kind != "Scheduler":
        raise DssError(f"--scheduler {scheduler}: a Dask {kind.lower()} answers, not a scheduler")
    return address


def _compare_pythons(client: Any) -> None:
    """Python runs the code of another version (`_job` is sent as code), but not as it is meant."""
    versions = client.get_versions()
    ours, *theirs = (
        (address, ".".join(there["host"]["python"].split(".")[:2]))
        for address, there in [("here", versions["client"]), *versions["workers"].items()]
    )
    for address, python in theirs:
        if python != ours[1]:
            raise DssError(
                f"worker {address}: has Python {python}, not {ours[1]} as here; install that there"
            )


def _job(make: Make) -> Callable[[Range], int]:
    """`make` for a worker: after a look at its packages, and with its name in every error.

    The function travels as code and imports for itself: one sent by name would kill a worker
    without dss-cli as it unpacks it, and the scheduler would have to load all that makes scenes.
    """
    pickled, needed = pickle.dumps(make), {name: version(name) for name in PACKAGES}

    def make_scenes(numbers: Range) -> int:
        import pickle
        import platform
        from importlib.metadata import PackageNotFoundError, version

        from distributed import get_worker

        where = f"worker {get_worker().address} ({platform.node()})"
        for name, ours in needed.items():
            try:
                theirs = version(name)
            except PackageNotFoundError:
                theirs = "not at all"
            if theirs != ours:
                raise ImportError(f"{where}: has {name} {theirs}, not {ours} as here; install that there")
        from ..errors import DssError

        try:
            made: int = pickle.loads(pickled)(numbers)
            return made
        except (DssError, OSError) as error:
            raise DssError(f"{where}: {error}") from None

    return make_scenes


def _watch(client: Any, keys: Set[str], warn: Warn) -> None:
    """Tell of workers as they are lost, if it was over one of these tasks, and when none is left."""
    workers: dict[str, int] = client.nthreads()
    alone = "no workers at the scheduler: waiting for one to come"

    def see(event: tuple[float, dict[str, Any]]) -> None:
        _, message = event
        if message["action"] == "add-worker":
            workers[message["worker"]] = 1
        elif message["action"] == "remove-worker":
            workers.pop(message["worker"], None)
            if not message.get("expected") and not keys.isdisjoint(message["processing-tasks"]):
                warn(f"worker {message['worker']} was lost; its scenes are made again by another")
            if not workers:
                warn(alone)

    if not workers:
        warn(alone)
    if several := sum(threads > 1 for threads in workers.values()):
        warn(
            f"{several} of {len(workers)} workers have several threads, and make one scene at a time all "
            "the same: dask worker --nworkers -1 --nthreads 1"
        )
    client.subscribe_topic("all", see)
