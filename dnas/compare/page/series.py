"""How methods look on the page: marker symbols, colours as CSS, legends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from matplotlib.markers import MarkerStyle
from matplotlib.path import Path

from dnas.compare.looks import PUBLISHED_MARKER, Look
from dnas.report import style
from dnas.report.html.markup import Markup, element, number

MARKER_PX = 9.0
# A star of the size of the other markers looks smaller than they do.
STAR_PX = 15.0
# On a dark page the dark colours get lighter, each staying apart from the others.
ON_DARK = {
    style.BLUE: "#4c9be8",
    style.VERMILION: "#ff8144",
    style.GREEN: "#2ec49a",
    style.PURPLE: "#e39cc4",
    style.ORANGE: "#f3b73e",
    style.SKY: "#9fdcff",
    style.INK: "#f2f2f2",
}
LETTERS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C"}


def marker_path(name: str) -> str:
    """SVG path of one of matplotlib's markers around (0, 0): the figures and the page show the same."""
    marker = MarkerStyle(name)
    outline = marker.get_path().transformed(marker.get_transform())
    size = STAR_PX if name == PUBLISHED_MARKER else MARKER_PX
    parts = []
    for points, code in outline.iter_segments(simplify=False):
        places = " ".join(number(size * value) for value in points * _flip(len(points)))
        parts.append("Z" if code == Path.CLOSEPOLY else LETTERS[code] + places)
    return "".join(parts)


def _flip(count: int) -> list[int]:
    """In SVG, y points down."""
    return [1, -1] * (count // 2)


def symbols(looks: Sequence[Look]) -> Markup:
    """The marker of every method, to be used as ``#m0``, ``#m1``, ..."""
    paths = [element("path", id=f"m{i}", d=marker_path(look.marker)) for i, look in enumerate(looks)]
    return element("svg", element("defs", *paths), width=0, height=0, class_="symbols", aria_hidden="true")


def colours(looks: Sequence[Look], *, dark: bool) -> Markup:
    """CSS that gives series ``.s0``, ``.s1``, ... their colours."""
    rules = (f".s{i}{{--c:{ON_DARK[look.colour] if dark else look.colour}}}" for i, look in enumerate(looks))
    return Markup("".join(rules))


def marker(series: int, **place: object) -> Markup:
    """The marker of a method at x and y."""
    return element("use", href=f"#m{series}", **place)


def swatch(series: int) -> Markup:
    """A marker beside a method's name in text."""
    icon = marker(series, x=8, y=8)
    return element("svg", icon, class_=f"swatch s{series}", width=16, height=16, aria_hidden="true")


def legend(names: Iterable[tuple[int, str]], *, narrow: bool = False) -> Markup:
    """Markers and names; the page's script makes them buttons that single out a method.

    Args:
        narrow: only for narrow screens, because wide ones have direct labels.
    """
    entries = [
        element("li", element("span", swatch(series), name, class_="key", data_m=series))
        for series, name in names
    ]
    return element("ul", *entries, class_="legend narrow" if narrow else "legend")
