"""A disk that has no more room."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

resource = pytest.importorskip("resource", reason="limits the size of a file, as a full disk would")


@contextmanager
def full_disk(room=20_000):
    """Every file ends at `room` bytes, as on a disk that has no more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
