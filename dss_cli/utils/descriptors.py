"""Standard streams and special files (FIFOs, devices), which are written to and never replaced."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from typing import BinaryIO

PIPE = "-"  # as a path: standard input or output
STANDARD_OUTPUT_NAMES = frozenset({"/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"})
_data: BinaryIO | None = None  # a copy of descriptor 1 while descriptor 1 is diverted


def secure_standard_streams() -> None:
    """Reopen those of the descriptors 0 to 2 that were closed when the program started.

    If a standard descriptor is closed, the next opened file gets its number, and text for stderr would be
    written into that file. A closed stderr is replaced by a sink. Reading from a closed stdin and writing to
    a closed stdout stay errors.
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
    """Return whether `path` is a FIFO or a character device such as /dev/null."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


@contextlib.contextmanager
def standard_output() -> Iterator[BinaryIO]:
    """Yield standard output as a binary stream for data; other text printed to it goes to stderr meanwhile.

    The context can be nested; inner blocks get the same stream.
    """
    global _data
    stream = sys.stdout.buffer
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):  # a replacement without a descriptor, as in notebooks
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
    """Redirect a broken standard output to the null device, so that Python's flush at exit cannot fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
