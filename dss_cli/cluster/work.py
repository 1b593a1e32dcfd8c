"""Common types of the engines: work functions, pieces of work, and results in order of completion."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Do = Callable[[Any], Any]  # picklable, safe to repeat; raises DssError
Run = Callable[[Do, Sequence[Any]], Iterator[tuple[int, Any]]]  # (index, result), as completed
Warn = Callable[[str], None]

SHARING = 60.0  # seconds until a network file system shows files written on another machine


@dataclass(frozen=True)
class Work:
    """Description of the work for an engine, for checks of workers and for messages.

    Attributes:
        pieces: name of the pieces, such as `scenes`.
        again: treatment of the pieces of a lost worker, such as `made again`.
        one: task of a worker at a time, such as `make one scene`.
        packages: packages that affect the result and must have the same version on all workers.
        resume: advice for continuing after a run that ended early.
    """

    pieces: str
    again: str
    one: str
    packages: tuple[str, ...]
    resume: str = "the same command goes on where it stopped"
