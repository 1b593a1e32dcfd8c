"""Statistics of several runs: median, minimum and maximum, and paired ratios."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .schema import Spread

PERCENTILES = (50, 95, 99)


def spread(values: Sequence[float | None]) -> Spread | None:
    """Return `median`, `min`, `max` and `runs` (the count); None if a value is missing or there is none."""
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
    """Return the spread of value / other, paired by repetition.

    The result is None if a value is missing or not positive: net energy may be zero or negative.
    """
    pairs = list(zip(values, others, strict=True))
    return spread([v / o if v is not None and o is not None and v > 0 and o > 0 else None for v, o in pairs])


def inverse(values: Spread) -> Spread:
    """Return the spread of 1 / value if all values are positive; the number of runs is odd."""
    return {
        "median": 1 / values["median"],
        "min": 1 / values["max"],
        "max": 1 / values["min"],
        "runs": values["runs"],
    }


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Return `p50`, `p95` and `p99` by the nearest-rank method, which does not interpolate."""
    ordered = sorted(values)
    return {
        f"p{percent}": ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)] for percent in PERCENTILES
    }
