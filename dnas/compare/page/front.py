"""The front plot: every member of every run in the plane of latency and quality, with all its values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dnas.compare.looks import (
    architecture_of,
    drawn_points,
    latency_title,
    pooled_front,
    quality_axis,
    quality_of,
    thinned,
)
from dnas.compare.model import Comparison, Point, Run
from dnas.compare.page.series import legend, marker
from dnas.report.html.markup import Markup, element, join
from dnas.report.html.plot import LABEL_GAP, Frame
from dnas.report.html.scale import Scale, spread
from dnas.space import SearchSpace

HEIGHT = 400
MOST_WHISKERS = 5
# From here to the right, a name stands to the left of its point.
TURN = 0.6
# Codes of choices in the embedded values start at this character, the first that JSON writes as it is.
FIRST_CODE = 35


def front_chart(comparison: Comparison, space: SearchSpace) -> Markup:
    """The chart with its legend; nothing when no method has a member with latency and quality."""
    runs = [drawn_points(method, comparison) for method in comparison.methods]
    if not any(map(any, runs)):
        return Markup()
    frame = _frame(comparison, [point for method in runs for run in method for point in run])
    series = [_series(frame, index, comparison) for index in range(len(comparison.methods))]
    chart = frame.chart(
        _whiskers(frame, comparison),
        *series,
        _published_names(frame, comparison),
        label=f"{frame.y_title} against {frame.x_title}",
        values=embedded_points(frame, comparison, space),
    )
    return join(legend((i, m.name) for i, m in enumerate(comparison.methods) if any(runs[i])), chart)


def embedded_points(frame: Frame, comparison: Comparison, space: SearchSpace) -> dict[str, Any]:
    """Everything the page's script shows of a point, as short as possible: there may be thousands.

    Runs and points are in the order of the markers. A point is a list: choices as one character per decision,
    latency with low and high (ms), top-1 (%), loss, parameters and multiply-adds (millions),
    generation (null where there is none), and the name of a point that has one.
    """
    return {
        "kind": "points",
        "latency": comparison.table.kind,
        "low": frame.x.low,
        "high": frame.x.high,
        "first": FIRST_CODE,
        "decisions": [list(decision.names) for decision in space.decisions],
        "runs": [
            {
                "method": method.name,
                "run": "" if method.kind == "zoo" else run_name(run, index),
                "points": [_values(point, space) for point in points],
            }
            for method in comparison.methods
            for index, (run, points) in enumerate(
                zip(method.runs, drawn_points(method, comparison), strict=True)
            )
        ],
    }


def run_name(run: Run, index: int) -> str:
    """ "seed 3", or the number of the run where its source tells no seed."""
    return f"run {index + 1}" if run.seed is None else f"seed {run.seed}"


def _values(point: Point, space: SearchSpace) -> list[str | float | None]:
    latencies = (point.latency_ms, point.latency_low_ms, point.latency_high_ms)
    values = [
        "".join(chr(FIRST_CODE + index) for index in architecture_of(point, space).indices),
        *(_rounded(ms, 2) for ms in latencies),
        _rounded(100 * point.top1, 2),
        _rounded(point.loss, 3),
        float(f"{point.params / 1e6:.4g}"),
        float(f"{point.madds / 1e6:.4g}"),
        point.generation,
    ]
    return [*values, point.name] if point.name else values


def _rounded(value: float, decimals: int) -> float | None:
    return round(value, decimals) if math.isfinite(value) else None


def _frame(comparison: Comparison, points: Sequence[Point]) -> Frame:
    reach = [ms for point in points for ms in (point.latency_low_ms, point.latency_high_ms)]
    return Frame(
        Scale.around([*(point.latency_ms for point in points), *reach], 0.03),
        Scale.around(quality_of(point, comparison) for point in points),
        latency_title(comparison),
        quality_axis(comparison).title,
        HEIGHT,
    )


def _whiskers(frame: Frame, comparison: Comparison) -> Markup:
    paths = []
    for index, method in enumerate(comparison.methods):
        spans = [
            (p.latency_low_ms, p.latency_high_ms, quality_of(p, comparison))
            for p in thinned(pooled_front(method, comparison), MOST_WHISKERS)
            if p.latency_low_ms < p.latency_high_ms
        ]
        if spans:
            path = element("path", d=frame.whiskers(spans), class_=f"whisker s{index}", data_m=index)
            paths.append(path)
    return frame.stretched(*paths)


def _series(frame: Frame, index: int, comparison: Comparison) -> Markup:
    method = comparison.methods[index]
    groups = [
        element(
            "g",
            *(
                marker(index, x=frame.across(p.latency_ms), y=frame.down(quality_of(p, comparison)))
                for p in points
            ),
            class_="run",
        )
        for points in drawn_points(method, comparison)
    ]
    return element(
        "g", *groups, class_=f"series s{index}", data_m=index, role="group", aria_label=method.name
    )


def _published_names(frame: Frame, comparison: Comparison) -> Markup:
    named = [
        (index, point)
        for index, method in enumerate(comparison.methods)
        if method.kind == "zoo"
        for points in drawn_points(method, comparison)
        for point in points
        if point.name
    ]
    wanted = [frame.down(quality_of(point, comparison)) for _, point in named]
    places = spread(wanted, LABEL_GAP, 8, frame.height - 8) or []
    names = [
        _name(frame, index, point, start, place)
        for (index, point), start, place in zip(named, wanted, places, strict=bool(places))
    ]
    return join(*names)


def _name(frame: Frame, index: int, point: Point, start: float, place: float) -> Markup:
    side = -1 if frame.x.share(point.latency_ms) > TURN else 1
    line = element("line", x1=5 * side, x2=14 * side, y1=start, y2=place, class_="leader")
    anchor = "end" if side < 0 else None
    name = element("text", point.name, x=17 * side, y=place, dy="0.32em", class_=anchor)
    # Inside an svg at the point, pixels count from the point.
    return element(
        "svg",
        *(line, name),
        x=frame.across(point.latency_ms),
        class_=f"named s{index}",
        data_m=index,
    )
