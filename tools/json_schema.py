"""JSON schemas of results, generated from their types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

BENCH = Path("dss_cli/benchmark/schema.json")
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def write(path: Path) -> None:
    """Write the schema of `dss bench --json`."""
    import msgspec  # only for developers, while the plain install updates other parts of the documents

    from dss_cli.benchmark.schema import Results

    (outer,), parts = msgspec.json.schema_components([Results], ref_template="#/$defs/{name}")
    results = parts.pop(outer["$ref"].rpartition("/")[2])
    schema = {"$schema": DIALECT, **results, "title": "dss bench --json", "$defs": parts}
    path.write_text(json.dumps(_closed(schema), indent=2) + "\n", encoding="utf-8")


def _closed(schema: Any) -> Any:
    """Return a schema whose objects allow no additional properties."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    return closed | ({"additionalProperties": False} if "required" in schema else {})
