"""Validation of results against the package's JSON schemas."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import jsonschema

BENCH = json.loads(files("dss_cli.benchmark").joinpath("schema.json").read_text(encoding="utf-8"))


def valid(result: Any) -> Any:
    """Return the results of `dss bench` after validation against their schema."""
    jsonschema.Draft202012Validator(BENCH).validate(result)
    return result
