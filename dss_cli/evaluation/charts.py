"""Small line and dot charts as SVG, with axes, dots, lines and error bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT = 460, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 40, 46  # margins


@dataclass(frozen=True)
class Axis:
    """Axis from `low` to `high`, linear or logarithmic, with labelled ticks."""

    label: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    log: bool = False

    def place(self, value: float) -> float:
        """Return the position of a value along the axis, 0 to 1; values beyond the ends are clipped."""
        low, high, at = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        return min(1.0, max(0.0, (at - low) / (high - low)))


@dataclass(frozen=True)
class Point:
    """Value with an optional interval; the text is a tooltip."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    text: str = ""


@dataclass(frozen=True)
class Series:
    """Dots for single values and a line for their medians, in the colour of a CSS class."""

    name: str
    colour: str
    dots: Sequence[Point] = field(default=())
    line: Sequence[Point] = field(default=())


def round_axis(label: str, values: Sequence[float]) -> Axis:
    """Return an axis that includes the values and zero, and ends at round ticks."""
    low, high = min(0.0, *values), max(0.0, *values)
    rough = (high - low or 1.0) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * nice for nice in (1, 2, 5, 10) if power * nice >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    last = max(last, first + 1)
    ticks = [(n * step, f"{n * step:g}") for n in range(first, last + 1)]
    return Axis(label, first * step, last * step, ticks)


def chart(
    title: str, x: Axis, y: Axis, series: Sequence[Series], band: tuple[float, float] | None = None
) -> str:
    """Return a chart as one `<svg>` element.

    Args:
        title: title above the chart.
        x, y: axes; the horizontal line at zero of `y` is darker.
        series: series in drawing order, named in a legend.
        band: shaded range of the x axis, if any.
    """
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        f'<text class="title" x="{_LEFT}" y="15">{escape(title)}</text>',
    ]
    if band:
        left, right = (_across(x, edge) for edge in band)
        parts.append(
            f'<rect class="band" x="{left:.1f}" y="{_TOP}" width="{right - left:.1f}" '
            f'height="{HEIGHT - _TOP - _BOTTOM}"/>'
        )
    parts += [*_grid(x, y), *_legend(series)]
    for one in series:
        parts.append(f'<g class="{one.colour}">')
        parts += [_dot(x, y, point, 2.2, "dot") for point in one.dots]
        parts += _line(x, y, one.line)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"])


def _across(axis: Axis, value: float) -> float:
    return _LEFT + axis.place(value) * (WIDTH - _LEFT - _RIGHT)


def _down(axis: Axis, value: float) -> float:
    return HEIGHT - _BOTTOM - axis.place(value) * (HEIGHT - _TOP - _BOTTOM)


def _grid(x: Axis, y: Axis) -> list[str]:
    bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    parts = []
    for value, text in y.ticks:
        at = _down(y, value)
        kind = "zero" if value == 0 else "grid"
        parts.append(f'<line class="{kind}" x1="{_LEFT}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text class="end" x="{_LEFT - 6}" y="{at + 4:.1f}">{escape(text)}</text>')
    for value, text in x.ticks:
        at = _across(x, value)
        parts.append(f'<line class="zero" x1="{at:.1f}" x2="{at:.1f}" y1="{bottom}" y2="{bottom + 4}"/>')
        parts.append(f'<text class="middle" x="{at:.1f}" y="{bottom + 17}">{escape(text)}</text>')
    middle = (_LEFT + right) / 2
    parts.append(f'<text class="middle" x="{middle}" y="{HEIGHT - 8}">{escape(x.label)}</text>')
    height = (_TOP + bottom) / 2
    parts.append(
        f'<text class="middle" transform="translate(13 {height}) rotate(-90)">{escape(y.label)}</text>'
    )
    return parts


def _legend(series: Sequence[Series]) -> list[str]:
    parts, at = [], float(_LEFT)
    for one in series:
        parts.append(f'<g class="{one.colour}"><circle class="mark" cx="{at + 4:.1f}" cy="27" r="4"/></g>')
        parts.append(f'<text x="{at + 12:.1f}" y="31">{escape(one.name)}</text>')
        at += 28 + 6.5 * len(one.name)
    return parts


def _line(x: Axis, y: Axis, points: Sequence[Point]) -> list[str]:
    if not points:
        return []
    path = " ".join(f"{_across(x, p.x):.1f},{_down(y, p.y):.1f}" for p in points)
    parts = [f'<polyline points="{path}"/>']
    for point in points:
        if point.low is not None and point.high is not None:
            at = _across(x, point.x)
            ends = f'y1="{_down(y, point.low):.1f}" y2="{_down(y, point.high):.1f}"'
            parts.append(f'<line class="bar" x1="{at:.1f}" x2="{at:.1f}" {ends}/>')
        parts.append(_dot(x, y, point, 4, "mark"))
    return parts


def _dot(x: Axis, y: Axis, point: Point, radius: float, kind: str) -> str:
    at = f'cx="{_across(x, point.x):.1f}" cy="{_down(y, point.y):.1f}"'
    return f'<circle class="{kind}" {at} r="{radius:g}"><title>{escape(point.text)}</title></circle>'
