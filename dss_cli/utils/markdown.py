"""Generated sections of Markdown documents, between `<!-- LABEL -->` and `<!-- LABEL: end -->`."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import DssError
from .atomic_write import write_files


def read_section(document: Path, label: str) -> str:
    """Return the text of the section `label` of a document.

    Raises:
        DssError: the document cannot be read, or has no such section.
    """
    return _found(document, label)[0][0]


def write_section(document: Path, label: str, text: str | None) -> None:
    """Replace the section `label` of a document by `text`; None only checks that the section exists.

    Raises:
        DssError: the document cannot be read or written, or has no such section.
    """
    section, before = _found(document, label)
    if text is not None:
        write_files({document: f"{before[: section.start()]}\n{text}\n{before[section.end() :]}"})


def _found(document: Path, label: str) -> tuple[re.Match[str], str]:
    """Return the section, and the whole text of the document."""
    start, end = f"<!-- {label} -->", f"<!-- {label}: end -->"
    try:
        text = document.read_text(encoding="utf-8")
    except OSError as error:
        raise DssError(f"{document}: cannot be read: {error.strerror}") from error
    section = re.search(f"(?<={re.escape(start)}\n).*?(?={re.escape(end)})", text, re.DOTALL)
    if section is None:
        raise DssError(f"{document}: no line `{start}` with its `{end}` below, where the table goes")
    return section, text
