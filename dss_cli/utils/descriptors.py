"""The standard streams and the special files of the system, which are written to and never replaced."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from typing import BinaryIO

STANDARD_OUTPUT_NAMES = frozenset({"/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"})
_data: BinaryIO | None = None  # a copy of descriptor 1 while that is diverted


def secure_standard_streams() -> None:
    """Put something behind descriptors 0 to 2 that were closed when the program began.

    Otherwise the next file to be opened gets such a number, and whatever prints to stderr writes into it. A
    closed stderr swallows; reading from a closed stdin and writing to a closed stdout are errors,
    as they should be.
    """
    for number, mode in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, mode)  # the lowest free number
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", errors="backslashreplace", closefd=False)  # noqa: SIM115


def is_stream(path: str | os.PathLike[str]) -> bool:
    """Whether a FIFO or a character device (such as /dev/null) is there: written to, not replaced."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


@contextlib.contextmanager
def standard_output() -> Iterator[BinaryIO]:
    """Standard output for data alone: what C libraries print there goes to stderr meanwhile.

    May be entered within itself; the stream is the same.
    """
    global _data
    stream = sys.stdout.buffer
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):  # replaced by something without one, as notebooks do
        yield stream
        return
    if _data is not None or descriptor != 1:
        yield _data or stream
        return
    stream.flush()
    with os.fdopen(os.dup(1), "wb", buffering=0) as private:
        os.dup2(2, 1)
        _data = private
        try:
            yield private
        finally:
            _data = None
            os.dup2(private.fileno(), 1)


def drop_standard_output() -> None:
    """Let what nobody can take go: Python would complain once more when it flushes stdout at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
