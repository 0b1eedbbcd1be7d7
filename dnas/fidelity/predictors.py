"""What may foretell the accuracy of an architecture: the supernet, or something trivial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dnas.costs import LatencyCosts, count
from dnas.fidelity.correlation import Correlation
from dnas.runs.evaluator import Evaluation
from dnas.search.evolution.algorithm import FloatArray
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture

LOSS, TOP1 = "one-shot loss", "one-shot top-1"


class Predictor(NamedTuple):
    """Values of n architectures.

    Attributes:
        supernet: name of the supernet that gave the values; empty for trivial predictors.
        values: (n,); larger ones predict a higher accuracy, unless ``lower_is_better``.
    """

    supernet: str
    name: str
    values: FloatArray
    lower_is_better: bool = False

    @property
    def title(self) -> str:
        """Supernet and name."""
        return f"{self.supernet} {self.name}".strip()

    @property
    def scores(self) -> FloatArray:
        """(n,) larger for a higher predicted accuracy; a value that is not a number ranks last."""
        signed = -self.values if self.lower_is_better else self.values
        return np.where(np.isnan(signed), -np.inf, signed)


class Scored(NamedTuple):
    """A predictor and how its scores correlate with stand-alone accuracy."""

    predictor: Predictor
    correlation: Correlation


def one_shot(supernet: str, evaluations: Sequence[Evaluation]) -> list[Predictor]:
    """Loss and top-1 with the weights of a supernet."""
    loss, top1 = (np.array([getattr(each, name) for each in evaluations]) for name in ("loss", "top1"))
    return [Predictor(supernet, LOSS, loss, lower_is_better=True), Predictor(supernet, TOP1, top1)]


def trivial(
    space: SearchSpace, architectures: Sequence[Architecture], table: LatencyCosts | None
) -> list[Predictor]:
    """More parameters, multiply-adds, layers that are no skip, and milliseconds of a table if there is one.

    What a supernet does not predict better than these, nobody needs a supernet for.
    """
    costs = count(space)
    values = {
        "parameters": costs.params_of(architectures),
        "multiply-adds": costs.madds_of(architectures),
        "depth": [sum(not choice.skip for choice in each.choices) for each in architectures],
    }
    if table is not None:
        values["latency"] = table.latency_ms(architectures)
    return [Predictor("", name, np.array(each, dtype=np.float64)) for name, each in values.items()]
