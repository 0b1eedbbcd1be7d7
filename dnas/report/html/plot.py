"""The frame of a chart: axes, grid, lines and direct labels, as SVG that fits any width without a script.

Across, everything is placed in per cent of the width, so that a narrow chart has narrower gaps but text of
the same size; down, in pixels. A viewBox would shrink the text with the chart. Only lines need one: they
are stretched across, their strokes are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dnas.report.html.markup import Markup, data, element, join, number, percent
from dnas.report.html.scale import Scale, spread

# Points (x, y) in the units of the axes.
Curve = tuple[tuple[float, float], ...]

HEIGHT = 340
STRETCHED = 1000
LABEL_GAP = 17
# What the style sheet leaves room for to the right of a plot; the legend has the whole name.
LONGEST_LABEL = 26


@dataclass(frozen=True)
class EndLabel:
    """A name at the right end of a line, at the line's last value; ``series`` is the method's number."""

    value: float
    text: str
    series: int


@dataclass(frozen=True)
class Frame:
    """Two scales with their titles and the height of the plot in pixels."""

    x: Scale
    y: Scale
    x_title: str
    y_title: str
    height: int = HEIGHT

    def across(self, value: float) -> str:
        """Place of an x value, in per cent of the width."""
        return percent(self.x.share(value))

    def down(self, value: float) -> float:
        """Place of a y value, in pixels from the top."""
        return self.height * (1 - self.y.share(value))

    def chart(
        self, *content: Markup, label: str, ends: Sequence[EndLabel] = (), values: Any = None
    ) -> Markup:
        """The whole chart.

        Args:
            content: drawn over the grid.
            label: what a screen reader says of the chart.
            ends: direct labels; left out where the chart is narrow or too low for all of them.
            values: what the page's script shows when the chart is pointed at.
        """
        names = self._end_labels(ends)
        picture = element(
            "svg",
            *(self._grid(), join(*content), self._titles(), names),
            class_="plot",
            width="100%",
            height=self.height,
            role="group",
            aria_label=label,
        )
        embedded = Markup() if values is None else data(values, class_="values")
        return element("div", picture, embedded, class_="chart labelled" if names else "chart")

    def stretched(self, *paths: Markup) -> Markup:
        """Paths made by :meth:`steps`, stretched to the width of the chart."""
        return element(
            "svg",
            *paths,
            class_="lines",
            width="100%",
            height=self.height,
            viewBox=f"0 0 {STRETCHED} {self.height}",
            preserveAspectRatio="none",
        )

    def steps(self, curve: Curve, *, end: float | None = None) -> str:
        """Path of a step curve: every value holds until the next corner, the last one until ``end``."""
        places = [(self._stretch(x), number(self.down(y))) for x, y in curve]
        last = len(places) - 1
        # Steps too low to be seen are left out; there may be hundreds.
        (x, y), *rest = [c for i, c in enumerate(places) if i in (0, last) or c[1] != places[i - 1][1]]
        path = f"M{x} {y}" + "".join(f"H{x}V{y}" for x, y in rest)
        return path if end is None else f"{path}H{self._stretch(end)}"

    def band(self, upper: Curve, lower: Curve) -> str:
        """Path around the area between two step curves, from where both are defined to the right edge."""
        start, end = max(upper[0][0], lower[0][0]), self.x.high
        there = _corners(upper, start, end)
        back = reversed(_corners(lower, start, end))
        return "M" + "L".join(f"{self._stretch(x)} {number(self.down(y))}" for x, y in [*there, *back]) + "Z"

    def whiskers(self, spans: Iterable[tuple[float, float, float]]) -> str:
        """Path of horizontal lines (low, high, y)."""
        return "".join(
            f"M{self._stretch(low)} {number(self.down(y))}H{self._stretch(high)}" for low, high, y in spans
        )

    def _stretch(self, value: float) -> str:
        return number(STRETCHED * min(max(self.x.share(value), 0.0), 1.0))

    def _grid(self) -> Markup:
        parts = []
        for value, text in self.y.ticks(8):
            y = self.down(value)
            parts.append(element("line", x1=0, x2="100%", y1=y, y2=y, class_="grid"))
            parts.append(element("text", text, x=-8, y=y, dy="0.32em", class_="tick end"))
        for value, text in self.x.ticks():
            x = self.across(value)
            parts.append(element("line", x1=x, x2=x, y1=self.height, y2=self.height + 5, class_="axis"))
            parts.append(element("text", text, x=x, y=self.height + 19, class_="tick middle"))
        parts.append(element("line", x1=0, x2="100%", y1=self.height, y2=self.height, class_="axis"))
        return join(*parts)

    def _titles(self) -> Markup:
        return join(
            element("text", self.y_title, x=-44, y=-14, class_="title"),
            element("text", self.x_title, x="100%", y=self.height + 40, class_="title end"),
        )

    def _end_labels(self, ends: Sequence[EndLabel]) -> Markup:
        places = spread([self.down(end.value) for end in ends], LABEL_GAP, 6, self.height - 6)
        if not ends or places is None:
            return Markup()
        parts = []
        for end, y in zip(ends, places, strict=True):
            line = element("line", x1=3, x2=15, y1=self.down(end.value), y2=y, class_="leader")
            name = element("text", shortened(end.text), x=19, y=y, dy="0.32em")
            parts.append(element("g", line, name, class_=f"s{end.series}", data_m=end.series))
        # Inside an svg at the right edge, pixels count from that edge.
        return element("svg", *parts, x="100%", class_="direct")


def shortened(text: str) -> str:
    """``text``, or as much of it as a direct label has room for."""
    return text if len(text) <= LONGEST_LABEL else f"{text[: LONGEST_LABEL - 1].rstrip()}…"


def _corners(curve: Curve, start: float, end: float) -> list[tuple[float, float]]:
    """Every bend of a step curve between ``start``, where it is defined already, and ``end``."""
    value = max((corner for corner in curve if corner[0] <= start), key=lambda corner: corner[0])[1]
    bends = [(start, value)]
    for x, y in curve:
        if start < x <= end:
            bends += [(x, value), (x, y)]
            value = y
    return [*bends, (end, value)]
