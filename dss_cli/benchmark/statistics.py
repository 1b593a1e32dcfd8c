"""What several runs say together: medians with the smallest and the largest value, paired ratios."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .schema import Spread

PERCENTILES = (50, 95, 99)


def spread(values: Sequence[float | None]) -> Spread | None:
    """`median`, `min`, `max` and `runs` (how many); None if any value is missing, or there is none."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    return {
        "median": statistics.median(known),
        "min": min(known),
        "max": max(known),
        "runs": len(known),
    }


def ratio(values: Sequence[float | None], others: Sequence[float | None]) -> Spread | None:
    """The spread of value / other, each pair of one repetition.

    None where a value is missing, or where a pair has no ratio: net energy may be zero or less.
    """
    pairs = list(zip(values, others, strict=True))
    return spread([v / o if v is not None and o is not None and v > 0 and o > 0 else None for v, o in pairs])


def inverse(values: Spread) -> Spread:
    """The spread of 1 / value where all are more than 0; the median is that of an odd number of runs."""
    return {
        "median": 1 / values["median"],
        "min": 1 / values["max"],
        "max": 1 / values["min"],
        "runs": values["runs"],
    }


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """`p50`, `p95` and `p99` by the nearest-rank method: values that occurred, none between them."""
    ordered = sorted(values)
    return {
        f"p{percent}": ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)] for percent in PERCENTILES
    }
