"""Report of an evaluation as one self-contained HTML page: charts, example scenes, tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from ..constants import STEMS
from ..distances import FAR_OUTDOOR, GUARD, NEAR
from ..page.assets import load_assets, style_sheet, templates
from ..page.embedded import Embedded, Track
from ..page.sound import flac
from ..testset.format import protocol_of
from .charts import Axis, Chart, Point, Series, round_axis
from .scoring import Floats, Row
from .statistics import grouped, interval
from .systems import System
from .tables import CONVERSATIONS, conversation_cells, median_text, number, strata_cells, title
from .testset import TestSet

if TYPE_CHECKING:
    from jinja2 import Template

_METRES = [(v, f"{v:g}") for v in (0.2, 0.3, 0.5, 0.8, 1.2, 2, 3, 5, 8, 15)]
_BINS = np.geomspace(NEAR[0], FAR_OUTDOOR[1], 15)  # bins of the distances for the lines


@dataclass(frozen=True)
class Example:
    """Example scene with its row and its sounds by name."""

    rank: str
    row: Row
    rate: int
    sounds: dict[str, Floats]

    @property
    def place(self) -> str:
        """Kind of the scene, and its environment."""
        row = self.row
        distances = ", ".join(f"{s} at {row[f'{s}_m']:.2f} m" for s in STEMS if row[f"{s}_m"])
        noise = "no noise" if row["snr_db"] is None else f"noise {row['snr_db']:g} dB below"
        return f"{row['kind']}, {row['environment']}, {distances}, {noise}"

    @property
    def embedded(self) -> Embedded:
        """Sounds for a player of the page, without loss but for the rounding to 16 bits."""
        tracks = [
            Track(name, self._heading(name), [flac(sound, self.rate)]) for name, sound in self.sounds.items()
        ]
        return Embedded(self.rate, len(self.sounds["mixture"]), tracks)

    def _heading(self, name: str) -> str:
        score = self.row.get(f"{name}_si_sdri") if name in STEMS else None
        title = "Recording" if name == "mixture" else name.capitalize()
        return title if score is None else f"{title}, SI-SDRi {number(score)} dB"


def load_template() -> Template:
    """Load the page's template.

    Raises:
        DssError: the extra `report` is not installed.
    """
    return templates(__package__, "--report").get_template("report.html")


def page(template: Template, result: Mapping[str, Any], examples: Sequence[Sequence[Example]]) -> str:
    """Return the page as HTML.

    Args:
        template: result of `load_template`.
        result: result of `evaluate`.
        examples: results of `choose_examples` for each run.
    """
    sections = [_section(*pair) for pair in zip(result["runs"], examples, strict=True)]
    return template.render(
        assets=load_assets(style_sheet(template.environment, "report.css")),
        version=result["version"],
        guard=GUARD,
        conversations=CONVERSATIONS,
        sections=sections,
    )


def choose_examples(run: Mapping[str, Any], system: System, test_set: TestSet) -> list[Example]:
    """Return the best, the median and the worst scene of a run, by the mean improvement of the outputs.

    Only scenes with improvements of both outputs are ranked or, without such scenes, those with one.
    """
    ranked = _ranked(run["scenes"])
    if not ranked:
        return []
    _, outputs = system.open(lambda message: None)  # warnings were given before
    scenes = {scene.id: scene for scene in test_set.scenes}
    picks = {"Best": ranked[-1], "Median": ranked[(len(ranked) - 1) // 2], "Worst": ranked[0]}
    examples = []
    for rank, row in picks.items():
        scene = scenes[row["id"]]
        mixture = scene.read("mixture", test_set.rate)
        made = outputs(scene, test_set.rate, len(mixture))
        sounds = {"mixture": mixture}
        for stem in STEMS:
            sounds[stem] = made[stem]
            sounds[f"{stem} reference"] = scene.read(stem, test_set.rate)
        examples.append(Example(rank, row, test_set.rate, sounds))
    return examples


def _ranked(rows: Iterable[Row]) -> list[Row]:
    gains = [(row, [row[f"{s}_si_sdri"] for s in STEMS if row[f"{s}_si_sdri"] is not None]) for row in rows]
    most = max((len(gain) for _, gain in gains), default=0)
    scored = [(float(np.mean(gain)), row["id"], row) for row, gain in gains if gain and len(gain) == most]
    return [row for _, _, row in sorted(scored, key=lambda item: item[:2])]


def _section(run: Mapping[str, Any], examples: Sequence[Example]) -> dict[str, Any]:
    """Return the content of the page for a run."""
    charts = [_by_distance(run["scenes"]), _by_noise(run["scenes"]), _leakage(run["leakage"])]
    about = run["test_set"]
    length = f"of {about['seconds']} s" if about["seconds"] else "of several lengths"
    facts = {
        "test set": f"{about['name']}, made by dss {about['version']}",
        "speech": about["speech"],
        "noise": about["noise"] or "none",
        "responses": about["rirs"] or f"simulated, protocol {protocol_of(about)}",
        "scenes": f"{about['scenes']} {length} at {about['rate']} Hz",
        "run on": run["system"].get("delegate") or "stems of another tool",
    }
    return {
        "title": title(run),
        "facts": list(facts.items()),
        "charts": [chart for chart in charts if chart],
        "examples": examples,
        "strata": strata_cells(run),
        "conversations": conversation_cells(run),
    }


def _by_distance(rows: Sequence[Row]) -> Chart | None:
    series = []
    for stem in STEMS:
        known = [r for r in rows if r[f"{stem}_m"] and r[f"{stem}_si_sdri"] is not None]
        dots = [
            Point(r[f"{stem}_m"], r[f"{stem}_si_sdri"], text=f"{r['id']}: {number(r[f'{stem}_si_sdri'])} dB")
            for r in known
        ]
        known.sort(key=itemgetter(f"{stem}_m"))
        bins = grouped(known, _bin(f"{stem}_m"))
        line = [_middle(f"{stem}_m", f"{stem}_si_sdri", members) for members in bins.values()]
        series.append(Series(stem, stem, dots, line))
    values = [p.y for one in series for p in one.dots]
    if not values:
        return None
    x = Axis("distance to the microphone, m", 0.18, 16, _METRES, log=True)
    return Chart("Improvement by distance", x, round_axis("SI-SDRi, dB", values), series, band=GUARD)


def _bin(key: str) -> Callable[[Row], int]:
    return lambda row: int(np.digitize(row[key], _BINS))


def _by_noise(rows: Sequence[Row]) -> Chart | None:
    levels = sorted({r["snr_db"] for r in rows}, key=lambda snr: np.inf if snr is None else snr)
    places = {level: n for n, level in enumerate(levels)}
    series = []
    for offset, stem in zip((-0.06, 0.06), STEMS, strict=True):
        known = [r for r in rows if all(r[f"{s}_si_sdri"] is not None for s in STEMS)]
        line = []
        for level, members in sorted(
            grouped(known, lambda r: r["snr_db"]).items(), key=lambda i: places[i[0]]
        ):
            point = _middle("", f"{stem}_si_sdri", members)
            line.append(Point(places[level] + offset, point.y, point.low, point.high, point.text))
        series.append(Series(stem, stem, line=line))
    points = [point for one in series for point in one.line]
    if len(places) < 2 or not points:
        return None
    ticks = [(float(n), "clean" if level is None else f"{level:g}") for level, n in places.items()]
    x = Axis("noise below the talkers, dB (scenes with near and far)", -0.4, len(levels) - 0.6, ticks)
    y = round_axis("SI-SDRi, dB", [v for p in points for v in (p.y, p.low, p.high) if v is not None])
    return Chart("Improvement by noise", x, y, series)


def _leakage(curve: Sequence[Mapping[str, Any]]) -> Chart | None:
    if not curve:
        return None
    environments = sorted({point["environment"] for point in curve})
    series = []
    for number_, environment in enumerate(environments):
        line = [
            Point(
                p["distance_m"],
                100 * p["median"],
                None if p["low"] is None else 100 * p["low"],
                None if p["high"] is None else 100 * p["high"],
                f"{p['distance_m']:g} m {environment}: {median_text(p, 100)} %, n = {p['count']}",
            )
            for p in curve
            if p["environment"] == environment
        ]
        series.append(Series(environment, f"place{number_}", line=line))
    distances = sorted({p["distance_m"] for p in curve})
    ticks = [(d, f"{d:g}") for d in distances]
    x = Axis("distance to the microphone, m", distances[0] - 0.05, distances[-1] + 0.05, ticks)
    y = Axis("energy in the far output, %", 0, 100, [(v, f"{v}") for v in range(0, 101, 20)])
    return Chart(
        "Near-only: leakage by distance", x, y, series, band=GUARD if distances[-1] > GUARD[0] else None
    )


def _middle(x: str, y: str, rows: Sequence[Row]) -> Point:
    """Return the medians of rows, with the interval of `y`."""
    values = np.array([row[y] for row in rows])
    low, high = interval(values)
    at = float(np.median([row[x] for row in rows])) if x else 0.0
    middle = float(np.median(values))
    return Point(at, middle, low, high, f"median of {len(rows)}: {number(middle)} dB")
