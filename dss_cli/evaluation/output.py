"""Rows of an evaluation as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any


def csv_text(result: Mapping[str, Any]) -> str:
    """Return CSV with a line for every scene of every run; undefined figures are empty."""
    text = io.StringIO()
    rows = [
        {"system": run["system"]["name"], "test_set": run["test_set"]["name"], **row}
        for run in result["runs"]
        for row in run["scenes"]
    ]
    columns = [name for name in rows[0] if name not in ("alone", "activity")]  # no single figures
    writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
