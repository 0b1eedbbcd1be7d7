"""What runs found as points and fronts under one table: the sweep of alpha, costs, hypervolumes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor

from dnas.compare.model import Box, Point, Quality
from dnas.compare.source import Found
from dnas.costs import Costs, LatencyCosts
from dnas.refine.problem import extremes
from dnas.runs.evaluator import Evaluation
from dnas.search.evolution.hypervolume import share_of_box
from dnas.search.evolution.pareto import non_dominated
from dnas.search.gradient.derivation import most_probable
from dnas.search.knapsack import Bound
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture

FloatArray = npt.NDArray[np.float64]
Evaluations = Mapping[Architecture, Evaluation]


def make_points(
    found: Iterable[Found], evaluations: Evaluations, table: LatencyCosts, costs: Costs
) -> list[Point]:
    """Cost what a run found, by rising latency: each network once, those without a finite loss left out.

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


def sweep(space: SearchSpace, alpha: Tensor, table: LatencyCosts, limits: int) -> tuple[Found, ...]:
    """A front from alpha: the argmax network, and the most probable ones under ``limits`` limits on latency.

    FBNet (arXiv 1812.03443) gets networks of several latencies by searching again with another target; one
    search gives them by deriving under bounds, exactly (see ``dnas.search.knapsack``).

    The limits divide the space's whole range of latencies evenly, both ends included. A limit that the argmax
    network breaks is an upper one, another is a lower one: as an upper one it would give the argmax again.

    Returns:
        Distinct networks, each named after the first limit that gave it, the argmax first.
    """
    likeliest = most_probable(space, alpha).architecture
    turn = table.latency_ms(likeliest)
    names = {likeliest.canonical(): "argmax"}
    cheapest, dearest = table.latency_ms(table.cheapest()), table.latency_ms(table.dearest())
    for limit in np.linspace(cheapest, dearest, limits).tolist():
        sense: Literal["at_most", "at_least"] = "at_most" if limit < turn else "at_least"
        bound = Bound("latency", table.ms, limit, sense, table.fixed_ms, "ms")
        derived = most_probable(space, alpha, [bound])
        names.setdefault(derived.architecture.canonical(), f"{sense.replace('_', ' ')} {limit:.4g} ms")
    return tuple(Found(architecture, name=name) for architecture, name in names.items())
