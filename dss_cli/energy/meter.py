"""What a meter is, and how the failing of one is told."""

from __future__ import annotations

import abc
import errno
import math
from dataclasses import dataclass, field
from pathlib import Path


class MeterError(Exception):
    """A meter that cannot be read (any more): why, in a few words that follow its name.

    Not an error of the command: whoever measures prints the words where the number would stand.
    """


class Meter(abc.ABC):
    """A counter of joules. Energies of different scopes overlap: they must never be added up.

    Attributes:
        name: as `RAPL package-0`.
        scope: what is metered, as `CPU package`, `platform`, `GPU`, `machine`.
        longest_gap: seconds between two reads beyond which energy may be lost unnoticed.
    """

    name: str
    scope: str
    longest_gap: float = math.inf

    @abc.abstractmethod
    def read(self) -> float:
        """Joules since an origin of the meter's own; wrap-around is undone.

        Raises:
            MeterError: it cannot be read.
        """

    def percent(self) -> float | None:
        """What is left of a battery's full charge; None for a meter of another kind.

        Raises:
            MeterError: it cannot be read.
        """
        return None

    def close(self) -> None:  # noqa: B027  (most meters hold nothing)
        """Let go of what the meter holds; it is not read afterwards."""


@dataclass
class Found:
    """Meters that work here, and a line for each that does not, with its remedy."""

    meters: list[Meter] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __iadd__(self, other: Found) -> Found:
        self.meters += other.meters
        self.problems += other.problems
        return self

    def close(self) -> None:
        """Close every meter."""
        for meter in self.meters:
            meter.close()


def read_word(path: Path) -> str:
    """The text in a file of sysfs, without its line break.

    Raises:
        MeterError: the file has gone, or may not be read.
    """
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError as error:
        what = "vanished" if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO) else "cannot be read"
        raise MeterError(f"{what}: {path}: {error.strerror}") from error


def read_number(path: Path) -> int:
    """The whole number in a file of sysfs.

    Raises:
        MeterError: as `read_word`; or the file holds something else.
    """
    text = read_word(path)
    try:
        return int(text)
    except ValueError as error:
        raise MeterError(f"cannot be read: {path} holds {text!r}, no whole number") from error
