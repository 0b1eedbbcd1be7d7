"""Fronts under one table: what architectures cost, which are on the front, and the volume it dominates."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from dnas.compare.model import Box, Point, Quality
from dnas.compare.source import Found
from dnas.costs import Costs, LatencyCosts
from dnas.refine.problem import extremes
from dnas.runs.evaluator import Evaluation
from dnas.search.evolution.hypervolume import share_of_box
from dnas.search.evolution.pareto import non_dominated
from dnas.space.architecture import Architecture

FloatArray = npt.NDArray[np.float64]
Evaluations = Mapping[Architecture, Evaluation]


def make_points(
    found: Iterable[Found], evaluations: Evaluations, table: LatencyCosts, costs: Costs
) -> list[Point]:
    """Cost what a run found, by rising latency: each architecture once, those without a finite loss left out.

    Args:
        evaluations: of every architecture, by the comparison's evaluator.
    """
    first = {each.architecture: each for each in reversed(list(found))}
    points = [
        _point(each, evaluations[each.architecture], table, costs)
        for each in first.values()
        if math.isfinite(evaluations[each.architecture].loss)
    ]
    return sorted(points, key=lambda point: (point.latency_ms, point.choices))


def _point(found: Found, evaluation: Evaluation, table: LatencyCosts, costs: Costs) -> Point:
    low, high = table.latency_interval(found.architecture)
    return Point(
        choices=found.architecture.names,
        top1=evaluation.top1,
        top5=evaluation.top5,
        loss=evaluation.loss,
        latency_ms=table.latency_ms(found.architecture),
        latency_low_ms=low,
        latency_high_ms=high,
        params=costs.params_of(found.architecture),
        madds=costs.madds_of(found.architecture),
        generation=found.generation,
        name=found.name,
    )


def front(points: Sequence[Point], quality: Quality) -> tuple[Point, ...]:
    """Those that no other dominates: quality better, latency lower, parameters more (MoGA's objectives)."""
    values = _values(points, quality)
    kept = non_dominated(values, (quality == "top1", False, True))
    return tuple(point for point, keep in zip(points, kept, strict=True) if keep)


def make_box(table: LatencyCosts, costs: Costs, worst_loss: float | None) -> Box:
    """The corners that hypervolumes refer to: the extremes of the space under the table, known in advance.

    Args:
        worst_loss: ln K, that of guessing among K classes; None: quality is top-1, from 0 to 1.
    """
    quality = (0.0, 1.0) if worst_loss is None else (worst_loss, 0.0)
    (slowest, fastest), (least, most) = extremes(table, costs).values()
    return Box(quality, (slowest, fastest), (least, most))


def volume(points: Sequence[Point], quality: Quality, box: Box, *, plane: bool = False) -> float:
    """The share of the box that the points dominate, in [0, 1]; what lies outside the box counts nothing.

    Args:
        plane: quality and latency alone, without parameters.
    """
    corners = [box.quality, box.latency_ms, box.params][: 2 if plane else 3]
    return share_of_box(_values(points, quality)[:, : len(corners)], corners)


def _values(points: Sequence[Point], quality: Quality) -> FloatArray:
    """(n, 3) quality, latency, parameters."""
    rows = [(getattr(point, quality), point.latency_ms, point.params) for point in points]
    return np.array(rows, dtype=np.float64).reshape(len(rows), 3)
