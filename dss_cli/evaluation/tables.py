"""Results of an evaluation as tables on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..constants import STEMS
from ..utils.tables import table_console
from .compare import WORSE_POINTS
from .perceptual import MEASURES

_HEARD = {f"{stem}_{measure}": f"{stem} {measure.upper()}" for stem in STEMS for measure in MEASURES}


def show(tables: Iterable[RenderableType]) -> None:
    """Print tables to stdout."""
    console = table_console()
    for table in tables:
        console.print(table)


def run_tables(run: Mapping[str, Any]) -> RenderableType:
    """Return the tables of a run: strata, conversations, leakage curve."""
    parts: list[RenderableType] = [_strata(run), Text()]
    if (cells := conversation_cells(run))[1]:
        parts += [_conversations(cells), Text()]
    if run["leakage"]:
        parts += [_leakage(run), Text()]
    return Group(*parts)


def title(run: Mapping[str, Any]) -> str:
    """Return the title of a run, `SYSTEM on TEST SET (preset P, seed S): N scenes`."""
    about = run["test_set"]
    return (
        f"{run['system']['name']} on {about['name']} "
        f"(preset {about['preset']}, seed {about['seed']}): {about['scenes']} scenes"
    )


def _strata(run: Mapping[str, Any]) -> Table:
    return _table(
        title(run),
        "Median [95 % interval], and where the worst tenth begins; dB. Silent: of the output whose reference "
        "is silent, the attenuation below the mixture and the level above the noise. Swapped: share of "
        "scenes whose only talker left by the wrong output.",
        strata_cells(run),
    )


def _table(title: str, caption: str, cells: tuple[list[str], list[list[str]]]) -> Table:
    """Return a table of cells, all but the first column aligned right."""
    table = Table(title=title, title_justify="left", caption=caption, caption_justify="left")
    head, rows = cells
    table.add_column(head[0], no_wrap=True)
    for name in head[1:]:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*row)
    return table


def strata_cells(run: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return the titles of the columns, and a row of cells for each stratum."""
    head = ["stratum", "n", "near SI-SDR", "SI-SDRi", "worst", "far SI-SDR", "SI-SDRi", "worst"]
    head += ["silent: attenuation", "worst", "above noise", "swapped"]
    heard = [f for f in _HEARD if any(f in summary for summary in run["strata"].values())]
    head += [_HEARD[figure] for figure in heard]
    rows = []
    for name, summary in run["strata"].items():
        silent = [stem for stem in STEMS if f"{stem}_attenuation" in summary]
        swap = summary.get("swap_rate")
        rows.append(
            [
                name,
                str(summary["scenes"]),
                *(cell for stem in STEMS for cell in _active(summary, stem)),
                " / ".join(median_text(summary[f"{stem}_attenuation"]) for stem in silent),
                " / ".join(number(tail(summary[f"{stem}_attenuation"])) for stem in silent),
                " / ".join(median_text(summary[f"{stem}_residual"]) for stem in silent),
                f"{100 * swap['rate']:.0f} %" if swap else "",
                *(f"{summary[figure]['median']:.2f}" if figure in summary else "" for figure in heard),
            ]
        )
    return head, rows


CONVERSATIONS = "By seconds in which one role alone speaks"


def _conversations(cells: tuple[list[str], list[list[str]]]) -> Table:
    return _table(
        CONVERSATIONS,
        "Wrong: share of those seconds in which more energy left by the wrong output. Over: level of the "
        "right output over the wrong one, dB, median and worst tenth of the seconds. Delay: from a talker's "
        "first sound to the right output, s, median and worst tenth of the talkers. Activity: missed and "
        "false seconds of who speaks when over spoken ones. Change: gain in SI-SDR over the same "
        "conversation alone, dB, median [95 % interval] and worst tenth of the scenes.",
        cells,
    )


def conversation_cells(run: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return the titles of the columns, and a row of cells for each stratum with conversations."""
    talking = {
        name: summary
        for name, summary in run["strata"].items()
        if any(f"{stem}_wrong" in summary for stem in STEMS)
    }
    paired = [stem for stem in STEMS if any(f"{stem}_change" in summary for summary in talking.values())]
    head = ["stratum", "n"]
    for stem in STEMS:
        head += [f"{stem} s", "wrong", "over", "worst", "delay", "worst", "activity"]
    for stem in paired:
        head += [f"{stem} change", "worst"]
    rows = []
    for name, summary in talking.items():
        row = [name, str(summary["scenes"])]
        for stem in STEMS:
            wrong = summary.get(f"{stem}_wrong")
            row += [str(wrong["seconds"]), f"{100 * wrong['rate']:.1f} %"] if wrong else ["", ""]
            for measure in ("over", "delay"):
                row += _middle_and_tail(summary.get(f"{stem}_{measure}"))
            activity = summary.get(f"{stem}_activity")
            row.append(f"{100 * activity['rate']:.1f} %" if activity else "")
        for stem in paired:
            change = summary.get(f"{stem}_change")
            row += [median_text(change), number(tail(change))] if change else ["", ""]
        rows.append(row)
    return head, rows


def _middle_and_tail(summary: Mapping[str, Any] | None) -> list[str]:
    return [number(summary["median"]), number(tail(summary))] if summary else ["", ""]


def _active(summary: Mapping[str, Any], stem: str) -> tuple[str, str, str]:
    """Return cells for SI-SDR and its improvement with interval and tail; missing values are empty."""
    score, gain = summary.get(f"{stem}_si_sdr"), summary.get(f"{stem}_si_sdri")
    return (
        number(score["median"]) if score else "",
        median_text(gain) if gain else "",
        number(tail(gain)) if gain else "",
    )


def median_text(summary: Mapping[str, Any], scale: float = 1.0) -> str:
    """Return `MEDIAN [LOW HIGH]`, each times `scale`."""
    text = number(scale * summary["median"])
    if summary["low"] is not None:
        text += f" [{number(scale * summary['low'])} {number(scale * summary['high'])}]"
    return text


def number(value: float) -> str:
    """Return a number with one decimal, without a minus sign before zero."""
    return f"{round(value, 1) + 0.0:.1f}"


def tail(summary: Mapping[str, Any]) -> float:
    """Return the percentile of a summary at which the worst tenth starts."""
    return float(summary["p10"] if "p10" in summary else summary["p90"])


def _leakage(run: Mapping[str, Any]) -> Table:
    points = {(point["environment"], point["distance_m"]): point for point in run["leakage"]}
    environments = sorted({environment for environment, _ in points})
    table = Table(title="Near-only: share of energy in the far output, %", title_justify="left")
    table.add_column("distance, m", justify="right")
    for environment in environments:
        table.add_column(environment, justify="right", no_wrap=True)
        table.add_column("n", justify="right")
    for distance in sorted({distance for _, distance in points}):
        cells = []
        for environment in environments:
            point = points.get((environment, distance))
            cells += [median_text(point, 100), str(point["count"])] if point else ["", ""]
        table.add_row(f"{distance:.1f}", *cells)
    return table


def comparison_tables(comparison: Mapping[str, Any]) -> list[RenderableType]:
    """Return one table for each pair of runs."""
    return [_comparison(run, comparison["tolerance_db"]) for run in comparison["runs"]]


def _comparison(run: Mapping[str, Any], tolerance: float) -> Table:
    caption = f"Difference: median over scenes [95 % interval], dB. Worse: below -{tolerance:g} dB."
    if any(figure.endswith("_wrong") for figures in run["strata"].values() for figure in figures):
        caption += (
            f" Seconds in the wrong output: before and after over all; worse: {WORSE_POINTS:g} points more."
        )
    table = Table(
        title=f"{run['test_set']}: {run['before']} -> {run['after']}",
        title_justify="left",
        caption=caption,
        caption_justify="left",
    )
    for name in ("stratum", "figure"):
        table.add_column(name, no_wrap=True)
    for name in ("n", "before", "after", "difference"):
        table.add_column(name, justify="right")
    table.add_column("")
    for name, figures in run["strata"].items():
        for position, (figure, summary) in enumerate(figures.items()):
            table.add_row(
                "" if position else name,
                _figure(figure),
                str(summary["count"]),
                number(summary["before"]),
                number(summary["after"]),
                median_text(summary),
                "worse" if summary["worse"] else "",
                style="bold red" if summary["worse"] else None,
            )
    return table


def _figure(name: str) -> str:
    stem, _, measure = name.partition("_")
    titles = {"si_sdr": "SI-SDR", "wrong": "wrong, %"}
    return f"{stem} {titles.get(measure, measure)}"
