"""Scenes scored by the workers of a Dask cluster: one task for each."""

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
    "the same command begins anew",
)
_PERCEPTUAL = ("pesq", "pystoi")
_one_at_a_time = threading.Lock()  # a network takes one chunk at a time
_opened: tuple[System, dict[str, Any], Outputs] | None = None  # of a worker


@contextmanager
def scorer_on_cluster(
    system: System,
    about: dict[str, Any],
    scheduler: str,
    perceptual: bool,
    warn: Callable[[str], None],
) -> Iterator[Callable[[TestSet], Iterator[Row]]]:
    """Yield the function that gives the rows of a test set, in order.

    Args:
        system: what is scored.
        about: as it was opened here; a worker where it is another is refused.
        scheduler: its address, or its scheduler file.
        perceptual: PESQ and STOI as well.
        warn: told of what happens to workers, one line each.

    Raises:
        DssError: as `cluster.dask.cluster`; and a scene that cannot be scored.
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
    """Score one scene on a worker, which keeps the system for the next one.

    Raises:
        DssError: the system is another one here, or a file is missing or damaged.
    """
    global _opened
    with _one_at_a_time:
        if _opened is None or _opened[:2] != (system, about):
            found, outputs = system.open(lambda message: None)  # it was said where the command runs
            if different := [name for name in about if found.get(name) != about[name]]:
                name = different[0]
                raise DssError(
                    f"{about['name']}: {name} is {found.get(name)!r} here, {about[name]!r} for who asks"
                )
            _opened = system, about, outputs
        return score_scene(_opened[2], scene, rate, perceptual)


def _anywhere(scene: ScoredScene) -> ScoredScene:
    """The scene for processes in other working directories."""
    return replace(scene, files={part: path.absolute() for part, path in scene.files.items()})


def _in_order(results: Iterator[tuple[int, Row]]) -> Iterator[Row]:
    early: dict[int, Row] = {}
    wanted = 0
    for place, row in results:
        early[place] = row
        while wanted in early:
            yield early.pop(wanted)
            wanted += 1
