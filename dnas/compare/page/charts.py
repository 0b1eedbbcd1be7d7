"""Step curves: attainment surfaces over latency, and hypervolume over evaluated architectures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dnas.compare.looks import drawn_points, latency_title, looks, mean_curve, quality_axis
from dnas.compare.model import Comparison, Curve, Method
from dnas.compare.page.series import legend
from dnas.report.html.markup import Markup, element, join
from dnas.report.html.plot import EndLabel, Frame, shortened
from dnas.report.html.scale import Scale

# Of every method, by its number: the curve that stands for it, then further ones.
Curves = Mapping[int, Sequence[Curve]]


def attainment_chart(comparison: Comparison) -> Markup:
    """What half of a method's runs attain at every latency, shaded from the worst to the best run."""
    axis = quality_axis(comparison)
    attained = {i: m.attainment for i, m in enumerate(comparison.methods) if m.attainment.median}
    if not attained:
        return Markup()
    curves: Curves = {
        i: [_scaled(curve, axis.factor) for curve in (a.median, a.worst, a.best)] for i, a in attained.items()
    }
    reached = [p.latency_ms for m in comparison.methods for run in drawn_points(m, comparison) for p in run]
    frame = _frame(curves, latency_title(comparison), axis.title, reached)
    bands = [
        element("path", d=frame.band(best, worst), class_=f"band s{i}", data_m=i)
        for i, (_, worst, best) in curves.items()
        if worst
    ]
    dashed = [look.dashed for look in looks(comparison.methods)]
    lines = [_line(frame, i, median, "main", dashed[i], frame.x.high) for i, (median, *_) in curves.items()]
    label = f"Attainment surfaces: {axis.title} against {frame.x_title}"
    return _chart(frame, [*bands, *lines], comparison.methods, curves, label, axis.decimals, "ms")


def course_chart(comparison: Comparison) -> Markup:
    """Hypervolume of three objectives in the course of the search: every run thin, their mean thick."""
    runs = {i: [run.curve for run in method.runs if run.curve] for i, method in enumerate(comparison.methods)}
    curves: Curves = {i: [mean_curve(each) or each[0], *each] for i, each in runs.items() if each}
    if not curves:
        return Markup()
    frame = _frame(curves, "evaluated architectures", "hypervolume (share of the box)")
    dashed = [look.dashed for look in looks(comparison.methods)]
    thin = [_line(frame, i, run, "run", dashed[i]) for i, (_, *each) in curves.items() for run in each]
    thick = [_line(frame, i, mean, "main", dashed[i]) for i, (mean, *_) in curves.items()]
    label = f"Mean hypervolume against {frame.x_title}"
    means: Curves = {i: [mean] for i, (mean, *_) in curves.items()}
    return _chart(frame, [*thin, *thick], comparison.methods, means, label, 3, "evaluations")


def _scaled(curve: Curve, factor: float) -> Curve:
    return tuple((x, factor * y) for x, y in curve)


def _frame(curves: Curves, x_title: str, y_title: str, also: Sequence[float] = ()) -> Frame:
    """Axes for the curves; the x axis has room for ``also``."""
    corners = [corner for several in curves.values() for curve in several for corner in curve]
    x = Scale.around([*(x for x, _ in corners), *also], 0.03)
    return Frame(x, Scale.around(y for _, y in corners), x_title, y_title)


def _line(
    frame: Frame, series: int, curve: Curve, kind: str, dashed: bool, end: float | None = None
) -> Markup:
    classes = f"line {kind} s{series}" + (" dashed" if dashed else "")
    return element("path", d=frame.steps(curve, end=end), class_=classes, data_m=series)


def _chart(
    frame: Frame,
    paths: Sequence[Markup],
    methods: Sequence[Method],
    shown: Curves,
    label: str,
    decimals: int,
    unit: str,
) -> Markup:
    ends = [EndLabel(main[-1][1], methods[i].name, i) for i, (main, *_) in shown.items()]
    values = {
        "kind": "lines",
        "low": frame.x.low,
        "high": frame.x.high,
        "unit": unit,
        "decimals": decimals,
        "lines": [_values(i, methods[i].name, curves, decimals) for i, curves in shown.items()],
    }
    chart = frame.chart(frame.stretched(*paths), label=label, ends=ends, values=values)
    direct = "labelled" in chart and all(shortened(end.text) == end.text for end in ends)
    return join(legend(((i, methods[i].name) for i in shown), narrow=direct), chart)


def _values(series: int, name: str, curves: Sequence[Curve], decimals: int) -> dict[str, Any]:
    return {"m": series, "name": name, "curves": [_rounded(curve, decimals) for curve in curves]}


def _rounded(curve: Curve, decimals: int) -> list[list[float]]:
    """The corners at which the value changes as it is shown."""
    corners = [[round(x, 2), round(y, decimals)] for x, y in curve]
    return [c for i, c in enumerate(corners) if i == 0 or c[1] != corners[i - 1][1]]
