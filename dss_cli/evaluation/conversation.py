"""Scores of conversations by the seconds in which only one role speaks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..constants import STEMS
from ..metrics import LIMIT_DB

Floats = npt.NDArray[np.float32]
Energies = npt.NDArray[np.float64]

LONG = 10.0  # least duration in seconds of a scene that is scored as a conversation
BLOCKS = 10  # blocks per second, the resolution of times
WINDOW = 5  # blocks of the window that decides in which output a talker starts
STAYS = 20  # consecutive windows, one block apart, in which the talker must stay in that output
ACTIVE_DB = -30.0  # energy of a second relative to the role's loudest second, below which the role is silent
APART_DB = 25.0  # dB by which the other role must be lower where one role speaks alone
MEASURES = ("lone", "wrong", "over", "delay")
FIGURES = tuple(f"{stem}_{measure}" for stem in STEMS for measure in MEASURES)  # columns of a row
CHANGES = tuple(f"{stem}_change" for stem in STEMS)

Row = dict[str, Any]


def score_conversation(
    references: Mapping[str, Floats],
    outputs: Mapping[str, Floats],
    rate: int,
    starts: Iterable[tuple[str, float]] = (),
) -> Row:
    """Score the outputs of one scene in the seconds in which only one role speaks.

    A role speaks alone in a second if the energy of its reference exceeds -30 dB of its loudest second, and
    the other reference is at least 25 dB lower. Then its own output is right and the other output is wrong.

    Args:
        references, outputs: samples `(samples,)` by stem.
        rate: sample rate in Hz.
        starts: role and second of the first sound of each talker; if empty, each role counts as one talker.

    Returns:
        By stem: `lone`, the number of such seconds; `wrong`, the share of them with more energy in the wrong
        output; `over`, the median level of the right output relative to the wrong one in dB; `delay`, the
        median over talkers of the seconds until they appear in the right output. A value is None if there are
        no such seconds, or if the scene is shorter than 10 s. `alone` holds the values behind the medians by
        stem: `over` of each second, `delays` of each talker.
    """
    row: Row = {**dict.fromkeys(FIGURES), "alone": None}
    samples = len(references[STEMS[0]])
    if samples < LONG * rate:
        return row
    spoken, left = ({s: _energies(part[s], rate) for s in STEMS} for part in (references, outputs))
    row["alone"] = {}
    for stem, other in zip(STEMS, reversed(STEMS), strict=True):
        own, rest = (_windows(spoken[s], BLOCKS, BLOCKS) for s in (stem, other))
        right, wrong = (_windows(left[s], BLOCKS, BLOCKS) for s in (stem, other))
        alone = _alone(own, rest)
        over = _decibels(right[alone], wrong[alone])
        delays = _delays(
            spoken[stem], spoken[other], left[stem], left[other], [t for r, t in starts if r == stem]
        )
        row["alone"][stem] = {"over": np.round(over, 1).tolist(), "delays": delays}
        row[f"{stem}_lone"] = len(over)
        if len(over):
            row[f"{stem}_wrong"] = float(np.mean(over < 0))
            row[f"{stem}_over"] = float(np.median(over))
        if delays:
            row[f"{stem}_delay"] = float(np.median(delays))
    return row


def summarise_seconds(rows: Sequence[Row]) -> dict[str, Any]:
    """Pool the seconds and the talkers of many scenes.

    Returns:
        By figure, if any scene has it: `near_wrong` {seconds, rate}, `near_over` {count, median, p10},
        `near_delay` {count, median, p90}, and the same for far.
    """
    pooled: dict[str, Any] = {}
    for stem in STEMS:
        known = [row["alone"][stem] for row in rows if row.get("alone")]
        over = np.array([value for one in known for value in one["over"]])
        delays = np.array([value for one in known for value in one["delays"]])
        if len(over):
            pooled[f"{stem}_wrong"] = {"seconds": len(over), "rate": _short(np.mean(over < 0))}
            pooled[f"{stem}_over"] = _percentiles(over, 10)
        if len(delays):
            pooled[f"{stem}_delay"] = _percentiles(delays, 90)
    return pooled


def pair(rows: Iterable[Row]) -> None:
    """Set `near_change` and `far_change`, the gain in SI-SDR of each scene over its paired scene.

    The paired scene is the same conversation without company in the recording.
    """
    rows = list(rows)
    by_id = {row["id"]: row for row in rows}
    for row in rows:
        alone = by_id.get(row["pair"]) if row["pair"] else None
        for stem in STEMS:
            figure = f"{stem}_si_sdr"
            known = alone is not None and None not in (alone[figure], row[figure])
            row[f"{stem}_change"] = round(row[figure] - alone[figure], 4) if alone and known else None


def _energies(samples: Floats, rate: int) -> Energies:
    """Return the energy of each complete block; a block is a tenth of a second, rounded down to samples."""
    size = rate // BLOCKS
    blocks = np.asarray(samples[: len(samples) // size * size], np.float64).reshape(-1, size)
    energies: Energies = np.einsum("ij,ij->i", blocks, blocks)
    return energies


def _windows(energies: Energies, blocks: int, hop: int) -> Energies:
    """Return the energy of windows of `blocks` blocks, `hop` blocks apart."""
    total = np.concatenate([[0.0], np.cumsum(energies)])
    first = np.arange(0, len(energies) - blocks + 1, hop)
    return np.asarray(np.maximum(total[first + blocks] - total[first], 0.0))


def _alone(own: Energies, other: Energies) -> npt.NDArray[np.bool_]:
    """Return a mask of the windows in which a role speaks and the other does not."""
    speaks = own > own.max(initial=0.0) * 10 ** (ACTIVE_DB / 10)
    return np.asarray(speaks & (other < own * 10 ** (-APART_DB / 10)))


def _delays(
    own: Energies, other: Energies, right: Energies, wrong: Energies, starts: Sequence[float]
) -> list[float]:
    """Return the seconds from each talker's first lone sound until the talker appears in the right output.

    The talker appears in the first window of half a second in which the right output is louder, if it is also
    louder over the next two seconds of such windows in total. A talker who never appears counts until the end
    of the scene. A talker who never speaks alone is left out.
    """
    alone = np.flatnonzero(_alone(_windows(own, WINDOW, 1), _windows(other, WINDOW, 1)))
    ahead = (_windows(right, WINDOW, 1) - _windows(wrong, WINDOW, 1))[alone]
    total = np.concatenate([[0.0], np.cumsum(ahead)])
    last = np.minimum(np.arange(len(alone)) + STAYS, len(alone))
    well = (ahead >= 0) & (total[last] >= total[: len(alone)])
    delays = []
    for start in starts or [0.0]:
        first = int(np.searchsorted(alone, int(start * BLOCKS)))
        if first < len(alone):
            reached = alone[first:][well[first:]]
            until = reached[0] if len(reached) else len(own)
            delays.append(round(float(until - alone[first]) / BLOCKS, 1))
    return delays


def _decibels(right: Energies, wrong: Energies) -> Energies:
    """Return the level ratio in dB, within the limits of all scores; 0 if both are silent."""
    tiny = np.finfo(np.float64).tiny
    ratio = 10 * (np.log10(np.maximum(right, tiny)) - np.log10(np.maximum(wrong, tiny)))
    return np.asarray(np.clip(ratio, -LIMIT_DB, LIMIT_DB))


def _percentiles(values: npt.NDArray[np.float64], worst: int) -> dict[str, Any]:
    return {
        "count": len(values),
        "median": _short(np.median(values)),
        f"p{worst}": _short(np.percentile(values, worst)),
    }


def _short(value: np.floating[Any]) -> float:
    return round(float(value), 4)
