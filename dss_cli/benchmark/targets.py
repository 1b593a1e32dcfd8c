"""Speed targets of the bundled model, compared with the results of a benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import DssError
from .statistics import inverse
from .tables import UNKNOWN, markdown_lines, spread_text

if TYPE_CHECKING:
    from .schema import Spread

FLOOR, GOAL = 0.042, 0.014  # real-time factors on one thread; the floor is DTLN's
SPEED_UP = 1.6  # two threads relative to one
OVERHEAD = 0.1  # share of the time outside the network
START_UP = 1.0  # seconds


@dataclass(frozen=True)
class Target:
    """One line of the table of targets.

    Attributes:
        what: name of the figure.
        wanted: target value as text.
        measured: measured value as text.
        met: whether the median meets the target; None without a measurement.
    """

    what: str
    wanted: str
    measured: str
    met: bool | None


def targets(result: Mapping[str, Any]) -> list[Target]:
    """Return the targets of the first model.

    Args:
        result: result of a benchmark with CPU rows on one thread and on two threads, in this order.

    Raises:
        DssError: the result has no such rows.
    """
    one, two = _row(result, 1), _row(result, 2)
    ratio = next((ratio for ratio in result["ratios"] if (ratio["row"], ratio["to"]) == (two, one)), None)
    if one is None or ratio is None:
        raise DssError("speed targets need the CPU on one thread, then on two: `dss bench --threads 1,2`")
    speed_up, row = inverse(ratio["rtf_file"]), result["rows"][one]
    file, start_up = row["rtf_file"], row["startup_seconds"]
    overhead = 1 - row["rtf_network"]["median"] / file["median"]
    return [
        Target("RTF, file to file, 1 thread", f"floor: at most {FLOOR}", *_at_most(file, FLOOR)),
        Target("RTF, file to file, 1 thread", f"goal: at most {GOAL}", *_at_most(file, GOAL)),
        Target(
            "2 threads against 1, times as fast",
            f"at least {SPEED_UP}",
            spread_text(speed_up),
            speed_up["median"] >= SPEED_UP,
        ),
        Target(
            "all but the network, share of the time",
            f"less than {OVERHEAD:.0%}",
            f"{overhead:.1%}",
            overhead < OVERHEAD,
        ),
        Target(
            "`dss separate` of one chunk, whole process, s",
            f"less than {START_UP:g}",
            spread_text(start_up),
            None if start_up is None else start_up["median"] < START_UP,
        ),
    ]


def markdown_targets(result: Mapping[str, Any]) -> str:
    """Return the table of targets as Markdown.

    Raises:
        DssError: as `targets`.
    """
    words = {True: "yes", False: "no", None: UNKNOWN}
    told = [(one.what, [one.wanted, one.measured, words[one.met]]) for one in targets(result)]
    return markdown_lines(["target", "wanted", "measured", "met"], told) + "\n"


def _row(result: Mapping[str, Any], threads: int) -> int | None:
    """Return the index of the first model's CPU row with that number of threads; None without one."""
    for place, row in enumerate(result["rows"]):
        asked = row["delegate"]["asked"], row["delegate"]["threads"]
        if row["model"] == result["rows"][0]["model"] and asked == ("cpu", threads):
            return place
    return None


def _at_most(spread: Spread, limit: float) -> tuple[str, bool]:
    return spread_text(spread), spread["median"] <= limit
