"""Score systems on test sets, scene by scene, in one process or several."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from typing import Any

from .._version import __version__
from ..errors import DssError, UsageError
from .conversation import pair
from .on_cluster import scorer_on_cluster
from .perceptual import measures
from .scenes import score_scene
from .scoring import Row
from .statistics import BOOTSTRAP, leakage_curve, strata
from .systems import Outputs, System
from .testset import ScoredScene, TestSet

SCHEMA = 1  # version of the results
Progress = Callable[[int, "int | None"], None]
Labelled = Callable[[str], "Progress | None"]

_outputs: Outputs  # system of this worker process


def evaluate(
    test_sets: Sequence[TestSet],
    systems: Sequence[System],
    *,
    jobs: int = 1,
    scheduler: str | None = None,
    perceptual: bool = False,
    start: Labelled = lambda label: None,
    warn: Callable[[str], None] = lambda message: None,
) -> dict[str, Any]:
    """Score every system on every test set.

    Args:
        test_sets: test sets from `read_test_set`.
        systems: systems to score.
        jobs: number of processes; the results do not depend on it.
        scheduler: address or scheduler file of a Dask cluster to use instead of processes. Models and test
            sets must have the same names on all workers.
        perceptual: also compute PESQ and STOI.
        start: function of a run's label; returns the progress function (done, total) of the run, or None.
        warn: receives the warnings, one line each.

    Returns:
        Object for JSON: `schema`, `version`, `bootstrap`, and `runs`, one for each pair of system and test
        set. A run has `system`, `test_set`, `strata`, `leakage` and `scenes` (the rows).

    Raises:
        UsageError: two systems or two test sets have the same name.
        DssError: a file is missing, damaged or of another length, a model does not run, or the cluster cannot
            be used.
    """
    _require_distinct([system.name for system in systems], "models or folders of stems")
    _require_distinct([test_set.about["name"] for test_set in test_sets], "test sets")
    for system in systems:
        for test_set in test_sets:
            system.check(test_set)
    if perceptual:
        for test_set in test_sets:
            measures(test_set.rate)  # raises its errors before any work
    runs = []
    for system in systems:
        with _scorer(system, jobs, scheduler, perceptual, warn) as (about, scored):
            for test_set in test_sets:
                progress = start(f"{system.name} on {test_set.about['name']}")
                rows: list[Row] = []
                for row in scored(test_set):
                    rows.append(row)
                    if progress:
                        progress(len(rows), len(test_set.scenes))
                pair(rows)
                runs.append(
                    {
                        "system": about,
                        "test_set": test_set.about,
                        "strata": strata(rows),
                        "leakage": leakage_curve(rows),
                        "scenes": rows,
                    }
                )
    return {"schema": SCHEMA, "version": __version__, "bootstrap": BOOTSTRAP, "runs": runs}


@contextmanager
def _scorer(
    system: System, jobs: int, scheduler: str | None, perceptual: bool, warn: Callable[[str], None]
) -> Iterator[tuple[dict[str, Any], Callable[[TestSet], Iterator[Row]]]]:
    """Yield the description of the system, and a function that returns the rows of a test set in order."""
    about, outputs = system.open(warn)  # processes open it again; this call fails early

    def task(score_one: Callable[..., Row], test_set: TestSet) -> Callable[[ScoredScene], Row]:
        return partial(score_one, rate=test_set.rate, perceptual=perceptual)

    if scheduler is not None:
        with scorer_on_cluster(system, about, scheduler, perceptual, warn) as rows:
            yield about, rows
        return
    if jobs == 1:
        here = partial(score_scene, outputs)
        yield about, lambda test_set: map(task(here, test_set), test_set.scenes)
        return
    # Not forked, because LiteRT's threads do not survive a fork.
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _open_in_worker, (system,))
    try:
        yield about, lambda t: pool.map(task(_score_in_worker, t), t.scenes, chunksize=4)
    except BrokenProcessPool as error:
        raise DssError(f"{system.name}: a process was killed; fewer --jobs need less memory") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _open_in_worker(system: System) -> None:
    global _outputs
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the parent reports it
    _, _outputs = system.open(lambda message: None)  # the first process has given the warnings


def _score_in_worker(scene: ScoredScene, rate: int, perceptual: bool) -> Row:
    return score_scene(_outputs, scene, rate, perceptual)


def _require_distinct(names: Sequence[str], what: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two {what} are called {name!r}; results are identified by name: rename one")
