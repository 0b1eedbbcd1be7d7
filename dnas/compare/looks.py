"""What the page and the figures of a comparison share: units, looks of methods, and what is drawn of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dnas.compare.model import Comparison, Curve, Devices, Method, Point
from dnas.report import style
from dnas.report.tradeoff import front_indices
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture

COLOURS = (style.BLUE, style.VERMILION, style.GREEN, style.PURPLE, style.ORANGE, style.SKY)
# matplotlib's names. Twice as many as colours, and the second round of colours is drawn dashed.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "h", "<", ">", "d")
PUBLISHED_MARKER = "*"


@dataclass(frozen=True)
class Look:
    """How one method is drawn everywhere; told apart by the marker alone, too."""

    colour: str
    marker: str
    dashed: bool = False


@dataclass(frozen=True)
class QualityAxis:
    """The quality that fronts are compared by, as it is written: axis = factor * the model's value."""

    title: str
    short: str
    unit: str
    factor: float
    decimals: int
    rising: bool

    def text(self, value: float | None) -> str:
        """The model's ``value`` with its unit; an en dash where there is none."""
        if value is None or not math.isfinite(value):
            return "–"
        return f"{self.factor * value:.{self.decimals}f}{self.unit}"


TOP1 = QualityAxis("one-shot top-1 accuracy (%)", "top-1", " %", 100.0, 1, True)
LOSS = QualityAxis("one-shot cross-entropy (nats, lower is better)", "loss", "", 1.0, 3, False)


def quality_axis(comparison: Comparison) -> QualityAxis:
    """The axis of the comparison's quality."""
    return TOP1 if comparison.quality == "top1" else LOSS


def quality_of(point: Point, comparison: Comparison) -> float:
    """The point's quality in the units of :func:`quality_axis`."""
    value = point.top1 if comparison.quality == "top1" else point.loss
    return quality_axis(comparison).factor * value


def count_text(count: float) -> str:
    """A count of parameters or multiply-adds in millions or thousands, as its size asks for."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.2f} {unit}"
    return f"{count:.0f}"


def latency_title(comparison: Comparison) -> str:
    """Title of the latency axis; what the milliseconds are is said as the table says it."""
    return f"{comparison.table.kind} latency (ms)"


def looks(methods: Sequence[Method]) -> tuple[Look, ...]:
    """One look per method: colours and markers in the order of the methods, published networks in ink."""
    result, index = [], 0
    for method in methods:
        if method.kind == "zoo":
            result.append(Look(style.INK, PUBLISHED_MARKER))
            continue
        dashed = index // len(COLOURS) % 2 == 1
        result.append(Look(COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)], dashed))
        index += 1
    return tuple(result)


def drawn_points(method: Method, comparison: Comparison) -> tuple[tuple[Point, ...], ...]:
    """Per run, the members that have a place in the plane of latency and quality: both are finite."""
    return tuple(
        tuple(
            p for p in run.members if math.isfinite(p.latency_ms) and math.isfinite(quality_of(p, comparison))
        )
        for run in method.runs
    )


def pooled_front(method: Method, comparison: Comparison) -> tuple[Point, ...]:
    """What no member of any run dominates in latency and quality, fastest first."""
    points = [point for run in drawn_points(method, comparison) for point in run]
    if not points:
        return ()
    sign = 1.0 if quality_axis(comparison).rising else -1.0
    latency = np.array([point.latency_ms for point in points])
    quality = np.array([sign * quality_of(point, comparison) for point in points])
    return tuple(points[index] for index in front_indices(latency, quality))


def thinned(front: Sequence[Point], most: int) -> Sequence[Point]:
    """At most that many points, evenly along the front, its ends among them."""
    if len(front) <= most:
        return front
    return [front[round(i * (len(front) - 1) / max(1, most - 1))] for i in range(most)]


def mean_curve(curves: Sequence[Curve]) -> Curve:
    """The mean of step curves where all of them are defined, at every corner of any of them.

    Args:
        curves: each (x, y) corners by rising x; between two corners the value of the left one holds.
    """
    curves = [curve for curve in curves if curve]
    if not curves:
        return ()
    start, end = max(curve[0][0] for curve in curves), min(curve[-1][0] for curve in curves)
    corners = sorted({x for curve in curves for x, _ in curve if start <= x <= end})
    values = np.zeros(len(corners))
    for curve in curves:
        x, y = np.array(curve).T
        values += y[np.searchsorted(x, corners, side="right") - 1]
    return tuple(zip(corners, (values / len(curves)).tolist(), strict=True))


@dataclass(frozen=True)
class Example:
    """An architecture worth a drawing, and why it was taken."""

    method: Method
    point: Point
    reason: str

    @property
    def title(self) -> str:
        return self.point.name if self.method.kind == "zoo" and self.point.name else self.method.name


def examples(comparison: Comparison) -> list[Example]:
    """Per method its best network within the middle latency budget; of published networks each one."""
    budgets = sorted({budget.latency_ms for budget in comparison.budgets})
    limit = budgets[len(budgets) // 2] if budgets else math.inf
    found = []
    for method in comparison.methods:
        if method.kind == "zoo":
            points = [point for run in drawn_points(method, comparison) for point in run]
            found += [Example(method, point, "published") for point in points]
        elif front := pooled_front(method, comparison):
            found.append(_best_within(method, front, limit))
    return found


def _best_within(method: Method, front: Sequence[Point], limit_ms: float) -> Example:
    """A front's quality rises with its latency, so the slowest that is fast enough is the best."""
    within = [point for point in front if point.latency_ms <= limit_ms]
    if not within:
        return Example(method, front[0], f"fastest, none within {limit_ms:.2f} ms")
    reason = f"best within {limit_ms:.2f} ms" if math.isfinite(limit_ms) else "best"
    return Example(method, within[-1], reason)


def darkest_percent(devices: Devices) -> float:
    """The extra latency that is drawn darkest: no penalty looks large beside what the tables know."""
    numbers = [number for each in devices.transfers for number in (each.extra_percent, each.interval_percent)]
    return max([1.0, *(number for number in numbers if number is not None)])


def architecture_of(point: Point, space: SearchSpace) -> Architecture:
    """The point as an architecture of the comparison's space."""
    return Architecture.from_names(point.choices, space)
