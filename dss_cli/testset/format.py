"""Layout of a test set on disk: `dss simulate-test-set` writes it, `dss evaluate` reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..constants import STEMS

SCHEMA = 1  # version of both files
INDEX = "test-set.json"  # settings and strata
METADATA = "metadata.jsonl"  # a line per scene, with the paths of its parts
MANIFEST = "manifest.csv"  # the same as a flat table
CARD = "README.md"  # documentation for readers
CUSTOM = "custom"  # instead of a preset's name
PARTS = ("mixture", *STEMS)  # files of every scene and their folders


def protocol_of(index: Mapping[str, Any]) -> int:
    """Return the protocol of a test set's rooms, 1 for test sets without this entry."""
    protocol: int = index.get("protocol", 1)
    return protocol
