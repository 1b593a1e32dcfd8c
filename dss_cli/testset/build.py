"""Make a test set: distribute the scenes to processes or a cluster, and make them."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..cluster.dask import cluster
from ..cluster.processes import processes
from ..cluster.work import SHARING, Work
from ..errors import DssError
from .format import PARTS
from .plan import Plan
from .render import make_scene, scene_id
from .writer import TestSetFolder

CHUNK = 4  # scenes per piece of work
WORK = Work(
    "scenes",
    "made again",
    "make one scene",
    ("dss-cli", "numpy", "scipy", "pyroomacoustics", "soundfile", "soxr"),
)
_one_at_a_time = threading.Lock()


def build_test_set(
    path: Path,
    plan: Plan,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    *,
    scheduler: str | None = None,
    warn: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Make the missing scenes of a test set, then its tables; a complete test set is not changed.

    Args:
        path: folder of the test set.
        plan: plan from `draw_up`.
        jobs: number of processes.
        progress: called with (scenes done, all scenes).
        scheduler: address or scheduler file of a Dask cluster to use instead of processes. `path` and the
            material must have the same names on all workers.
        warn: receives one line about each lost worker.

    Returns:
        The index, as in test-set.json.

    Raises:
        UsageError: the folder has other content.
        DssError: a scene cannot be made or written, a process died, or the cluster cannot be used.
    """
    folder = _folder(path, plan)
    if folder.complete:
        return folder.index()
    todo = folder.missing()
    done = len(plan) - len(todo)
    ranges = [todo[i : i + CHUNK] for i in range(0, len(todo), CHUNK)]
    if scheduler is None:
        engine = processes(min(jobs, len(ranges)), WORK)
    else:
        engine = cluster(scheduler, warn, WORK)
        path, plan = path.absolute(), _anywhere(plan)
    with engine as run:
        folder.begin()
        if progress:
            progress(done, len(plan))
        with _claimed(path) as claim:
            for _, count in run(partial(make_scenes, path, plan, claim=claim), ranges):
                done += count
                if progress:
                    progress(done, len(plan))
    if scheduler is not None:
        _await(folder)
        folder.begin()  # removes temporary files of killed workers
    return folder.finish()


def make_scenes(path: Path, plan: Plan, numbers: Sequence[int], claim: Path | None = None) -> int:
    """Make and write some scenes of a plan; return their number. The call can be repeated safely.

    Args:
        path: folder in which the plan was begun.
        plan: plan from `draw_up`.
        numbers: numbers of the scenes.
        claim: file that exists as long as the run is active; None: no check.

    Raises:
        UsageError: the folder has other content.
        DssError: a scene cannot be made or written, or the run has ended.
    """
    with _turn(plan.protocol):
        _look_for(claim)
        folder, ingredients = _folder(path, plan), plan.ingredients()
        for number in numbers:
            stratum, index = plan.scene(number)
            scene = make_scene(ingredients, stratum, index, plan.seed, plan.seconds, plan.rate, plan.protocol)
            _look_for(claim)
            folder.write(scene)
    return len(numbers)


@contextmanager
def _turn(protocol: int) -> Iterator[None]:
    """Let one thread of this process make scenes at a time.

    pyroomacoustics, which simulates the rooms of protocol 1, has a global seed and number of threads.
    """
    with _one_at_a_time:
        if protocol != 1:
            yield
            return
        import pyroomacoustics as pra  # takes a second

        threads = pra.constants.get("num_threads")
        pra.constants.set("num_threads", 1)  # sums in the same order on every machine
        try:
            yield
        finally:
            pra.constants.set("num_threads", threads)


@contextmanager
def _claimed(path: Path) -> Iterator[Path]:
    """Yield a file that shows workers that they see this folder, and that the run is active.

    A cluster's worker may outlive the run, and must not write into the folder of the next run. The file is
    removed at the end. If this process is killed, the next run removes the file, by its name, at the start.
    """
    claim = path / PARTS[0] / f".{secrets.token_hex(8)}.part"
    claim.touch()
    try:
        yield claim
    finally:
        claim.unlink(missing_ok=True)


def _look_for(claim: Path | None) -> None:
    if claim is not None and not claim.exists():
        raise DssError(
            f"{claim.parent.parent}: no active run in this folder; all workers must see the same folder"
        )


def _folder(path: Path, plan: Plan) -> TestSetFolder:
    return TestSetFolder(path, plan.settings(), [scene_id(*scene) for scene in plan.scenes()])


def _anywhere(plan: Plan) -> Plan:
    """Return the plan with absolute paths, for processes in other working directories."""
    folders = {name: getattr(plan, name) for name in ("speech", "noise", "rirs")}
    return replace(plan, **{name: folder and folder.absolute() for name, folder in folders.items()})


def _await(folder: TestSetFolder) -> None:
    """Wait until the files written by workers appear here.

    Raises:
        DssError: files are still missing after `SHARING` seconds.
    """
    end = time.monotonic() + SHARING
    while missing := len(folder.missing()):
        if time.monotonic() > end:
            raise DssError(
                f"{folder.path}: {missing} scenes were made, but are not found: "
                "all workers must see the same folder"
            )
        time.sleep(0.5)
