"""The heat map of softmax(alpha): every value in its cell, the chosen one outlined, missing choices blank."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex

from dnas import Architecture, SearchSpace
from dnas.report.heatmap import alpha_heatmap
from dnas.report.style import VERMILION


def tiny(*choices, names=("a", "b", "c")):
    """A space with one layer per argument, each with the choices of that list."""
    return SearchSpace.from_dict(
        {
            "format": "dnas-space/1",
            "name": "tiny",
            "resolution": 8,
            "num_classes": 2,
            "stem": [{"type": "conv", "out": 4, "kernel": 3, "stride": 1, "activation": "relu"}],
            "choices": {name: {"expansion": 1 + i, "kernel": 3} for i, name in enumerate(names)},
            "layers": [{"out": 4, "stride": 1, "activation": "relu", "choices": list(c)} for c in choices],
            "head": [{"type": "pool"}],
        }
    )


def cells(figure):
    """(rows, columns) masked array of per cent."""
    return figure.axes[0].collections[0].get_array()


def outlined(figure):
    """(row, column) of every outlined cell."""
    boxes = [p for p in figure.axes[0].patches if to_hex(p.get_edgecolor()).upper() == VERMILION]
    return [(round(box.get_y() + 0.5), round(box.get_x() + 0.5)) for box in boxes]


def written(figure):
    """{(row, column): text} of the cells."""
    return {
        (round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in figure.axes[0].texts
    }


def test_columns_are_shared_by_name():
    space = tiny("abc", "cb")
    figure = alpha_heatmap([[0.5, 0.3, 0.2], [0.9, 0.1, np.nan]], space, Architecture(space, (1, 0)))
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b", "c"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["L1", "L2"]
    np.testing.assert_allclose(cells(figure).filled(-1), [[50, 30, 20], [-1, 10, 90]])
    assert outlined(figure) == [(0, 1), (1, 2)]
    assert written(figure) == {(0, 0): "50", (0, 1): "30", (0, 2): "20", (1, 1): "10", (1, 2): "90"}
    assert axes.yaxis_inverted(), "the first layer is on top"


def test_layers_with_names_of_their_own_carry_them_in_the_cells():
    space = tiny(["a", "b"], ["c"], ["d", "e"], names="abcde")
    figure = alpha_heatmap([[0.5, 0.5], [1, 0], [0.2, 0.8]], space, Architecture(space, (0, 0, 1)))
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["1", "2"]
    assert written(figure) == {(0, 0): "a", (0, 1): "b", (1, 0): "c", (2, 0): "d", (2, 1): "e"}
    np.testing.assert_allclose(cells(figure).filled(-1), [[50, 50], [100, -1], [20, 80]])
    assert outlined(figure) == [(0, 0), (1, 0), (2, 1)]


def test_choices_may_be_named_like_the_numbers_of_columns():
    space = tiny(["1", "b"], ["c"], ["d", "e"], names="1bcde")
    figure = alpha_heatmap([[0.5, 0.5], [1, 0], [0.2, 0.8]], space)
    assert written(figure) == {(0, 0): "1", (0, 1): "b", (1, 0): "c", (2, 0): "d", (2, 1): "e"}


def test_small_probabilities_are_coloured_but_not_written():
    figure = alpha_heatmap([[0.991, 0.009]], tiny("ab"))
    assert written(figure) == {(0, 0): "99"}
    assert outlined(figure) == [] and figure.axes[0].get_legend() is None


def test_colour_scale_ends_at_the_largest_probability():
    mesh = alpha_heatmap([[0.25, 0.4, 0.35]], tiny("abc")).axes[0].collections[0]
    assert mesh.get_clim() == pytest.approx((0, 40))


def test_one_layer_with_one_choice():
    space = tiny("a")
    figure = alpha_heatmap([[1.0]], space, Architecture(space, (0,)))
    assert written(figure) == {(0, 0): "100"} and outlined(figure) == [(0, 0)]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1.0, 0.0]], r"shape \(2, 3\).*got \(1, 2\)"),
        ([[0.5, 0.3, 0.1], [1, 0, 0]], r"in L1 \(softmax"),
        ([[0.5, 0.3, np.nan], [1.5, -0.5, 0]], r"in L1, L2 \(softmax"),
    ],
)
def test_what_are_no_probabilities(values, message):
    with pytest.raises(ValueError, match=message):
        alpha_heatmap(values, tiny("abc", "ab"))


def test_everything_wrong_is_in_one_message():
    stranger = tiny("ab")
    with pytest.raises(ValueError, match=r"shape .*; the chosen architecture is of the space tiny"):
        alpha_heatmap([[1.0]], tiny("abc"), Architecture(stranger, (0,)))
