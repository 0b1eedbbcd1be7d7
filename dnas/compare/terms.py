"""What all runs of a comparison are held to."""

from __future__ import annotations

from dataclasses import dataclass
from math import isclose

from dnas.compare.model import Box, Quality
from dnas.compare.source import EvaluatorKey, Refinement
from dnas.costs import Costs, LatencyCosts


@dataclass(frozen=True)
class Terms:
    """One table, one count of parameters, one quality, one box and one evaluator."""

    table: LatencyCosts
    costs: Costs
    quality: Quality
    box: Box
    evaluator: EvaluatorKey

    def are_those_of(self, refinement: Refinement) -> bool:
        """Whether the run's own hypervolumes are comparable with ours."""
        return (
            refinement.evaluator == self.evaluator
            and refinement.table_sha256 == self.table.sha256
            and _same_box(refinement.box, self.box)
        )


def _same_box(first: Box, second: Box) -> bool:
    pairs = zip(_corners(first), _corners(second), strict=True)
    return all(isclose(a, b, rel_tol=1e-9) for a, b in pairs)


def _corners(box: Box) -> tuple[float, ...]:
    return (*box.quality, *box.latency_ms, *box.params)
