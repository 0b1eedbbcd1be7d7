"""Where stand-alone accuracies come from: training, or a file of known ones.

The architectures of either are distinct, uniform, and the same again when more are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from dnas.search.evolution.seen import Seen
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture

# Called with what is being done, how much of it is done, and how much there is.
Tell = Callable[[str, int, int], None]


class StandAlone(NamedTuple):
    """Top-1 of an architecture with weights of its own, NaN with a ``reason`` where there is none.

    Attributes:
        images: that it was measured on; 0 where that is not known.
        seconds: that training and test took.
        data: class path and arguments of the data module, where there was one.
    """

    top1: float
    reason: str = ""
    images: int = 0
    seconds: float = 0.0
    data: Mapping[str, Any] | None = None


class Source(Protocol):
    """Architectures to look at, and their stand-alone accuracies."""

    def sample(self, number: int | None, generator: np.random.Generator) -> list[Architecture]:
        """Draw distinct architectures, every one equally likely; raises ValueError if there are fewer."""

    def accuracies(self, architectures: Sequence[Architecture], tell: Tell) -> list[StandAlone]:
        """One for each architecture that `sample` gave."""

    def describe(self) -> dict[str, Any]:
        """Return plain data about where accuracies come from."""


def sample_space(space: SearchSpace, number: int, generator: np.random.Generator) -> list[Architecture]:
    """Draw ``number`` distinct architectures, every one equally likely.

    A larger sample of an equal generator begins with the smaller one: what was trained for it still counts.

    Raises:
        ValueError: the space has fewer.
    """
    if number > space.size:
        raise ValueError(
            f"The space {space.name} has only {space.size} architectures, {number} were asked for: lower "
            "--architectures."
        )
    seen = Seen(space.num_choices)
    return [_draw_new(space, seen, generator) for _ in range(number)]


def sample_known(
    known: Sequence[Architecture], number: int | None, generator: np.random.Generator
) -> list[Architecture]:
    """Draw ``number`` of the distinct architectures that are known, all of them in their order for None.

    Raises:
        ValueError: fewer are known.
    """
    if number is None:
        return list(known)
    if number > len(known):
        raise ValueError(
            f"Accuracies of only {len(known)} architectures are known, {number} were asked for: lower "
            "--architectures, or leave it out to take all."
        )
    return [known[index] for index in generator.permutation(len(known))[:number]]


def _draw_new(space: SearchSpace, seen: Seen, generator: np.random.Generator) -> Architecture:
    drawn = seen.draw_unseen(1, generator)
    seen.add(drawn)
    return Architecture(space, tuple(drawn[0]))
