"""Rows in columns as plain text, for stdout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def print_columns(rows: Iterable[Sequence[str]]) -> None:
    """Print rows of equally many cells, the columns two spaces apart."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
