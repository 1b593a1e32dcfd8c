"""Keep C libraries from printing to the user's terminal."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator

_LOCK = threading.RLock()  # file descriptor 2 belongs to the whole process


@contextlib.contextmanager
def captured_stderr() -> Iterator[list[str]]:
    """Divert file descriptor 2 within the block; afterwards the yielded list holds the captured lines."""
    lines: list[str] = []
    with _LOCK, tempfile.TemporaryFile() as capture:
        try:
            original = os.dup(2)
        except OSError:  # a daemon without stderr: no terminal to protect
            yield lines
            return
        os.dup2(capture.fileno(), 2)
        try:
            yield lines
        finally:
            os.dup2(original, 2)
            os.close(original)
            capture.seek(0)
            lines += capture.read().decode("utf-8", "replace").splitlines()
