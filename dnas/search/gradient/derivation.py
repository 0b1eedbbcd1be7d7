"""Choosing architectures from alpha: the most probable one, the most probable one within bounds, or samples.

FBNet (arXiv 1812.03443, section 3.4) samples several networks from softmax(alpha); with bounds the choice is
a multiple-choice knapsack and solved exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dnas.search.gradient.masks import argmax, probabilities
from dnas.search.knapsack import Bound, solve
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture

# Draws in a row that bring nothing new before giving up on finding another one that keeps the bounds.
_TRIES = 10_000
_BLOCK = 250


@dataclass(frozen=True)
class Derived:
    """An architecture, a short name for how it was chosen, and its probability under softmax(alpha)."""

    name: str
    architecture: Architecture
    probability: float


def most_probable(
    space: SearchSpace, alpha: Tensor, bounds: Sequence[Bound] = (), name: str = "argmax"
) -> Derived:
    """The architecture of highest probability that keeps all bounds.

    Raises:
        Infeasible: no architecture keeps the bounds; tells what is attainable.
    """
    if bounds:
        indices = solve(_log_probabilities(space, alpha), bounds)
    else:
        indices = argmax(alpha, torch.from_numpy(space.valid)).numpy()
    return _derived(name, space, alpha, indices)


def sample(
    space: SearchSpace,
    alpha: Tensor,
    number: int,
    generator: np.random.Generator,
    bounds: Sequence[Bound] = (),
    uniform: bool = False,
) -> list[Derived]:
    """Up to ``number`` different networks drawn from softmax(alpha), those that break a bound left out.

    Of architectures that build the same network the first one drawn is taken.

    With ``uniform`` every choice is equally likely whatever alpha says. Fewer come back when alpha is so
    sharp, or the bounds so tight, that 10,000 draws in a row bring no new one.
    """
    likely = _probabilities(space, torch.zeros_like(alpha) if uniform else alpha)
    rows = [row[:count] for row, count in zip(likely, space.num_choices, strict=True)]
    rows = [row / row.sum() for row in rows]
    found: dict[tuple[int, ...], tuple[int, ...]] = {}
    idle = 0
    while len(found) < number and idle < _TRIES:
        draws = np.stack([generator.choice(len(row), size=_BLOCK, p=row) for row in rows], axis=1)
        forms = map(tuple, space.canonical(draws).tolist())
        for indices, form in zip(map(tuple, draws.tolist()), forms, strict=True):
            new = form not in found and all(bound.holds(indices) for bound in bounds)
            idle = 0 if new else idle + 1
            if new and len(found) < number:
                found[form] = indices
    width = len(str(number))
    return [
        _derived(f"sample_{i + 1:0{width}}", space, alpha, np.array(each))
        for i, each in enumerate(found.values())
    ]


def _derived(name: str, space: SearchSpace, alpha: Tensor, indices: np.ndarray) -> Derived:
    log_p = _log_probabilities(space, alpha)[np.arange(len(space)), indices].sum()
    return Derived(name, Architecture(space, tuple(indices)), float(np.exp(log_p)))


def _probabilities(space: SearchSpace, alpha: Tensor) -> np.ndarray:
    return probabilities(alpha.double(), torch.from_numpy(space.valid)).numpy()


def _log_probabilities(space: SearchSpace, alpha: Tensor) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(_probabilities(space, alpha))
