"""Layout of a test set on disk: `dss simulate-test-set` writes it, `dss evaluate` reads it."""

from __future__ import annotations

from ..constants import STEMS

SCHEMA = 1  # version of both files
INDEX = "test-set.json"  # settings and strata
METADATA = "metadata.jsonl"  # one scene per line, with the path of each part
CUSTOM = "custom"  # instead of a preset's name
PARTS = ("mixture", *STEMS)  # files of every scene, and names of their folders
