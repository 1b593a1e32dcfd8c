"""Text files that appear whole or not at all, and the rows as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..audio.targets import PendingFiles
from ..errors import DssError


def write_text(path: Path, text: str, overwrite: bool = False) -> None:
    """Write a UTF-8 file under a temporary name, then rename it.

    Raises:
        DssError: it cannot be written, or exists (without `overwrite`).
    """
    pending = PendingFiles(overwrite)
    try:
        pending.create(path).write_bytes(text.encode())
        pending.publish()
    except OSError as error:
        raise DssError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        pending.discard()


def csv_text(result: Mapping[str, Any]) -> str:
    """Every scene of every run on a line; an empty cell where a figure has no meaning."""
    text = io.StringIO()
    rows = [
        {"system": run["system"]["name"], "test_set": run["test_set"]["name"], **row}
        for run in result["runs"]
        for row in run["scenes"]
    ]
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
