"""Which layers and which attributes decide the latency: exact shares of its variance over a space.

Under uniformly drawn networks the layers of an additive table are independent, so the variance of the
latency is the sum of the layers' variances over their choices. Within a layer it is split thus:

- ``skip``: variance between skipping and not skipping. The other attributes are meaningless for a skip, so
  what follows looks at the blocks alone and counts by their share of the choices.
- the blocks' attributes (``kernel``, ``expansion``, ...: the options of their types, and ``type`` where there
  are several): variance of the best additive model, ms ~ sum of one value per level of every attribute. In a
  full factorial these are the main effects of ANOVA. Where attributes do
  not cross (FBNet has groups with expansion 1 only) they overlap: each gets the variance that it adds,
  averaged over all orders of adding attributes (Lindeman, Merenda and Gold 1980; Groemping, Journal of
  Statistical Software 17, 2006).
- ``interaction``: the rest, what no additive model of the attributes can say.

All parts are at least 0 and sum to the variance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from dnas.blocks.base import stated_options
from dnas.space import Choice, Decision, SearchSpace
from latency.table import LatencyTable

Attributes = dict[str, Any] | None


@dataclass(frozen=True, eq=False)
class VarianceShares:
    """``variance_ms2``: (D, P) squared milliseconds, decisions x ``names``: skip, attributes, interaction."""

    space: SearchSpace
    names: tuple[str, ...]
    variance_ms2: np.ndarray

    @cached_property
    def total_ms2(self) -> float:
        """Variance of the latency of a uniformly drawn network."""
        return float(self.variance_ms2.sum())

    @cached_property
    def shares(self) -> np.ndarray:
        """(D, P) fractions that sum to 1; all 0 when every network of the space is equally fast."""
        return self.variance_ms2 / self.total_ms2 if self.total_ms2 else np.zeros_like(self.variance_ms2)

    @property
    def layers(self) -> np.ndarray:
        """(D,) share of every decision, mostly a layer."""
        return self.shares.sum(axis=1)

    @property
    def parts(self) -> dict[str, float]:
        """Share of every part over all layers; attributes in which no layer has a choice are left out."""
        rows = [_described(decision) for decision in self.space.decisions]
        varying = {name for name in self.names[:-1] if any(_varies(name, row) for row in rows)}
        sums = dict(zip(self.names, map(float, self.shares.sum(axis=0)), strict=True))
        return {name: sums[name] for name in self.names if name in {*varying, "interaction"}}


def variance_shares(table: LatencyTable) -> VarianceShares:
    """Exact, from the table's entries; nothing is sampled."""
    attributes = _attribute_names(table.space)
    rows = [
        _split(table.ms[decision.index, : len(decision.names)], _described(decision), attributes)
        for decision in table.space.decisions
    ]
    return VarianceShares(table.space, ("skip", *attributes, "interaction"), np.array(rows))


def _attribute_names(space: SearchSpace) -> list[str]:
    """The options of all blocks, in the order of their types; of several layers also how many there are."""
    blocks = [each for decision in space.decisions for each in _described(decision) if each]
    several = len({block["type"] for block in blocks}) > 1
    names = dict.fromkeys(name for block in blocks for name in block if name != "type")
    return [*(["type"] if several else []), *names]


def _described(decision: Decision) -> list[Attributes]:
    """The attributes of every choice; None of a skip."""
    return [_attributes(blocks) for blocks in decision.blocks]


def _attributes(blocks: Sequence[Choice]) -> Attributes:
    present = [block for block in blocks if not block.skip]
    if not present:
        return None
    depth = {"depth": len(present)} if len(blocks) > 1 else {}
    return {"type": present[0].type.name, **stated_options(present[0].options), **depth}


def _varies(name: str, choices: Sequence[Attributes]) -> bool:
    if name == "skip":
        return len({choice is None for choice in choices}) > 1
    return len({choice.get(name) for choice in choices if choice}) > 1


def _split(ms: np.ndarray, choices: Sequence[Attributes], attributes: Sequence[str]) -> list[float]:
    """The variance of one layer: between skips and blocks, of every attribute, and the rest."""
    if np.ptp(ms) == 0:
        # Exactly: the rounding of fits would become shares otherwise.
        return [0.0] * (len(attributes) + 2)
    is_block = np.array([choice is not None for choice in choices])
    blocks = [choice for choice in choices if choice]
    between = _explained(ms, [is_block])
    weight = is_block.mean()
    levels = [_codes([block.get(name) for block in blocks]) for name in attributes]
    found = [between, *(weight * part for part in _gains(ms[is_block], levels))]
    # Rounding may leave a little less than nothing.
    return [*found, max(0.0, float(ms.var()) - sum(found))]


def _codes(values: Sequence[Any]) -> np.ndarray:
    """Numbers for the levels of an attribute, in the order of numeric ones."""

    def order(value: Any) -> tuple[int, float, str]:
        return (0, value, "") if isinstance(value, (int, float)) else (1, 0.0, str(value))

    levels = sorted(set(values), key=order)
    return np.array([levels.index(value) for value in values])


def _gains(ms: np.ndarray, levels: Sequence[np.ndarray]) -> list[float]:
    """Variance of every attribute among the blocks: what it adds, averaged over all orders of adding them."""
    everyone = range(len(levels))
    explained = {
        subset: _explained(ms, [levels[i] for i in subset])
        for size in range(len(levels) + 1)
        for subset in combinations(everyone, size)
    }
    return [max(0.0, _average_gain(explained, each, len(levels))) for each in everyone]


def _average_gain(explained: dict[tuple[int, ...], float], each: int, count: int) -> float:
    without = [subset for subset in explained if each not in subset]
    return sum(
        (explained[tuple(sorted((*subset, each)))] - explained[subset])
        / (count * comb(count - 1, len(subset)))
        for subset in without
    )


def _explained(ms: np.ndarray, factors: Sequence[np.ndarray]) -> float:
    """Variance of the least-squares fit of ``ms`` by one value per level of every factor."""
    # A factor with one level says nothing; leaving it out spares the rounding of a fit.
    informative = [factor for factor in factors if len(np.unique(factor)) > 1]
    if not informative:
        return 0.0
    columns = [factor[:, None] == np.unique(factor) for factor in informative]
    design = np.hstack([np.ones((len(ms), 1)), *columns])
    return float((design @ np.linalg.lstsq(design, ms, rcond=None)[0]).var())
