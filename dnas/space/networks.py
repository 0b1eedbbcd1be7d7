"""The different networks of a space, for whoever must not take one for two because it has two names."""

from __future__ import annotations

import numpy as np

from dnas.space.space import SearchSpace


class SpaceNetworks:
    """The canonical map of a space, how many networks there are, and draws of them.

    What the searches of :mod:`dnas.search.evolution` take as ``canonical``.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space

    @property
    def distinct(self) -> int:
        """Number of different networks."""
        return self._space.distinct

    def __call__(self, genomes: np.ndarray) -> np.ndarray:
        """(n, L) architectures to those that stand for their networks, see :meth:`SearchSpace.canonical`."""
        return self._space.canonical(genomes)

    def sample(self, number: int, generator: np.random.Generator) -> np.ndarray:
        """Draw networks, (number, L), every one equally likely; one may come twice."""
        return self._space.sample(number, generator, over="networks")


def networks(space: SearchSpace) -> SpaceNetworks | None:
    """The networks of a space; None where every architecture is a network of its own."""
    return None if space.distinct == space.size else SpaceNetworks(space)


def count_text(architectures: int, distinct: int) -> str:
    """``6,561 architectures, 3,969 distinct networks``; equal numbers are said once."""
    text = f"{architectures:,} architecture{'' if architectures == 1 else 's'}"
    if architectures == distinct:
        return text
    return f"{text}, {distinct:,} distinct network{'' if distinct == 1 else 's'}"
