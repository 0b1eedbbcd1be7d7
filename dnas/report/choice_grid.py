"""A table of layers x choices as figures and pages show it: one column for all choices of one name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dnas.space import SearchSpace


def choice_columns(space: SearchSpace) -> tuple[list[str], list[list[int]]]:
    """Headings of a table of choices, and for every layer the column of each of its choices.

    Layers share columns by name; when their names have little in common, columns are numbered.
    """
    names = list(dict.fromkeys(choice.name for layer in space.layers for choice in layer.choices))
    if len(names) > 1.5 * space.max_choices:
        numbers = [str(index + 1) for index in range(space.max_choices)]
        return numbers, [list(range(count)) for count in space.num_choices]
    return names, [[names.index(choice.name) for choice in layer.choices] for layer in space.layers]


def choice_grid(rows: Sequence[Sequence[float]] | np.ndarray, space: SearchSpace) -> np.ndarray:
    """(L, columns) of (L, C) ``rows`` under :func:`choice_columns`; NaN where a layer lacks the choice."""
    headings, columns = choice_columns(space)
    grid = np.full((len(space), len(headings)), np.nan)
    for layer, places in enumerate(columns):
        grid[layer, places] = rows[layer][: len(places)]
    return grid
