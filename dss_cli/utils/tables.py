"""Tables: rows in columns as plain text, as Markdown, and the console that draws framed ones."""

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


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]], figures: bool = False) -> str:
    """A Markdown table; `figures`: all columns but the first hold numbers, to be aligned at the right."""
    rules = ["---", *["---:" if figures else "---"] * (len(head) - 1)]
    lines = [head, rules, *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def table_console() -> Console:
    """For tables by rich: as wide as the terminal, or wide enough for all where there is none."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=_WIDE)
