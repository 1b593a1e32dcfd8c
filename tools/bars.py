"""Compare the scores in a model's card with the bars of the project, as a table for README and card.

`python -m tools.update_docs bars` writes the table. Only this file contains floors and goals; the measured
scores come from the card, which `dss evaluate --write-card` updates, and from the table of `make peers`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dss_cli.constants import STEMS
from dss_cli.utils.tables import markdown_table
from tools.peers.compare import times_dtln

LABEL = "bars"
HEAD = ["on dev rooms and dev talkers (near / far)", "floor", "goal", "measured", "date"]
Pair = tuple[float, ...]


@dataclass(frozen=True)
class Bar:
    """Row of the table.

    Attributes:
        what: description for readers.
        kind: kind of the scenes.
        environment: environment of the scenes.
        figure: `si_sdri` (dB), `wrong` or `activity` (% of seconds) of both stems, or `swap_rate` (%).
        floor, goal: one figure, or near and far.
        context: context of the scores.
        latency: latency of the scores in seconds; None: whole chunks.
        ur0: whether the near talker is at 0.5 to 0.8 m.
        headline: whether the README shows the bar too.
    """

    what: str
    kind: str
    environment: str
    figure: str
    floor: Pair
    goal: Pair
    context: str = "recording"
    latency: float | None = None
    ur0: bool = False
    headline: bool = False

    @property
    def high_is_good(self) -> bool:
        """True if the floor is a minimum, not a maximum."""
        return self.figure == "si_sdri"


_conversation = partial(Bar, kind="conversation")
_measured = partial(_conversation, environment="measured")
_late = partial(_measured, context="past")
_lone = partial(Bar, figure="swap_rate")
_pair = partial(Bar, environment="indoor", figure="si_sdri")
_TALK = "conversations in measured rooms"
_WRONG = "lone talkers in the wrong output, %"
BARS = (
    _measured(f"{_TALK}: SI-SDRi, dB", figure="si_sdri", floor=(12, 19), goal=(15, 22), headline=True),
    _measured(f"{_TALK}: {_WRONG}", figure="wrong", floor=(1, 6), goal=(0.5, 2), headline=True),
    _late(f"{_TALK}, context past: SI-SDRi, dB", figure="si_sdri", floor=(9.5, 16), goal=(12, 19)),
    _late(f"{_TALK}, context past: {_WRONG}", figure="wrong", floor=(3, 12), goal=(1, 5)),
    _late(
        f"{_TALK}, latency 0.5 s: SI-SDRi, dB", figure="si_sdri", floor=(8, 14), goal=(11, 18), latency=0.5
    ),
    _late(f"{_TALK}, latency 0.5 s: {_WRONG}", figure="wrong", floor=(3, 12), goal=(1, 5), latency=0.5),
    _late(
        f"{_TALK}, latency 0.25 s: SI-SDRi, dB",
        figure="si_sdri",
        floor=(6.5, 12),
        goal=(10, 16),
        latency=0.25,
    ),
    _measured(f"{_TALK}: errors of speech activity, %", figure="activity", floor=(8, 8), goal=(4, 4)),
    _conversation(f"indoors: {_WRONG}", environment="indoor", figure="wrong", floor=(2, 4), goal=(1, 2)),
    _conversation(f"outdoors: {_WRONG}", environment="outdoor", figure="wrong", floor=(3, 8), goal=(1, 4)),
    _lone("5 s, lone far talker, measured rooms: swapped, %", "far-only", "measured", floor=(20,), goal=(5,)),
    _lone(
        "5 s, lone near talker, measured rooms: swapped, %", "near-only", "measured", floor=(6,), goal=(2,)
    ),
    _lone(
        "5 s, near talker at 0.5 to 0.8 m: swapped, %",
        "near-only",
        "indoor",
        floor=(10,),
        goal=(3,),
        ur0=True,
    ),
    _pair(
        "5 s, near and far talker indoors: SI-SDRi, dB", "1N+1F", floor=(5.5, 10), goal=(8, 13), headline=True
    ),
    _pair("5 s, five talkers (`patterson`): SI-SDRi, dB", "1N+4F", floor=(4.4, 4.5), goal=(7, 9)),
)


SPEED = ("RTF from file to file, one core, times DTLN's", 6.0, 3.0)  # what, floor, goal


def table(card: Path, benchmarks: Path) -> str:
    """Return the table of all bars as Markdown; bars without scores and missed floors are marked.

    Args:
        card: card of the model.
        benchmarks: document with the table of `make peers`, for the speed.
    """
    scores = _scores(card)
    rows = [_row(bar, scores) for bar in BARS]
    return markdown_table(HEAD, [*rows, _speed(times_dtln(benchmarks, card.stem))])


def headlines(card: Path) -> str:
    """Return the table of the bars that the README shows, too."""
    scores = _scores(card)
    return markdown_table(HEAD, [_row(bar, scores) for bar in BARS if bar.headline])


def _scores(card: Path) -> Mapping[str, Any]:
    scores: Mapping[str, Any] = json.loads(card.read_text(encoding="utf-8"))["scores"]
    return scores


def _speed(measured: tuple[float, str] | None) -> list[str]:
    """Return the row of the speed from (times DTLN's, date), None: not measured."""
    what, floor, goal = SPEED
    if measured is None:
        return [what, f"{floor:g}", f"{goal:g}", "not measured", ""]
    times, date = measured
    mark = "" if round(times, 1) <= floor else " (missed)"
    return [what, f"{floor:g}", f"{goal:g}", f"{times:.1f}{mark}", date]


def _row(bar: Bar, scores: Mapping[str, Any]) -> list[str]:
    return [bar.what, told(bar, bar.floor), told(bar, bar.goal), *measured(bar, scores)]


def measured(bar: Bar, scores: Mapping[str, Any]) -> tuple[str, str]:
    """Return the figures of a bar in the scores of a card as a cell of a table, and their date."""
    found = list(_strata(bar, scores))
    if not found:
        return "not scored", ""
    strata = [summary for _, summary in found]
    values = _pooled(bar, strata) if bar.figure in ("wrong", "activity") else _worst(bar, strata)
    mark = "" if _reached(bar, values) else " (missed)"
    return f"{told(bar, values)}{mark}", max(date for date, _ in found)


def _strata(bar: Bar, scores: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for entry in scores.values():
        if entry.get("context", "recording") != bar.context or not _in_time(bar, entry.get("latency")):
            continue
        for name, summary in entry["strata"].items():
            wanted = (bar.kind, bar.environment, bar.ur0)
            apart = bar.figure == "si_sdri" and "nobody" in name
            scored = bar.figure == "swap_rate" or any(f"{stem}_{bar.figure}" in summary for stem in STEMS)
            group = (summary["kind"], summary["environment"], bool(summary["ur0"]))
            if group == wanted and scored and not apart:
                yield entry.get("date", ""), summary


def _in_time(bar: Bar, latency: float | None) -> bool:
    """Return whether the latency of scores fits a bar; the longest latency of a model may be shorter."""
    if bar.latency is None or latency is None:
        return bar.latency is latency
    return bar.latency / 2 < latency <= bar.latency


def _worst(bar: Bar, strata: list[Mapping[str, Any]]) -> Pair:
    if bar.figure == "swap_rate":
        return (max(100 * float(summary["swap_rate"]["rate"]) for summary in strata),)
    return tuple(min(float(s[f"{stem}_si_sdri"]["median"]) for s in strata) for stem in STEMS)


def _pooled(bar: Bar, strata: list[Mapping[str, Any]]) -> Pair:
    values = []
    for stem in STEMS:
        known = [s[f"{stem}_{bar.figure}"] for s in strata if f"{stem}_{bar.figure}" in s]
        weights = [one["seconds"] if bar.figure == "wrong" else one["spoken"] for one in known]
        total = sum(one["rate"] * weight for one, weight in zip(known, weights, strict=True))
        values.append(100 * total / sum(weights) if sum(weights) else 0.0)
    return tuple(values)


def _reached(bar: Bar, values: Pair) -> bool:
    rounded = [round(value, 1) for value in values]
    pairs = zip(rounded, bar.floor, strict=True)
    return all(value >= floor if bar.high_is_good else value <= floor for value, floor in pairs)


def told(bar: Bar, values: Pair) -> str:
    """Return figures of a bar as a cell of a table."""
    sign = "+" if bar.high_is_good else ""
    return " / ".join(f"{round(value, 1):{sign}g}" for value in values)
