"""Schema of `dss bench --json`: generated from the types of the results, and strict."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

pytest.importorskip("msgspec")

from tests.helpers.schemas import BENCH
from tools import json_schema

ROOT = Path(__file__).parents[2]
SPREAD = {"median": 1.0, "min": 0.5, "max": 2, "runs": 3}


def part(name):
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": BENCH["$defs"]})


def test_the_schema_in_the_package_is_todays(tmp_path):
    json_schema.write(tmp_path / "schema.json")
    made = (tmp_path / "schema.json").read_text()
    assert (ROOT / json_schema.BENCH).read_text() == made, "python -m tools.update_docs schema"


def test_a_benchmark_runs_where_msgspec_is_not_installed():
    script = "import sys; sys.modules['msgspec'] = None; import dss_cli.benchmark.run, dss_cli.cli.bench"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(BENCH)
    assert BENCH["title"] == "dss bench --json"


@pytest.mark.parametrize("change", [{"runs": 0}, {"median": None}, {"mean": 1.0}, {"runs": 1.5}])
def test_a_part_is_what_its_type_says_and_nothing_else(change):
    assert part("Spread").is_valid(SPREAD)
    assert not part("Spread").is_valid({**SPREAD, **change})


@pytest.mark.parametrize("name", SPREAD)
def test_nothing_may_be_missing(name):
    assert not part("Spread").is_valid({key: value for key, value in SPREAD.items() if key != name})


@pytest.mark.parametrize(
    ("used", "whole", "valid"), [("gpu", True, True), ("cpu", True, False), ("gpu", False, False)]
)
def test_a_row_that_asks_for_a_gpu_has_one(used, whole, valid):
    delegate = {
        "asked": "gpu",
        "used": used,
        "name": "GPU: x",
        "fully_accelerated": whole,
        "not_accelerated": {},
        "fallback_reason": None,
        "adapter": "x",
        "software": False,
        "threads": None,
        "library": None,
        "precision": "float32",
    }
    row = BENCH["$defs"]["RowResult"]["properties"]["delegate"]
    schema = jsonschema.Draft202012Validator({**row, "$defs": BENCH["$defs"]})
    assert schema.is_valid(delegate) is valid
