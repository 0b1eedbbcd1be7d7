"""What a refinement optimises: quality, latency and parameters of an architecture, within bounds.

MoGA (arXiv 1908.01314): accuracy up, latency down, parameters *up*; multiply-adds are no objective.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from dnas.costs import Costs, LatencyCosts
from dnas.runs.evaluator import Evaluation
from dnas.search.evolution.algorithm import FloatArray, IntArray
from dnas.search.evolution.hypervolume import share_of_box
from dnas.search.knapsack import Bound, solve
from dnas.space import SearchSpace

Quality = Literal["loss", "top1"]
QUALITIES: tuple[Quality, ...] = get_args(Quality)
# Which of the objectives takes an evaluation; the others are known without one.
QUALITY = 0


@dataclass(frozen=True)
class Problem:
    """Objectives (quality, latency_ms, params) of a space under a table.

    Args:
        classes: of the data that quality was measured on.
        quality: top1, maximised, or loss, minimised.
        latency_below: bound on latency in ms, if any.
        params_above: bound on parameters, if any.

    Raises:
        ValueError: an unknown quality.
        Infeasible: no architecture keeps the bounds; tells what is attainable.
    """

    table: LatencyCosts
    costs: Costs
    classes: int
    quality: Quality = "top1"
    latency_below: float | None = None
    params_above: float | None = None

    def __post_init__(self) -> None:
        if self.quality not in QUALITIES:
            raise ValueError(f"quality must be one of {', '.join(QUALITIES)}, got {self.quality!r}")
        self.feasible()

    @property
    def space(self) -> SearchSpace:
        """That of the table."""
        return self.table.space

    @property
    def devices(self) -> dict[str, Problem]:
        """None besides: see `dnas.refine.devices`."""
        return {}

    @property
    def views(self) -> list[list[int]] | None:
        """None: all objectives belong together."""
        return None

    def weights(self, given: Sequence[float] | None) -> Sequence[float] | None:
        """The weights of the objectives, as given."""
        return given

    @property
    def maximize(self) -> tuple[bool, bool, bool]:
        """Whether more is better, of (quality, latency_ms, params)."""
        return self.quality == "top1", False, True

    @property
    def bounds(self) -> list[Bound]:
        """Those that there are."""
        found = []
        if self.latency_below is not None:
            found.append(latency_bound("latency", self.table, self.latency_below))
        if self.params_above is not None:
            found.append(params_bound(self.costs, self.params_above))
        return found

    def feasible(self) -> IntArray | None:
        """A genome, (L,), that keeps the bounds; None without bounds, as any does.

        Raises:
            Infeasible: none does; tells the attainable values.
        """
        return feasible(self.space, self.bounds)

    def costs_of(self, genomes: IntArray) -> tuple[FloatArray, IntArray]:
        """Latency in ms, (n,), and parameters, (n,), of (n, L) genomes."""
        return self.table.latency_ms(genomes), self.costs.params_of(genomes)

    def violations(self, genomes: IntArray) -> FloatArray:
        """(n,) sums of relative excesses over the bounds; 0 keeps them."""
        latency_ms, params = self.costs_of(genomes)
        return excesses(self.bounds, self._bounded(latency_ms, params), len(genomes))

    def values(self, genomes: IntArray, evaluations: Sequence[Evaluation | None]) -> FloatArray:
        """(n, 3) objectives of (n, L) genomes; the quality of what was not evaluated is NaN."""
        return np.column_stack([qualities(evaluations, self.quality), *self.costs_of(genomes)])

    def box(self) -> dict[str, list[float]]:
        """[worst, best] of every objective in this space: what hypervolume is normalised by.

        Quality: top-1 from 0 to 1, or the loss of guessing, ln(classes), to 0.
        """
        quality = [0.0, 1.0] if self.quality == "top1" else [math.log(self.classes), 0.0]
        return {"quality": quality, **extremes(self.table, self.costs)}

    def _bounded(self, latency_ms: FloatArray, params: IntArray) -> list[np.ndarray]:
        pairs = ((self.latency_below, latency_ms), (self.params_above, params))
        return [totals for limit, totals in pairs if limit is not None]


def latency_bound(name: str, table: LatencyCosts, limit: float) -> Bound:
    """A limit in ms, called by its name in messages."""
    return Bound(name, table.ms, limit, "at_most", table.fixed_ms, "ms")


def params_bound(costs: Costs, limit: float) -> Bound:
    """The least number of parameters."""
    return Bound("parameters", costs.params.astype(float), limit, "at_least", costs.fixed_params)


def feasible(space: SearchSpace, bounds: Sequence[Bound]) -> IntArray | None:
    """A genome, (L,), that keeps the bounds; None without bounds, as any does.

    Raises:
        Infeasible: none does; tells the attainable values.
    """
    return solve(np.where(space.valid, 0.0, -math.inf), bounds) if bounds else None


def excesses(bounds: Sequence[Bound], totals: Sequence[np.ndarray], number: int) -> FloatArray:
    """(n,) sums of relative excesses over the bounds by totals, (n,) of each bound; 0 keeps them all."""
    found = np.zeros(number)
    for bound, sums in zip(bounds, totals, strict=True):
        excess = bound.sign * (sums - bound.limit)
        scale = max(abs(bound.limit), abs(bound.fixed))
        found += np.where(excess > bound.tolerance, excess / scale, 0.0)
    return found


def qualities(evaluations: Sequence[Evaluation | None], quality: Quality) -> FloatArray:
    """(n,) of evaluations; NaN of what was not evaluated."""
    found = [math.nan if each is None else getattr(each, quality) for each in evaluations]
    return np.array(found, dtype=np.float64)


def extremes(table: LatencyCosts, costs: Costs) -> dict[str, list[float]]:
    """[worst, best] of latency (ms) and parameters (more is better) among a space's architectures."""
    least = np.where(table.space.valid, costs.params, np.iinfo(np.int64).max).min(1).sum()
    return {
        "latency_ms": [table.latency_ms(each) for each in (table.dearest(), table.cheapest())],
        "params": [float(each + costs.fixed_params) for each in (least, costs.params.max(1).sum())],
    }


def normalised_hypervolume(values: FloatArray, box: Mapping[str, Sequence[float]]) -> float:
    """Share of the box, in [0, 1], that (n, 3) values dominate."""
    return share_of_box(values, [box[name] for name in ("quality", "latency_ms", "params")])
