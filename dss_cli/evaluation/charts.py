"""Small charts with axes, dots, and lines with error bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar


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


@dataclass(frozen=True)
class Chart:
    """Chart of series over two axes, with positions for `templates/chart.svg`.

    Attributes:
        title: title above the chart.
        x, y: axes; the horizontal line at zero of `y` is darker.
        series: series in drawing order, named in a legend.
        band: shaded part of the x axis.
    """

    title: str
    x: Axis
    y: Axis
    series: Sequence[Series]
    band: tuple[float, float] | None = None

    width: ClassVar = 460
    height: ClassVar = 300
    left: ClassVar = 52
    right: ClassVar = width - 12
    top: ClassVar = 40
    bottom: ClassVar = height - 46

    def across(self, value: float) -> float:
        """Return the position of a value on the x axis."""
        return round(self.left + self.x.place(value) * (self.right - self.left), 1)

    def down(self, value: float) -> float:
        """Return the position of a value on the y axis."""
        return round(self.bottom - self.y.place(value) * (self.bottom - self.top), 1)
