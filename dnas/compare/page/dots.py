"""Tables whose rows carry a small plot: a dot for every run, the mean's marker and its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dnas.compare.looks import TOP1, quality_axis
from dnas.compare.model import Comparison, Estimate, Method
from dnas.compare.page.series import marker, swatch
from dnas.report.html.markup import Markup, element, join, percent
from dnas.report.html.scale import Scale

ROW_PX = 26
AXIS_PX = 22
MOST_TICKS = 6
# An interval may reach this many ranges of the dots beyond them; with two runs it can be anything.
REACH = 1.5


@dataclass(frozen=True)
class Row:
    """A method's number and name, what was estimated of it, and a remark for small print."""

    series: int
    name: str
    estimate: Estimate
    remark: str = ""


def hypervolume_table(methods: Sequence[Method], estimates: Sequence[Estimate], caption: str) -> Markup:
    """One row per method, the largest hypervolume first."""
    rows = [Row(i, m.name, e) for i, (m, e) in enumerate(zip(methods, estimates, strict=True))]
    rows.sort(key=lambda row: (row.estimate.mean is None, -(row.estimate.mean or 0.0)))
    return _table({"": rows}, caption, "share of the box", decimals=3)


def budget_table(comparison: Comparison) -> Markup:
    """The best quality within every latency budget, a group of rows for each; nothing without budgets."""
    names = [method.name for method in comparison.methods]
    axis = quality_axis(comparison)
    groups: dict[str, list[Row]] = {}
    for budget in comparison.budgets:
        estimate = _scaled(budget.quality, axis.factor)
        remark = "" if comparison.quality == "top1" else f"top-1 {TOP1.text(budget.top1.mean)}"
        row = Row(names.index(budget.method), budget.method, estimate, remark)
        groups.setdefault(f"within {budget.latency_ms:.2f} ms", []).append(row)
    caption = f"Best {axis.short} within a latency budget"
    return _table(groups, caption, axis.title, axis.decimals) if groups else Markup()


def _scaled(estimate: Estimate, factor: float) -> Estimate:
    def scale(value: float | None) -> float | None:
        return None if value is None else factor * value

    values = tuple(map(scale, estimate.values))
    return Estimate(scale(estimate.mean), scale(estimate.low), scale(estimate.high), values)


def _table(groups: dict[str, list[Row]], caption: str, unit: str, decimals: int) -> Markup:
    scale = _scale([row.estimate for rows in groups.values() for row in rows])
    body = [_group(heading, rows, scale, decimals) for heading, rows in groups.items()]
    return element(
        "table",
        element("caption", caption),
        element("tbody", *body),
        element("tfoot", _axis(scale, unit)),
        class_="dots",
    )


def _scale(estimates: Sequence[Estimate]) -> Scale:
    dots = [value for e in estimates for value in e.values if value is not None]
    if not dots:
        return Scale.around([])
    reach = REACH * (max(dots) - min(dots))
    low, high = min(dots) - reach, max(dots) + reach
    ends = [value for e in estimates for value in (e.low, e.high) if value is not None]
    return Scale.around([*dots, *(min(max(value, low), high) for value in ends)], 0.04)


def _group(heading: str, rows: Sequence[Row], scale: Scale, decimals: int) -> Markup:
    title = element("tr", element("th", heading, colspan=3, scope="rowgroup"), class_="group")
    return join(title if heading else Markup(), *(_row(row, scale, decimals) for row in rows))


def _row(row: Row, scale: Scale, decimals: int) -> Markup:
    return element(
        "tr",
        element("th", swatch(row.series), row.name, scope="row"),
        element("td", _plot(row, scale, decimals), class_="plotted"),
        element("td", *_value(row, decimals), class_="value"),
        data_m=row.series,
    )


def _value(row: Row, decimals: int) -> list[str]:
    estimate = row.estimate
    if estimate.mean is None:
        known = sum(value is not None for value in estimate.values)
        return ["– ", element("small", f"{known} of {len(estimate.values)} runs")]
    span = "one run"
    if estimate.low is not None and estimate.high is not None:
        span = f"{estimate.low:.{decimals}f} to {estimate.high:.{decimals}f}"
    remark = [element("small", f", {row.remark}")] if row.remark else []
    return [f"{estimate.mean:.{decimals}f} ", element("small", span), *remark]


def _plot(row: Row, scale: Scale, decimals: int) -> Markup:
    middle = ROW_PX / 2
    parts = _grid(scale, ROW_PX)
    estimate = row.estimate
    if estimate.low is not None and estimate.high is not None:
        low, high = (
            _across(min(max(v, scale.low), scale.high), scale) for v in (estimate.low, estimate.high)
        )
        parts.append(element("line", x1=low, x2=high, y1=middle, y2=middle, class_="interval"))
    for value in estimate.values:
        if value is not None:
            hint = element("title", f"{row.name}: {value:.{decimals}f}")
            parts.append(element("circle", hint, cx=_across(value, scale), cy=middle, r=3, class_="dot"))
    if estimate.mean is not None:
        parts.append(marker(row.series, x=_across(estimate.mean, scale), y=middle))
    return _svg(parts, ROW_PX, f"s{row.series}")


def _axis(scale: Scale, unit: str) -> Markup:
    texts = [
        element("text", text, x=_across(value, scale), y=14, class_="tick middle")
        for value, text in scale.ticks(MOST_TICKS)
    ]
    cells = element("th"), element("td", _svg(texts, AXIS_PX, "axis"), class_="plotted"), element("td")
    title = element("tr", element("th"), element("td", unit, class_="unit"), element("td"))
    return join(element("tr", *cells, aria_hidden="true"), title)


def _grid(scale: Scale, height: int) -> list[Markup]:
    places = [_across(value, scale) for value, _ in scale.ticks(MOST_TICKS)]
    return [element("line", x1=x, x2=x, y1=0, y2=height, class_="grid") for x in places]


def _across(value: float, scale: Scale) -> str:
    return percent(scale.share(value))


def _svg(parts: Sequence[Markup], height: int, class_: str) -> Markup:
    return element("svg", *parts, class_=f"strip {class_}", width="100%", height=height)
