"""Table of a network's cost by kind of operator, from `dss inspect --json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from .tables import markdown_lines


def markdown_operations(inspection: Mapping[str, Any]) -> str:
    """Return the kinds of operators and their multiply-accumulates per run as Markdown, largest first."""
    counts: Counter[str] = Counter()
    macs: Counter[str] = Counter()
    for operator in inspection["operators"]:
        counts[operator["kind"]] += 1
        macs[operator["kind"]] += operator["macs"]
    told = [
        (kind, [f"{counts[kind]}", f"{number:,}", f"{number / inspection['macs']:.1%}"])
        for kind, number in macs.most_common()
        if number
    ]
    others = sum(counts[kind] for kind, number in macs.items() if not number)
    told.append(("all others", [f"{others}", "", ""]))
    told.append(("sum", [f"{counts.total()}", f"{inspection['macs']:,}", "100.0%"]))
    return markdown_lines(["operator", "number", "MACs per chunk", "share"], told) + "\n"
