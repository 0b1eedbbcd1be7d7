"""Costs as (D, C) tables: an architecture's cost is a gather, a mask's expected cost one tensor product.

Counting convention: parameters are convolution and linear weights, their biases, and the scale and shift of
batch normalisation; multiply-adds are those of convolutions (squeeze-excite included) and of the linear
classifier, for one image at the space's resolution and number of classes. Activations, normalisation,
pooling, residual additions and the squeeze-excite multiply count nothing. These are the counts that MoGA's
paper and code publish.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, overload

import numpy as np

from dnas.space import SearchSpace
from dnas.space.architecture import Architecture, index_array

if TYPE_CHECKING:
    from torch import Tensor

Several = Iterable[Architecture] | np.ndarray
Architectures = Architecture | Several


def gather(values: np.ndarray, fixed: float, genomes: np.ndarray) -> np.ndarray:
    """Sum of ``values[d, genomes[:, d]]`` plus ``fixed``: (D, C), scalar, (n, D) ints -> (n,)."""
    total = np.full(len(genomes), fixed, dtype=np.result_type(values, type(fixed)))
    # Blocks of rows that stay in the cache: three times as fast for row-major genomes.
    for start in range(0, len(genomes), 16384):
        rows = slice(start, start + 16384)
        for decision, choices in enumerate(values):
            total[rows] += choices.take(genomes[rows, decision])
    return total


def expected(values: Tensor, fixed: float, mask: Tensor) -> Tensor:
    """sum_d sum_i mask[d, i] values[d, i] + fixed, differentiable in ``mask`` (arXiv 1812.03443, eq. 9)."""
    if mask.shape != values.shape:
        raise ValueError(
            f"Expected a mask of shape {tuple(values.shape)} (decisions, choices), got {tuple(mask.shape)}."
        )
    return (mask * values.to(mask)).sum() + fixed


@dataclass(frozen=True, eq=False)
class Costs:
    """Exact parameters and multiply-adds of every choice of a space.

    Attributes:
        params, madds: (D, C) int64; entries that stand for no choice are 0 (see ``SearchSpace.valid``).
        fixed_params, fixed_madds: stem and head.
    """

    space: SearchSpace
    params: np.ndarray
    madds: np.ndarray
    fixed_params: int
    fixed_madds: int

    @overload
    def params_of(self, architectures: Architecture) -> int: ...
    @overload
    def params_of(self, architectures: Several) -> np.ndarray: ...
    def params_of(self, architectures: Architectures) -> int | np.ndarray:
        """Parameters of one architecture (int), or of n of them / an (n, D) array (n integers)."""
        return _of(self.params, self.fixed_params, architectures, self.space)

    @overload
    def madds_of(self, architectures: Architecture) -> int: ...
    @overload
    def madds_of(self, architectures: Several) -> np.ndarray: ...
    def madds_of(self, architectures: Architectures) -> int | np.ndarray:
        """Multiply-adds of one image through one architecture (int), or through n of them (n integers)."""
        return _of(self.madds, self.fixed_madds, architectures, self.space)

    def expected_params(self, mask: Tensor) -> Tensor:
        """Expected parameters under an (D, C) mask; differentiable."""
        return _expected_count(self.params, self.fixed_params, mask)

    def expected_madds(self, mask: Tensor) -> Tensor:
        """Expected multiply-adds under an (D, C) mask; differentiable."""
        return _expected_count(self.madds, self.fixed_madds, mask)


class LatencyCosts(Protocol):
    """Milliseconds of every choice of a space: what a verb needs of a latency table, whoever loads it.

    ``latency.LatencyTable`` is one. ``dnas`` names this protocol instead, so that imports run one way.

    Attributes:
        kind: ``measured``, or what kind of model the numbers are.
        ms: (D, C) float64; entries that stand for no choice are 0 (see ``SearchSpace.valid``).
        fixed_ms: what every network has besides its blocks.
        sha256: the identity of the numbers.
    """

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def space(self) -> SearchSpace: ...
    @property
    def ms(self) -> np.ndarray: ...
    @property
    def fixed_ms(self) -> float: ...
    @property
    def sha256(self) -> str: ...

    @overload
    def latency_ms(self, architectures: Architecture) -> float: ...
    @overload
    def latency_ms(self, architectures: Several) -> np.ndarray: ...

    @overload
    def latency_interval(self, architectures: Architecture) -> tuple[float, float]: ...
    @overload
    def latency_interval(self, architectures: Several) -> tuple[np.ndarray, np.ndarray]: ...

    def cheapest(self) -> Architecture:
        """The fastest architecture of the space."""

    def dearest(self) -> Architecture:
        """The slowest architecture of the space."""

    def identity(self) -> dict[str, str]:
        """What a file keeps, to know the table again."""

    def describe(self) -> str:
        """One line for people."""


# A table by name or file, for a space; ``latency.load_table`` is one.
LoadTable = Callable[[str, SearchSpace], LatencyCosts]


def count(space: SearchSpace) -> Costs:
    """Count every choice of ``space``; see the module's text for the convention."""
    params = np.zeros(space.layers_by_choices, dtype=np.int64)
    madds = np.zeros_like(params)
    for layer in space.layers:
        for column, choice in enumerate(layer.choices):
            ops = choice.ops(layer)
            params[layer.index, column] = sum(op.params for op in ops)
            madds[layer.index, column] = sum(op.madds for op in ops)
    fixed = (*space.stem_ops, *space.head_ops)
    tables = space.sum_of_layers(params), space.sum_of_layers(madds)
    return Costs(space, *tables, sum(op.params for op in fixed), sum(op.madds for op in fixed))


def _expected_count(values: np.ndarray, fixed: int, mask: Tensor) -> Tensor:
    import torch  # here, because counting an architecture should not wait for it

    return expected(torch.from_numpy(values), fixed, mask)


def _of(values: np.ndarray, fixed: int, architectures: Architectures, space: SearchSpace) -> int | np.ndarray:
    totals = gather(values, fixed, index_array(architectures, space))
    return int(totals[0]) if isinstance(architectures, Architecture) else totals
