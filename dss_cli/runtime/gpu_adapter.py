"""What LiteRT says of the GPU: which adapter it found, and why it refused a model."""

from __future__ import annotations

import re
from collections.abc import Sequence

REFUSED = "the GPU does not take"  # so begins a reason that lies in the graph
NO_ADAPTER = "no GPU adapter was found"

_ADAPTER = re.compile(
    r"Selected adapter: (?P<name>.+?), arch=.*backend=(?P<backend>.+?), adapterType=(?P<kind>.+)"
)
_UNSUPPORTED = "operations are not supported by GPU delegate"
_SOURCE = re.compile(r"^(ERROR: |E\d{4} .*?\] )(\[[^\]]*\]\s*)?")
_adapter: re.Match[str] | None = None  # LiteRT names it once per process


def note_adapter(lines: Sequence[str]) -> None:
    """Remember the adapter that these lines of LiteRT name, if any does."""
    global _adapter
    _adapter = next(filter(None, map(_ADAPTER.search, lines)), _adapter)


def adapter_name() -> str | None:
    """The GPU as its driver names it, with its backend; None where none was found or tried."""
    return _adapter and f"{_adapter['name']} ({_adapter['backend']}, {_adapter['kind'].strip()})"


def short_name() -> str:
    """The GPU's name alone; empty where none was found."""
    return _adapter["name"] if _adapter else ""


def in_software() -> bool:
    """Whether that adapter renders on the CPU."""
    return _adapter is not None and _adapter["kind"].startswith("CPU")


def plain_reason(lines: list[str], failure: str) -> str:
    """Why the GPU was refused, in one plain line, from what LiteRT printed and raised."""
    text = "\n".join(lines)
    if "No adapters found" in text or "No supported adapters" in text:
        return NO_ADAPTER
    if _UNSUPPORTED in text:
        start = next(i for i, line in enumerate(lines) if _UNSUPPORTED in line)
        named = (re.match(r"([A-Z][A-Z0-9_]*): ", line) for line in lines[start + 1 :])
        operators = sorted({match[1] for match in named if match})
        return f"{REFUSED} {', '.join(operators) or 'every operator of the graph'}"
    errors = [_SOURCE.sub("", line).strip() for line in lines if _SOURCE.match(line)]
    return next(filter(None, reversed(errors)), last_line(failure))


def last_line(failure: str) -> str:
    """The last line of an error that LiteRT raised which is more than a place in the source."""
    lines = [_SOURCE.sub("", line.strip("└ ")).strip() for line in failure.splitlines()]
    return next(filter(None, reversed(lines)), "no reason was given")
