"""A table of decisions x choices as figures and pages show it: one column for all choices of one name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dnas.space import SearchSpace


def columns_have_names(space: SearchSpace) -> bool:
    """Whether decisions share columns by name: unless their names have little in common."""
    return len(_names(space)) <= 1.5 * space.max_choices


def choice_columns(space: SearchSpace) -> tuple[list[str], list[list[int]]]:
    """Headings of a table of choices, and for every decision the column of each of its choices.

    Headings are the choices' names where :func:`columns_have_names`, else numbers from 1.
    """
    if not columns_have_names(space):
        numbers = [str(index + 1) for index in range(space.max_choices)]
        return numbers, [list(range(count)) for count in space.num_choices]
    names = _names(space)
    return names, [[names.index(name) for name in decision.names] for decision in space.decisions]


def choice_grid(rows: Sequence[Sequence[float]] | np.ndarray, space: SearchSpace) -> np.ndarray:
    """(D, columns) of (D, C) ``rows`` under :func:`choice_columns`; NaN where a decision lacks the choice."""
    headings, columns = choice_columns(space)
    grid = np.full((len(space), len(headings)), np.nan)
    for row, places in enumerate(columns):
        grid[row, places] = rows[row][: len(places)]
    return grid


def _names(space: SearchSpace) -> list[str]:
    return list(dict.fromkeys(name for decision in space.decisions for name in decision.names))
