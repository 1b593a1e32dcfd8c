"""Compare two evaluations of the same scenes: differences, and strata that became worse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..constants import STEMS
from ..errors import DssError
from .run import SCHEMA
from .scoring import Row
from .statistics import BOOTSTRAP, by_stratum, summarise

# Higher is better in all figures. Differences of SI-SDRi equal those of SI-SDR, which more scenes have.
GATED = tuple(f"{stem}_{measure}" for stem in STEMS for measure in ("si_sdr", "attenuation"))
WORSE_POINTS = 1.0  # percentage points of additional seconds in the wrong output that are tolerated
_RUN = {"system", "test_set", "scenes"}


def read_results(path: Path) -> dict[str, Any]:
    """Read the output of `dss evaluate --json`.

    Raises:
        DssError: the file cannot be read, or is not such an output.
    """
    try:
        result = json.loads(path.read_bytes())
    except OSError as error:
        raise DssError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DssError(f"{path}: damaged: {error}") from error
    if not isinstance(result, dict) or not isinstance(result.get("runs"), list):
        raise DssError(f"{path}: not the output of `dss evaluate --json`")
    if result.get("schema") != SCHEMA:
        raise DssError(
            f"{path}: schema {result.get('schema')!r} is not {SCHEMA}, the one that this version of dss reads"
        )
    if not result["runs"] or not all(isinstance(run, dict) and set(run) >= _RUN for run in result["runs"]):
        raise DssError(f"{path}: damaged: a run without {', '.join(sorted(_RUN))}")
    return result


def compare(before: Path, after: Path, tolerance: float) -> dict[str, Any]:
    """Compare two results per stratum, by the median over scenes of (after - before), in dB.

    Args:
        before, after: outputs of `dss evaluate --json` on the same test sets.
        tolerance: loss of a stratum in dB that is tolerated.

    Returns:
        Object for JSON: `tolerance_db`, `bootstrap`, `worse` (number of figures that lost more than the
        tolerance) and `runs` with names and, by stratum and figure, a summary of the differences with
        `worse`. Shares of seconds (`near_wrong`, `far_wrong`) are in percentage points; they are worse from
        WORSE_POINTS on.

    Raises:
        DssError: a file cannot be read, or test sets or systems differ.
    """
    earlier, later = _keyed(before), _keyed(after)
    if odd := set(earlier) ^ set(later):
        key = min(odd)
        there, other, run = (before, after, earlier) if key in earlier else (after, before, later)
        names = run[key]["system"]["name"], run[key]["test_set"]["name"]
        raise DssError(f"{other}: nothing in it to compare with {names[0]} on {names[1]} of {there}")
    try:
        runs = [_difference(earlier[key], later[key], tolerance) for key in earlier]
    except (KeyError, TypeError, ValueError) as error:
        raise DssError(f"{before}, {after}: one of them is damaged: {error!r}") from error
    worse = sum(f["worse"] for run in runs for stratum in run["strata"].values() for f in stratum.values())
    return {"tolerance_db": tolerance, "bootstrap": BOOTSTRAP, "worse": worse, "runs": runs}


def _keyed(path: Path) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Return the runs by test set and, with several systems in the file, by the system's name."""
    runs = read_results(path)["runs"]
    several = len({run["system"]["name"] for run in runs}) > 1
    return {(run["test_set"]["sha256"], run["system"]["name"] if several else ""): run for run in runs}


def _difference(before: Mapping[str, Any], after: Mapping[str, Any], tolerance: float) -> dict[str, Any]:
    earlier = {row["id"]: row for row in before["scenes"]}
    strata = {name: _stratum(earlier, rows, tolerance) for name, rows in by_stratum(after["scenes"]).items()}
    return {
        "before": before["system"]["name"],
        "after": after["system"]["name"],
        "test_set": after["test_set"]["name"],
        "strata": strata,
    }


def _stratum(earlier: Mapping[str, Row], rows: list[Row], tolerance: float) -> dict[str, Any]:
    result = {}
    for figure in GATED:
        pairs = [(earlier[row["id"]][figure], row[figure]) for row in rows if row[figure] is not None]
        if pairs:
            was, now = np.array(pairs).T
            summary = summarise(now - was)
            result[figure] = {
                **summary,
                "before": round(float(np.median(was)), 4),
                "after": round(float(np.median(now)), 4),
                "worse": summary["median"] < -tolerance,
            }
    return result | _wrong_seconds(earlier, rows)


def _wrong_seconds(earlier: Mapping[str, Row], rows: list[Row]) -> dict[str, Any]:
    """Return the differences of the shares of seconds in the wrong output, in percentage points."""
    result = {}
    for stem in STEMS:
        figure, lone = f"{stem}_wrong", f"{stem}_lone"
        pairs = [
            (was[figure], row[figure], row[lone])
            for row in rows
            if row.get(figure) is not None and (was := earlier[row["id"]]).get(figure) is not None
        ]
        if pairs:
            was, now, seconds = np.array(pairs).T
            before, after = (round(100 * float(np.average(v, weights=seconds)), 4) for v in (was, now))
            result[figure] = {
                **summarise(100 * (now - was), high_is_worse=True),
                "before": before,
                "after": after,
                "worse": after - before > WORSE_POINTS,
            }
    return result
