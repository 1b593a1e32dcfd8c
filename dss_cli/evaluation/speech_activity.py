"""Errors of the speech activity of the outputs, relative to the activity of the references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..constants import STEMS
from ..separation.activity import FRAME, ActivityMeter, Levels, Span, level_track, spans_above

Floats = npt.NDArray[np.float32]
Row = dict[str, Any]

COLLAR = 0.25  # seconds around each start and end of speech that are not scored (NIST)
BELOW_LOUD = 25.0  # dB: speech is less than this below the loud parts of a reference (90th percentile)
_SPEECH_RANGE = 40.0  # dB: the percentile covers levels less than this below the loudest level
_SILENT_DB = -90.0
FIGURES = tuple(f"{stem}_activity" for stem in STEMS)


def score_activity(references: Mapping[str, Floats], outputs: Mapping[str, Floats], rate: int) -> Row:
    """Score the speech activity that `separation.activity` finds in the outputs.

    The levels of the references define the truth: speech is less than 25 dB below the loud parts of the
    reference; pauses shorter than 0.3 s are included. 0.25 s around each start and end are not scored.

    Args:
        references: samples `(samples,)` of each stem.
        outputs: samples `(samples,)` of each stem.
        rate: sample rate in Hz.

    Returns:
        `near_activity` and `far_activity`, the detection error rates (missed plus false seconds, divided by
        spoken seconds; None without speech), and `activity` with the seconds `missed`, `false` and `spoken`
        of each stem.
    """
    meter = ActivityMeter(rate)
    meter.push(*(outputs[stem][:, None] for stem in STEMS))
    found = meter.finish()
    row: Row = {"activity": {}}
    for stem in STEMS:
        level = level_track(references[stem][:, None], rate)
        truth = _frames(_spoken(level), len(level))
        guess = _frames(found.spans[stem], len(level))
        scored = ~_near_edges(truth)
        seconds = {
            "missed": _seconds(truth & ~guess & scored),
            "false": _seconds(~truth & guess & scored),
            "spoken": _seconds(truth & scored),
        }
        row["activity"][stem] = seconds
        row[f"{stem}_activity"] = _rate(seconds)
    return row


def summarise_activity(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the error rates over the seconds of many scenes.

    Returns:
        `near_activity` {rate, missed, false, spoken} and `far_activity`, each if there is speech.
    """
    pooled = {}
    for stem in STEMS:
        known = [row["activity"][stem] for row in rows if row.get("activity")]
        seconds = {name: round(sum(one[name] for one in known), 2) for name in ("missed", "false", "spoken")}
        if (rate := _rate(seconds)) is not None:
            pooled[f"{stem}_activity"] = {"rate": rate, **seconds}
    return pooled


def _spoken(level: Levels) -> tuple[Span, ...]:
    if level.max(initial=_SILENT_DB) <= _SILENT_DB:
        return ()
    loud = float(np.percentile(level[level > level.max() - _SPEECH_RANGE], 90))
    return spans_above(level, np.full(len(level), loud - BELOW_LOUD))


def _frames(spans: Sequence[Span], count: int) -> npt.NDArray[np.bool_]:
    spoken = np.zeros(count, bool)
    for begin, end in spans:
        spoken[round(begin / FRAME) : round(end / FRAME)] = True
    return spoken


def _near_edges(truth: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    near, collar = np.zeros(len(truth), bool), round(COLLAR / FRAME)
    for edge in np.flatnonzero(np.diff(truth.astype(np.int8))) + 1:
        near[max(0, edge - collar) : edge + collar] = True
    return near


def _seconds(frames: npt.NDArray[np.bool_]) -> float:
    return round(float(np.count_nonzero(frames)) * FRAME, 2)


def _rate(seconds: Mapping[str, float]) -> float | None:
    if not seconds["spoken"]:
        return None
    return round((seconds["missed"] + seconds["false"]) / seconds["spoken"], 4)
