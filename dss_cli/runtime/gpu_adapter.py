"""Parse LiteRT's messages about the GPU: the adapter that it found, and its reasons for refusing a model."""

from __future__ import annotations

import re
from collections.abc import Sequence

REFUSED = "the GPU does not take"  # start of a reason that lies in the graph
NO_ADAPTER = "no GPU adapter was found"

_ADAPTER = re.compile(
    r"Selected adapter: (?P<name>.+?), arch=.*backend=(?P<backend>.+?), adapterType=(?P<kind>.+)"
)
_UNSUPPORTED = "operations are not supported by GPU delegate"
_SOURCE = re.compile(r"^(ERROR: |E\d{4} .*?\] )(\[[^\]]*\]\s*)?")
_adapter: re.Match[str] | None = None  # LiteRT prints the adapter once per process


def note_adapter(lines: Sequence[str]) -> None:
    """Store the adapter that is named in lines printed by LiteRT, if there is one."""
    global _adapter
    _adapter = next(filter(None, map(_ADAPTER.search, lines)), _adapter)


def adapter_name() -> str | None:
    """Return the driver's name of the GPU, its backend and kind; None if no GPU was found or tried."""
    return _adapter and f"{_adapter['name']} ({_adapter['backend']}, {_adapter['kind'].strip()})"


def short_name() -> str:
    """Return the driver's name of the GPU; an empty string if no GPU was found or tried."""
    return _adapter["name"] if _adapter else ""


def in_software() -> bool:
    """Return whether the adapter is a software renderer on the CPU."""
    return _adapter is not None and _adapter["kind"].startswith("CPU")


def plain_reason(lines: list[str], failure: str) -> str:
    """Return one line with the reason why the GPU was refused.

    Args:
        lines: lines printed by LiteRT.
        failure: text of the error raised by LiteRT.
    """
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
    """Return the last line of a LiteRT error that contains more than a source location."""
    lines = [_SOURCE.sub("", line.strip("└ ")).strip() for line in failure.splitlines()]
    return next(filter(None, reversed(lines)), "no reason was given")
