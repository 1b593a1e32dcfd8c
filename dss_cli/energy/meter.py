"""Interface of energy meters, and their errors."""

from __future__ import annotations

import abc
import errno
import math
from dataclasses import dataclass, field
from pathlib import Path


class MeterError(Exception):
    """A meter cannot be read (any more). The text is the reason, to be printed after the meter's name.

    The error does not end a command: the reason is printed in place of the number.
    """


class Meter(abc.ABC):
    """Counter of joules. The scopes of meters overlap, so their energies must never be added.

    Attributes:
        name: name such as `RAPL package-0`.
        scope: measured part of the machine: `CPU package`, `platform`, `GPU` or `machine`.
        longest_gap: longest allowed time between two reads in seconds; after a longer gap, energy may be
            lost.
    """

    name: str
    scope: str
    longest_gap: float = math.inf

    @abc.abstractmethod
    def read(self) -> float:
        """Return the joules since an arbitrary origin, corrected for wrap-around.

        Raises:
            MeterError: the meter cannot be read.
        """

    def percent(self) -> float | None:
        """Return the charge of a battery in percent of its full charge; None for other meters.

        Raises:
            MeterError: the meter cannot be read.
        """
        return None

    def close(self) -> None:  # noqa: B027  (most meters have nothing to close)
        """Release the meter's resources; the meter is not read afterwards."""


@dataclass
class Found:
    """Readable meters, and one line with a remedy for each unreadable one."""

    meters: list[Meter] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __iadd__(self, other: Found) -> Found:
        self.meters += other.meters
        self.problems += other.problems
        return self

    def close(self) -> None:
        """Close all meters."""
        for meter in self.meters:
            meter.close()


def read_word(path: Path) -> str:
    """Return the text of a sysfs file, without white space at its ends.

    Raises:
        MeterError: the file has vanished, or cannot be read.
    """
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError as error:
        what = "vanished" if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO) else "cannot be read"
        raise MeterError(f"{what}: {path}: {error.strerror}") from error


def read_number(path: Path) -> int:
    """Return the integer in a sysfs file.

    Raises:
        MeterError: as `read_word`, or the text is not an integer.
    """
    text = read_word(path)
    try:
        return int(text)
    except ValueError as error:
        raise MeterError(f"cannot be read: {path} holds {text!r}, not an integer") from error
