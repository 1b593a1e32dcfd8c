"""Make a test set: what is to be done, and the scenes themselves. Who does it, `cluster` knows."""

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

import pyroomacoustics as pra

from ..cluster.dask import cluster
from ..cluster.processes import processes
from ..cluster.work import SHARING, Work
from ..errors import DssError
from .format import PARTS
from .plan import Plan
from .render import make_scene, scene_id
from .writer import TestSetFolder

CHUNK = 4  # scenes that are made before they are reported
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
    """Make the scenes that are not there yet, then the tables; a complete test set is left as it is.

    Args:
        path: the folder.
        plan: of `draw_up`.
        jobs: processes to make it with.
        progress: told of the scenes that are done, and of all.
        scheduler: of a running Dask cluster that makes it instead: its address, or its scheduler file.
            The workers must see `path` and the material under the same names.
        warn: told of workers that are lost, one line each.

    Returns:
        The index, as in test-set.json.

    Raises:
        UsageError: the folder holds something else.
        DssError: a scene cannot be made or written, a process died, or the cluster is of no use.
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
        folder.begin()  # sweeps once more: a killed worker may have left something
    return folder.finish()


def make_scenes(path: Path, plan: Plan, numbers: Sequence[int], claim: Path | None = None) -> int:
    """Make and write some scenes of a plan; returns how many. Safe to run anywhere, any number of times.

    Args:
        path: a folder in which the plan was begun.
        plan: of `draw_up`.
        numbers: of the scenes.
        claim: a file that is there as long as scenes are wanted.

    Raises:
        UsageError: the folder holds something else.
        DssError: a scene cannot be made or written, or is not wanted.
    """
    with _one_at_a_time:  # pyroomacoustics has one seed and one number of threads for the whole process
        threads = pra.constants.get("num_threads")
        pra.constants.set("num_threads", 1)  # sums in one order on every machine
        try:
            _look_for(claim)
            folder, ingredients = _folder(path, plan), plan.ingredients()
            for number in numbers:
                stratum, index = plan.scene(number)
                scene = make_scene(
                    ingredients, stratum, index, plan.seed, plan.seconds, plan.rate, plan.protocol
                )
                _look_for(claim)
                folder.write(scene)
        finally:
            pra.constants.set("num_threads", threads)
    return len(numbers)


@contextmanager
def _claimed(path: Path) -> Iterator[Path]:
    """A file by which all who make scenes know that they see this folder, and that its run goes on.

    The worker of a cluster may outlive the run, and write into the next one's folder. The file goes
    at the end; should this process be killed, the next run sweeps it, for its name, before it begins.
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
            f"{claim.parent.parent}: no such run here; who makes its scenes must see the same folder"
        )


def _folder(path: Path, plan: Plan) -> TestSetFolder:
    return TestSetFolder(path, plan.settings(), [scene_id(*scene) for scene in plan.scenes()])


def _anywhere(plan: Plan) -> Plan:
    """The plan for processes in other working directories."""
    folders = {name: getattr(plan, name) for name in ("speech", "noise", "rirs")}
    return replace(plan, **{name: folder and folder.absolute() for name, folder in folders.items()})


def _await(folder: TestSetFolder) -> None:
    """Until what was made elsewhere is seen here."""
    end = time.monotonic() + SHARING
    while missing := len(folder.missing()):
        if time.monotonic() > end:
            raise DssError(
                f"{folder.path}: {missing} scenes were made and are not there: "
                "who makes scenes must see the same folder"
            )
        time.sleep(0.5)
