"""Statistics over scenes: medians, tails and bootstrap intervals per stratum."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..constants import STEMS
from .conversation import CHANGES, summarise_seconds
from .perceptual import MEASURES
from .scoring import FIGURES, Row
from .speech_activity import summarise_activity

SEED = 0
RESAMPLES = 1000
LEVEL = 0.95
BOOTSTRAP = {"seed": SEED, "resamples": RESAMPLES, "level": LEVEL}
_GIVEN = ("kind", "environment", "snr_db", "ur0")


def summarise(values: Sequence[float], high_is_worse: bool = False) -> dict[str, Any]:
    """Return count, median, interval of the median, and the start of the worst tenth.

    Returns:
        `count`, `median`, `low` and `high` (seeded 95 % percentile bootstrap of the median; None for a single
        value), and `p10` (or `p90` if high values are worse).
    """
    array = np.asarray(values, np.float64)
    low, high = interval(array)
    tail = 90 if high_is_worse else 10
    return {
        "count": len(array),
        "median": _short(np.median(array)),
        "low": low,
        "high": high,
        f"p{tail}": _short(np.percentile(array, tail)),
    }


def interval(values: npt.NDArray[np.float64]) -> tuple[float | None, float | None]:
    """Return the bootstrap interval of the median of `(values,)`; None for fewer than two values."""
    if len(values) < 2:
        return None, None
    picks = np.random.default_rng(SEED).integers(len(values), size=(RESAMPLES, len(values)))
    ends = np.percentile(np.median(values[picks], axis=1), [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return _short(ends[0]), _short(ends[1])


def strata(rows: Iterable[Row]) -> dict[str, dict[str, Any]]:
    """Return the summary of each stratum by name, for the groups of `by_stratum`.

    A summary holds `scenes` (count), `kind`, `environment`, `snr_db` and `ur0` (None if the scenes differ), a
    summary of each figure that any scene has, and `swap_rate`.
    """
    return {name: _stratum(members) for name, members in by_stratum(rows).items()}


def by_stratum(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Group rows by stratum, and within a stratum by UR-0 and by missing roles, which extend the name."""
    rows = list(rows)
    mixed = {r["stratum"] for r in rows if r["ur0"]} & {r["stratum"] for r in rows if not r["ur0"]}

    both = {r["stratum"] for r in rows if r["near_m"] and r["far_m"]}

    def name(row: Row) -> str:
        name = str(row["stratum"])
        if row["stratum"] in both:
            name += "".join(f" nobody {stem}" for stem in STEMS if not row[f"{stem}_m"])
        return f"{name} UR-0" if row["stratum"] in mixed and row["ur0"] else name

    return grouped(rows, name)


def grouped(rows: Iterable[Row], key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    """Group rows by key, in order of first appearance."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def leakage_curve(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return the share of energy in the far output of near-only scenes, by environment and distance.

    Distances are rounded to 0.1 m; each point is a summary.
    """
    alone = [r for r in rows if r["kind"] == "near-only" and r["near_m"] and r["leakage"] is not None]
    groups = grouped(alone, lambda row: (row["environment"], round(row["near_m"], 1)))
    return [
        {
            "environment": environment,
            "distance_m": distance,
            **summarise([row["leakage"] for row in groups[environment, distance]], high_is_worse=True),
        }
        for environment, distance in sorted(groups)
    ]


def _stratum(rows: list[Row]) -> dict[str, Any]:
    result: dict[str, Any] = {"scenes": len(rows)}
    for key in _GIVEN:
        given = {row[key] for row in rows}
        result[key] = given.pop() if len(given) == 1 else None
    for figure in figures(rows):
        values = [row[figure] for row in rows if row.get(figure) is not None]
        result[figure] = summarise(values, high_is_worse=figure.endswith("_residual"))
    result |= summarise_seconds(rows) | summarise_activity(rows)
    swaps = [row["swapped"] for row in rows if row["swapped"] is not None]
    if swaps:
        result["swap_rate"] = {"count": len(swaps), "rate": _short(np.mean(swaps))}
    return result


def figures(rows: Sequence[Row]) -> list[str]:
    """Return the figures that any of the rows has."""
    known = (*FIGURES, *CHANGES, *(f"{stem}_{measure}" for stem in STEMS for measure in MEASURES))
    return [figure for figure in known if any(row.get(figure) is not None for row in rows)]


def _short(value: np.floating[Any]) -> float:
    return round(float(value), 4)
