"""Engine for many machines: the workers of a running Dask cluster.

An engine is a context manager that yields a function. This function takes the work function and the pieces,
and yields (index, result) of each piece in order of completion. Results do not depend on the engine.
"""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import re
import warnings
from collections.abc import Callable, Iterator, Sequence, Set
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..errors import DssError
from .work import Do, Run, Warn, Work

PATIENCE = 10.0  # seconds for a scheduler to answer


@contextmanager
def cluster(
    scheduler: str, warn: Warn, work: Work, lost: Callable[[int, str], Any] | None = None
) -> Iterator[Run]:
    """Yield a function that runs pieces on a Dask cluster; leaving the context cancels the waiting pieces.

    If a worker dies, its pieces go to another worker, up to the scheduler's `allowed-failures`.

    Args:
        scheduler: address of the scheduler (tcp://host:port), or path of its scheduler file.
        warn: receives one line about workers that are lost, missing or have several threads, and about
            different versions of Dask.
        work: description of the work, for checks and messages.
        lost: function that replaces the result of a piece over which too many workers died. It takes the
            index of the piece and a message. None ends the run instead.

    Raises:
        DssError: Dask is not installed, the scheduler does not answer or is lost, a worker has other
            versions or fails, or (without `lost`) too many workers died over one piece.
    """
    try:
        import distributed
    except ImportError as error:
        raise DssError(
            f"--engine dask needs more packages: pip install 'dss-cli[cluster]' ({error})"
        ) from None
    address = _answering(scheduler)
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # no tracebacks of a lost scheduler
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        client = distributed.Client(address, timeout=PATIENCE, set_as_default=False, name="dss")
    with _closing(client):
        for warning in caught:  # a table of versions; remove its ruling lines
            warn(" ".join(re.sub("[+-]{2,}", "", str(warning.message)).split()))
        _compare_pythons(client)

        def run(do: Do, pieces: Sequence[Any]) -> Iterator[tuple[int, Any]]:
            futures = client.map(_job(do, work.packages), pieces, pure=False)
            places = {str(future.key): place for place, future in enumerate(futures)}
            _watch(client, places.keys(), warn, work)
            finished = distributed.as_completed(
                futures, loop=client.loop, with_results=True, raise_errors=False
            )
            del futures  # finished pieces are released, and not repeated if their worker is lost
            for future, result in finished:
                place = places[str(future.key)]
                if future.status == "finished":
                    yield place, result
                    continue
                try:
                    future.result()  # raises its error
                except distributed.KilledWorker as error:
                    if lost is None:
                        raise
                    yield place, lost(place, _deadly(error, work))

        try:
            yield run
        except distributed.KilledWorker as error:
            raise DssError(f"{_deadly(error, work)}; {work.resume}") from None
        except ImportError as error:  # raised by _job
            raise DssError(str(error)) from None
        except CancelledError:
            raise DssError(
                f"{address}: the scheduler was lost or has dropped the work; {work.resume}"
            ) from None


@contextmanager
def _closing(client: Any) -> Iterator[None]:
    """Close a client in the end; an error of its own, as while it reconnects, does not replace others."""
    try:
        yield
    finally:
        with suppress(Exception):
            client.close()


def _deadly(error: Any, work: Work) -> str:
    return (
        f"worker {error.last_worker.address} died over {work.pieces} that had cost "
        f"{error.allowed_failures} others before"
    )


def _answering(scheduler: str) -> str:
    """Return the address of a scheduler that answers; asked before a client exists: failed clients linger."""
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
    except Exception as error:  # any error, if another program than Dask answers
        raise DssError(
            f"--scheduler {scheduler}: no Dask scheduler answers ({error or 'time is up'})"
        ) from None
    if kind != "Scheduler":
        raise DssError(f"--scheduler {scheduler}: a Dask {kind.lower()} answers, not a scheduler")
    return address


def _compare_pythons(client: Any) -> None:
    """Raise DssError if a worker has another Python version: `_job` is sent as byte code of this version."""
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


def _job(do: Do, packages: Sequence[str]) -> Do:
    """Return `do` for a worker: with a check of its packages, and with its name in every error.

    The function is sent as code and does its own imports. A function sent by name would kill a worker without
    dss-cli during unpickling, and the scheduler would have to import the packages too.
    """
    pickled, needed = pickle.dumps(do), {name: version(name) for name in packages}

    def job(piece: Any) -> Any:
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
            return pickle.loads(pickled)(piece)
        except (DssError, OSError) as error:
            raise DssError(f"{where}: {error}") from None

    return job


def this_worker() -> str:
    """Return the address of the worker that runs this code, and the name of its machine."""
    import platform

    from distributed import get_worker

    return f"{get_worker().address} ({platform.node()})"


def _watch(client: Any, keys: Set[str], warn: Warn, work: Work) -> None:
    """Warn about workers that are lost during one of these tasks, and when no worker is left."""
    workers: dict[str, int] = client.nthreads()
    alone = "no workers at the scheduler: waiting for one to come"

    def see(event: tuple[float, dict[str, Any]]) -> None:
        _, message = event
        if message["action"] == "add-worker":
            workers[message["worker"]] = 1
        elif message["action"] == "remove-worker":
            workers.pop(message["worker"], None)
            if not message.get("expected") and not keys.isdisjoint(message["processing-tasks"]):
                warn(f"worker {message['worker']} was lost; its {work.pieces} are {work.again} by another")
            if not workers:
                warn(alone)

    if not workers:
        warn(alone)
    if several := sum(threads > 1 for threads in workers.values()):
        warn(
            f"{several} of {len(workers)} workers have several threads, and {work.one} at a time all "
            "the same: dask worker --nworkers -1 --nthreads 1"
        )
    client.subscribe_topic("all", see)
