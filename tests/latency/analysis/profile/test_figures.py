"""Figures of a profile: they show every cell and every share, for any space."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from dnas.report.style import save_figure
from dnas.space import SearchSpace
from latency.analysis.profile.figures import shift_heatmap, variance_bars
from latency.analysis.profile.variance import variance_shares
from latency.table import LatencyTable, load_table

MakeTable = Callable[..., LatencyTable]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_heatmap_writes_every_shift(file: Path, tiny: SearchSpace, tmp_path: Path) -> None:
    figure = shift_heatmap(load_table(file, tiny))
    assert texts(figure) == ["0", "+1.00", "-1.00", "-1.88", "+1.88"]
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["small", "large", "skip"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["L1", "L2"]
    assert "measured latency (ms)" in figure.axes[1].get_ylabel()
    assert save_figure(figure, tmp_path / "shifts.png")[0].stat().st_size > 5000


def test_cells_have_names_where_columns_have_none() -> None:
    space = SearchSpace.load("ofa_resnet50")
    figure = shift_heatmap(load_table("powervr_ge8320_tflite2.10", space))
    written = texts(figure)
    assert [text.split("\n")[0] for text in written] == [
        name for each in space.decisions for name in each.names
    ]
    assert written[:3] == ["C3\n+3.04", "skip\n-3.04", "C3out\n0"]
    assert "profile.csv" in figure.axes[0].get_xlabel()


def test_bars_show_the_shares(file: Path, tiny: SearchSpace, tmp_path: Path) -> None:
    shares = variance_shares(load_table(file, tiny))
    figure = variance_bars(shares, "measured")
    left, right = figure.axes
    widths = np.array([patch.get_width() for patch in left.patches])
    assert widths.sum() == pytest.approx(100)
    assert [label.get_text() for label in right.get_yticklabels()] == list(shares.parts)
    assert [patch.get_width() for patch in right.patches] == pytest.approx(
        [100 * share for share in shares.parts.values()]
    )
    save_figure(figure, tmp_path / "variance.png")


@pytest.mark.parametrize("ms", [1.0, 3.7])
def test_a_flat_table_can_be_drawn(
    factorial: SearchSpace, make_table: MakeTable, tmp_path: Path, ms: float
) -> None:
    table = make_table(factorial, np.full((4, 4), ms))
    save_figure(shift_heatmap(table), tmp_path / "shifts.png")
    save_figure(variance_bars(variance_shares(table), table.kind), tmp_path / "variance.png")
