"""Plain tables: the methods, what their searches took, and the points of their fronts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from dnas.compare.looks import pooled_front, thinned
from dnas.compare.model import Comparison, Cost, Method, Point
from dnas.compare.page.series import swatch
from dnas.report.html.markup import Markup, element

MOST_ROWS = 200
KINDS = {
    "differentiable": "differentiable search",
    "evolutionary": "evolutionary search",
    "baseline": "baseline",
    "zoo": "published networks",
}


def method_table(comparison: Comparison) -> Markup:
    """What every method is, how often it ran and how many networks it found."""
    rows = [
        (
            _head(index, method.name),
            element("td", KINDS[method.kind]),
            _number(str(len(method.runs)) if method.kind != "zoo" else "–"),
            _number(str(sum(len(run.members) for run in method.runs))),
            element("td", method.details or "–"),
        )
        for index, method in enumerate(comparison.methods)
    ]
    return _table("Methods", ("method", "kind", "runs", "networks", "how it was run"), rows)


def cost_table(comparison: Comparison) -> Markup:
    """Means over the runs; the bars compare methods within a column."""
    searching = [(i, method) for i, method in enumerate(comparison.methods) if method.kind != "zoo"]
    columns = [_cost_column(name, [m for _, m in searching], get, write) for name, get, write in COSTS]
    rows = [
        (_head(index, method.name), *(column[place] for column in columns))
        for place, (index, method) in enumerate(searching)
    ]
    headings = ("method", *(name for name, _, _ in COSTS))
    return _table("What a search took: mean of its runs", headings, rows) if rows else Markup()


def point_table(comparison: Comparison) -> tuple[Markup, int, int]:
    """The sortable table of pooled fronts, how many points it has, and how many there are in all."""
    fronts = [pooled_front(method, comparison) for method in comparison.methods]
    most = max(1, MOST_ROWS // max(1, len(fronts)))
    chosen = [(i, point) for i, front in enumerate(fronts) for point in thinned(front, most)]
    rows = [
        (_head(i, _named(comparison.methods[i], point)), *map(_number, _cells(point)), _code(point))
        for i, point in chosen
    ]
    headings = (
        *("method", f"{comparison.table.kind} latency (ms)", "90 % interval (ms)", "top-1 (%)", "top-5 (%)"),
        *("loss", "parameters", "multiply-adds", "generation", "network, first layer first"),
    )
    count = sum(len(run.members) for method in comparison.methods for run in method.runs)
    return _table("Points of the fronts", headings, rows, "sortable"), len(rows), count


def outside_table(comparison: Comparison) -> Markup:
    """Published networks outside the space; empty without any."""
    rows = [
        (
            element("th", each.name, scope="row"),
            _number("–" if each.published_top1 is None else _fixed(100 * each.published_top1, 2)),
            _number(_fixed(each.latency_ms, 2)),
            _number(f"{_fixed(each.latency_low_ms, 2)} to {_fixed(each.latency_high_ms, 2)}"),
            element("td", each.table_kind),
            _number(_count(each.params)),
            _number(_count(each.madds)),
            element("td", each.source),
        )
        for each in comparison.outside
    ]
    headings = (
        *("network", "published top-1 (%)", "latency (ms)", "90 % interval (ms)", "table"),
        *("parameters", "multiply-adds", "source of the accuracy"),
    )
    return _table("Published networks outside the space", headings, rows) if rows else Markup()


def scrolling_table(caption: str, head: Markup, rows: Sequence[Markup], class_: str) -> Markup:
    """A table in a box of its own that scrolls where it is too wide; its caption stands above the box.

    Args:
        caption: plain text or markup.
        head: the row of headings.
    """
    table = element("table", element("thead", head), element("tbody", *rows), class_=class_)
    box = element("div", table, class_="scroll", tabindex=0)
    return element("div", element("p", caption, class_="caption"), box, class_="titled")


def duration(seconds: float) -> str:
    """In the unit that a person would use."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def _count(value: float) -> str:
    return f"{value:,.0f}"


COSTS: tuple[tuple[str, Callable[[Cost], float | None], Callable[[float], str]], ...] = (
    ("evaluations", lambda cost: cost.evaluations, _count),
    ("search time", lambda cost: cost.seconds, duration),
    ("images evaluated", lambda cost: cost.images, _count),
    ("training time of the weights", lambda cost: cost.training_seconds, duration),
    ("training images", lambda cost: cost.training_images, _count),
)


def _cost_column(
    name: str,
    methods: Sequence[Method],
    get: Callable[[Cost], float | None],
    write: Callable[[float], str],
) -> list[Markup]:
    values = [get(method.cost) for method in methods]
    most = max((value for value in values if value), default=1.0)
    return [_bar(None if v is None else write(v), (v or 0.0) / most, name) for v in values]


def _bar(text: str | None, share: float, name: str) -> Markup:
    if text is None:
        return element("td", "–", class_="num", title=f"{name}: not told by the files")
    bar = element("span", class_="bar", style=f"width:{100 * share:.1f}%")
    return element("td", text, bar, class_="num")


def _cells(point: Point) -> list[str]:
    return [
        _fixed(point.latency_ms, 2),
        f"{_fixed(point.latency_low_ms, 2)} to {_fixed(point.latency_high_ms, 2)}",
        _fixed(100 * point.top1, 2),
        _fixed(100 * point.top5, 2),
        _fixed(point.loss, 3),
        _count(point.params),
        _count(point.madds),
        "–" if point.generation is None else str(point.generation),
    ]


def _named(method: Method, point: Point) -> str:
    if method.kind == "zoo" or not point.name:
        return point.name or method.name
    return f"{method.name}: {point.name}"


def _fixed(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}" if math.isfinite(value) else "–"


def _code(point: Point) -> Markup:
    return element("td", element("code", " ".join(point.choices)), class_="network")


def _head(series: int, name: str) -> Markup:
    return element("th", swatch(series), name, scope="row", data_m=series)


def _number(text: str) -> Markup:
    return element("td", text, class_="num")


def _table(caption: str, headings: Sequence[str], rows: Sequence[Sequence[Markup]], kind: str = "") -> Markup:
    head = element("tr", *(element("th", text, scope="col") for text in headings))
    return scrolling_table(caption, head, [element("tr", *cells) for cells in rows], f"plain {kind}".strip())
