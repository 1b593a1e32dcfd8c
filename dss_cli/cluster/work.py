"""What the engines have in common: pieces of work in, results out as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Do = Callable[[Any], Any]  # picklable, safe to repeat; raises DssError
Run = Callable[[Do, Sequence[Any]], Iterator[tuple[int, Any]]]  # place of a piece, its result; as they come
Warn = Callable[[str], None]

SHARING = 60.0  # seconds that a network file system may take to show here what was written elsewhere


@dataclass(frozen=True)
class Work:
    """What an engine is told of the work, to check workers by and to speak of it.

    Attributes:
        pieces: what is worked on, say `scenes`.
        again: what becomes of those of a lost worker, say `made again`.
        one: what a worker does at a time, say `make one scene`.
        packages: that make the result, and have to be of one version everywhere.
        resume: how to go on after a run that ended early.
    """

    pieces: str
    again: str
    one: str
    packages: tuple[str, ...]
    resume: str = "the same command goes on where it stopped"
