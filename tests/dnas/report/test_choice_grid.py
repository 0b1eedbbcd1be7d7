"""Tables of layers x choices: one column for all choices of one name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dnas.report.choice_grid import choice_columns, choice_grid
from dnas.space import SearchSpace


def test_layers_share_columns_by_name(get_space: Callable[[str], SearchSpace]) -> None:
    space = get_space("motley")
    headings, columns = choice_columns(space)
    assert headings[:2] == ["half_k7_se", "wide_k3_se"]
    assert columns[2] == [headings.index("skip"), headings.index("wide_k3_se")]
    grid = choice_grid([[0.25, 0.75] + [0.0] * 5] * len(space), space)
    assert grid[2, headings.index("skip")] == 0.25
    assert np.isnan(grid[2, headings.index("wide_k5")])
