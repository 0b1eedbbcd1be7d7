"""Where stand-alone accuracies come from: training, or a file of known ones.

The architectures of either are distinct networks, uniform, and the same again when more are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from dnas.search.evolution.seen import Seen
from dnas.space import Over, SearchSpace
from dnas.space.architecture import Architecture
from dnas.space.networks import count_text, networks

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
        """Draw canonical architectures, no network twice; raises ValueError if there are fewer."""

    def accuracies(self, architectures: Sequence[Architecture], tell: Tell) -> list[StandAlone]:
        """One for each architecture that `sample` gave."""

    def describe(self) -> dict[str, Any]:
        """Return plain data about where accuracies come from."""


def sample_space(
    space: SearchSpace, number: int, generator: np.random.Generator, over: Over = "architectures"
) -> list[Architecture]:
    """Draw ``number`` different networks as their canonical architectures.

    A larger sample of an equal generator begins with the smaller one: what was trained for it still counts.

    Args:
        over: whether each draw is uniform over the architectures, so that a network is as likely as it has
            names, or over the networks that were not drawn yet.

    Raises:
        ValueError: the space has fewer.
    """
    if number > space.distinct:
        raise ValueError(
            f"The space {space.name} has only {count_text(space.size, space.distinct)}, {number} were asked "
            "for: lower --architectures."
        )
    seen = Seen(space.num_choices, networks(space))
    return [_draw_new(space, seen, generator, over) for _ in range(number)]


def sample_known(
    known: Sequence[Architecture], number: int | None, generator: np.random.Generator
) -> list[Architecture]:
    """Draw ``number`` of the different networks that are known, all of them in their order for None.

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


def _draw_new(space: SearchSpace, seen: Seen, generator: np.random.Generator, over: Over) -> Architecture:
    drawn = seen.draw_unseen(1, generator, over)
    seen.add(drawn)
    return Architecture(space, tuple(drawn[0]))
