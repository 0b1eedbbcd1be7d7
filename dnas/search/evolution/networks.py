"""Which genomes build the same network: a canonical map, and what a search asks of it besides.

A space has both (`dnas.space.networks`). Of any other map that is a plain function, all genomes are listed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from dnas.search.evolution.algorithm import IntArray

# (n, L) genomes -> (n, L) genomes: equal rows where the same network is built, and such rows stay themselves.
Canonical = Callable[[IntArray], IntArray]

# Genomes of which all are listed at most.
_LISTED = 2**20


@runtime_checkable
class Networks(Protocol):
    """A canonical map that knows how many networks there are, and draws them."""

    @property
    def distinct(self) -> int:
        """Number of different networks, an int of any size."""

    def __call__(self, genomes: IntArray) -> IntArray:
        """Return the genomes, (n, L), that stand for the networks of (n, L) genomes."""

    def sample(self, number: int, generator: np.random.Generator) -> IntArray:
        """Draw networks, (number, L), every one equally likely; one may come twice."""


class ListedNetworks:
    """The networks of a plain canonical map, found by walking through all genomes.

    Raises:
        ValueError: too many genomes, a map that gives another shape, or one that changes its own results.
    """

    def __init__(self, canonical: Canonical, choices: Sequence[int]) -> None:
        size = math.prod(choices)
        if size > _LISTED:
            raise ValueError(
                f"canonical: a plain function is asked for all {size:,} genomes, at most {_LISTED:,}; give "
                "the networks of a space, dnas.space.networks.networks(space)"
            )
        everything = np.indices(choices).reshape(len(choices), -1).T.astype(np.int64)
        self._canonical = canonical
        self._forms = np.unique(self(everything), axis=0)
        if not np.array_equal(self(self._forms), self._forms):
            raise ValueError("canonical must leave the genomes that it returns as they are")

    @property
    def distinct(self) -> int:
        """Number of different networks."""
        return len(self._forms)

    def __call__(self, genomes: IntArray) -> IntArray:
        """Return the canonical genomes, (n, L)."""
        forms = np.asarray(self._canonical(genomes))
        if forms.shape != genomes.shape or forms.dtype.kind not in "iu":
            raise ValueError(
                f"canonical must return integers of shape {genomes.shape}, got {forms.shape} of {forms.dtype}"
            )
        return forms.astype(np.int64, copy=False)

    def sample(self, number: int, generator: np.random.Generator) -> IntArray:
        """Draw networks, (number, L), every one equally likely."""
        return self._forms[generator.integers(len(self._forms), size=number)]


def networks_of(canonical: Canonical | None, choices: Sequence[int]) -> Networks | None:
    """Return the networks of a canonical map; None for None.

    Raises:
        ValueError: see `ListedNetworks`.
    """
    if canonical is None or isinstance(canonical, Networks):
        return canonical
    if not callable(canonical):
        raise ValueError(f"canonical must be a function of genomes, or None, got {canonical!r}")
    return ListedNetworks(canonical, choices)
