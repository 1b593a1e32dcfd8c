"""Tables as plain text, Markdown and CSV, and a console for framed tables."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

# Control characters, surrogates (undecodable bytes of file names), and marks that change the text direction.
_HARMFUL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_WIDE = 200  # columns if stdout is not a terminal


def harmless(text: str) -> str:
    """Return the text with control characters replaced by escapes, such as `\\x1b` for ESC."""
    return _HARMFUL.sub(lambda match: match[0].encode("unicode_escape", "surrogatepass").decode(), text)


def print_columns(rows: Iterable[Sequence[str]]) -> None:
    """Print rows with the same number of cells as left-aligned columns, two spaces apart."""
    rows = [tuple(map(harmless, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]], figures: bool = False) -> str:
    """Return a Markdown table; with `figures`, all columns but the first are aligned to the right."""
    rules = ["---", *["---:" if figures else "---"] * (len(head) - 1)]
    lines = [head, rules, *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def csv_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return CSV with a header of the columns of all rows in order; missing cells are empty."""
    text = io.StringIO()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def table_console() -> Console:
    """Return a rich console for tables: as wide as the terminal, or 200 columns without a terminal."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=_WIDE)
