"""How a test set lies on disk: `dss simulate-test-set` writes it, `dss evaluate` reads it."""

from __future__ import annotations

from ..constants import STEMS

SCHEMA = 1  # of both files
INDEX = "test-set.json"  # settings and strata
METADATA = "metadata.jsonl"  # a scene a line, with the path of each of its parts
CUSTOM = "custom"  # in the place of a preset's name
PARTS = ("mixture", *STEMS)  # files of every scene, and the names of their folders
