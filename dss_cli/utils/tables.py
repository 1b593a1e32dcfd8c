"""Tables: rows in columns as plain text, as Markdown and as CSV, and the console that draws framed ones."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

# Control characters, bytes of names that are no text, and what turns the direction of writing.
_HARMFUL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_WIDE = 200  # columns where stdout is no terminal: a file has room


def harmless(text: str) -> str:
    """The text with escapes in the place of what a terminal would obey: `\\x1b` for ESC."""
    return _HARMFUL.sub(lambda match: match[0].encode("unicode_escape", "surrogatepass").decode(), text)


def print_columns(rows: Iterable[Sequence[str]]) -> None:
    """Print rows of equally many cells, the columns two spaces apart."""
    rows = [tuple(map(harmless, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]], figures: bool = False) -> str:
    """A Markdown table; `figures`: all columns but the first hold numbers, to be aligned at the right."""
    rules = ["---", *["---:" if figures else "---"] * (len(head) - 1)]
    lines = [head, rules, *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def csv_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return CSV with a header that names the columns of all rows in their order; missing cells are empty."""
    text = io.StringIO()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def table_console() -> Console:
    """For tables by rich: as wide as the terminal, or wide enough for all where there is none."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=_WIDE)
