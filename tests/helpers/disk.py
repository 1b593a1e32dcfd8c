"""Simulation of a full disk."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

resource = pytest.importorskip("resource", reason="limits the size of a file, as a full disk would")


@contextmanager
def full_disk(room=20_000):
    """Limit every file to `room` bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
