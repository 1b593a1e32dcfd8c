"""Rows of an evaluation as CSV."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..utils.tables import csv_table


def csv_text(result: Mapping[str, Any]) -> str:
    """Return CSV with a line per scene of every run; cells of undefined figures are empty."""
    rows = [
        {"system": run["system"]["name"], "test_set": run["test_set"]["name"], **row}
        for run in result["runs"]
        for row in run["scenes"]
    ]
    for row in rows:
        for name in ("alone", "activity"):  # not single figures
            row.pop(name, None)
    return csv_table(rows)
