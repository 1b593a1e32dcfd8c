"""Score scenes on the workers of a Dask cluster, one task for each scene."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from ..cluster.dask import cluster
from ..cluster.work import Work
from ..errors import DssError
from ..separation.on_cluster import PACKAGES
from .scenes import score_scene
from .scoring import Row
from .systems import Outputs, System
from .testset import ScoredScene, TestSet

WORK = Work(
    "scenes",
    "scored again",
    "score one scene",
    PACKAGES,
    "the same command starts again",
)
_PERCEPTUAL = ("pesq", "pystoi")
_one_at_a_time = threading.Lock()  # a network runs one chunk at a time
_opened: tuple[System, dict[str, Any], Outputs] | None = None  # system of this worker


@contextmanager
def scorer_on_cluster(
    system: System,
    about: dict[str, Any],
    scheduler: str,
    perceptual: bool,
    warn: Callable[[str], None],
) -> Iterator[Callable[[TestSet], Iterator[Row]]]:
    """Yield a function that scores a test set and returns its rows in order.

    Args:
        system: system to score.
        about: description of the system opened here; a worker with another description is refused.
        scheduler: address of the scheduler, or path of its scheduler file.
        perceptual: also compute PESQ and STOI.
        warn: receives one line about each event on the workers.

    Raises:
        DssError: as `cluster.dask.cluster`, or a scene cannot be scored.
    """
    packages = (*WORK.packages, *system.packages, *(_PERCEPTUAL if perceptual else ()))
    with cluster(scheduler, warn, replace(WORK, packages=packages)) as run:

        def rows(test_set: TestSet) -> Iterator[Row]:
            do = partial(
                score_there, system=system.anywhere(), about=about, rate=test_set.rate, perceptual=perceptual
            )
            return _in_order(run(do, [_anywhere(scene) for scene in test_set.scenes]))

        yield rows


def score_there(
    scene: ScoredScene, *, system: System, about: dict[str, Any], rate: int, perceptual: bool
) -> Row:
    """Score one scene on a worker, which keeps the system open for the next scene.

    Raises:
        DssError: the worker has another system, or a file is missing or damaged.
    """
    global _opened
    with _one_at_a_time:
        if _opened is None or _opened[:2] != (system, about):
            found, outputs = system.open(lambda message: None)  # the command has given the warnings already
            if different := [name for name in about if found.get(name) != about[name]]:
                name = different[0]
                raise DssError(
                    f"{about['name']}: {name} is {found.get(name)!r} here, {about[name]!r} on the machine "
                    "that sends the work"
                )
            _opened = system, about, outputs
        return score_scene(_opened[2], scene, rate, perceptual)


def _anywhere(scene: ScoredScene) -> ScoredScene:
    """Return the scene with absolute paths, for processes in other working directories."""
    return replace(scene, files={part: path.absolute() for part, path in scene.files.items()})


def _in_order(results: Iterator[tuple[int, Row]]) -> Iterator[Row]:
    early: dict[int, Row] = {}
    wanted = 0
    for place, row in results:
        early[place] = row
        while wanted in early:
            yield early.pop(wanted)
            wanted += 1
