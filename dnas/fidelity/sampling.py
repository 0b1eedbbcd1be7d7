"""Which architectures an audit looks at: distinct, uniform, and the same again when more are asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dnas.search.evolution.seen import Seen
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture


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
