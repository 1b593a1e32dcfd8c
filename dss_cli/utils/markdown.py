"""Generated sections of Markdown documents, between `<!-- LABEL -->` and `<!-- LABEL: end -->`."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import DssError
from .atomic_write import write_files


def write_section(document: Path, label: str, text: str | None) -> None:
    """Replace the section `label` of a document by `text`; None only checks that the section exists.

    Raises:
        DssError: the document cannot be read or written, or has no such section.
    """
    start, end = f"<!-- {label} -->", f"<!-- {label}: end -->"
    between = re.compile(f"(?<={re.escape(start)}\n).*?(?={re.escape(end)})", re.DOTALL)
    try:
        before = document.read_text(encoding="utf-8")
    except OSError as error:
        raise DssError(f"{document}: cannot be read: {error.strerror}") from error
    if not between.search(before):
        raise DssError(f"{document}: no line `{start}` with its `{end}` below, where the table goes")
    if text is not None:
        write_files({document: between.sub(lambda _: f"\n{text}\n", before, count=1)})
