"""Tables on stdout: rows in columns as plain text, and the console that draws framed ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_WIDE = 200  # columns where stdout is no terminal: a file has room


def print_columns(rows: Iterable[Sequence[str]]) -> None:
    """Print rows of equally many cells, the columns two spaces apart."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def table_console() -> Console:
    """For tables by rich: as wide as the terminal, or wide enough for all where there is none."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=_WIDE)
