"""Make a test set, with as many processes as asked for; the files do not depend on how many."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pyroomacoustics as pra

from ...errors import DssError
from .folder import TestSetFolder
from .plan import Plan
from .scene import make_scene, scene_id

CHUNK = 4  # scenes a process makes before it reports


def build(
    path: Path, plan: Plan, jobs: int = 1, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Make the scenes that are not there yet, then the tables; a complete test set is left as it is.

    Returns:
        The index, as in test-set.json.

    Raises:
        UsageError: the folder holds something else.
        DssError: a scene cannot be made or written, or a process died.
    """
    folder = _folder(path, plan)
    if folder.complete:
        return folder.index()
    folder.begin()
    todo = folder.missing()
    done = len(plan) - len(todo)
    ranges = [todo[i : i + CHUNK] for i in range(0, len(todo), CHUNK)]

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress(done, len(plan))

    advance(0)
    if jobs == 1 or len(ranges) < 2:
        for numbers in ranges:
            advance(make_scenes(path, plan, numbers))
    else:
        _in_processes(path, plan, ranges, jobs, advance)
    return folder.finish()


def make_scenes(path: Path, plan: Plan, numbers: Sequence[int]) -> int:
    """Make and write some scenes of a plan; returns how many. Safe to run anywhere, any number of times."""
    threads = pra.constants.get("num_threads")
    pra.constants.set("num_threads", 1)  # sums in one order on every machine
    try:
        folder, ingredients = _folder(path, plan), plan.ingredients()
        for number in numbers:
            stratum, index = plan.scene(number)
            folder.write(make_scene(ingredients, stratum, index, plan.seed, plan.seconds))
    finally:
        pra.constants.set("num_threads", threads)
    return len(numbers)


def _folder(path: Path, plan: Plan) -> TestSetFolder:
    return TestSetFolder(path, plan.settings(), [scene_id(*scene) for scene in plan.scenes()])


def _in_processes(
    path: Path, plan: Plan, ranges: Sequence[Sequence[int]], jobs: int, advance: Callable[[int], None]
) -> None:
    context = multiprocessing.get_context("spawn")  # forked threads and audio libraries do not go together
    with ProcessPoolExecutor(min(jobs, len(ranges)), context, _leave_interrupts_to_the_parent) as pool:
        pending = {pool.submit(make_scenes, path, plan, numbers) for numbers in ranges}
        try:
            while pending:
                finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in finished:
                    advance(future.result())
        except BrokenProcessPool:
            raise DssError(f"{path}: a process died; the same command goes on where it stopped") from None
        finally:
            pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
