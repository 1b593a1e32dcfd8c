"""Results held against the schemas that the package promises."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import jsonschema

BENCH = json.loads(files("dss_cli.benchmark").joinpath("schema.json").read_text(encoding="utf-8"))


def valid(result: Any) -> Any:
    """The results of `dss bench` if they are what its schema says."""
    jsonschema.Draft202012Validator(BENCH).validate(result)
    return result
