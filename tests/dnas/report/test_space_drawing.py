"""The drawing of a space: a box for every choice of every layer, frames, brackets, and shapes."""

from __future__ import annotations

import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from dnas.report.space_drawing import space_drawing
from dnas.report.style import BLUE, PALE, VERMILION
from dnas.space import SearchSpace


def parts(axes):
    """Boxes of choices, dashed frames, bars of stem and head."""
    patches = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    frames = [patch for patch in patches if not patch.get_fill()]
    bars = [patch for patch in patches if to_hex(patch.get_facecolor()).upper() == PALE]
    return [patch for patch in patches if patch not in frames and patch not in bars], frames, bars


def texts(axes):
    return [text.get_text() for text in axes.texts]


def rows(patches):
    return sorted({round(patch.get_y() + patch.get_height() / 2) for patch in patches})


def test_every_choice_has_a_box_in_the_column_of_its_name():
    axes = space_drawing(SearchSpace.load("moga")).axes[0]
    boxes, frames, bars = parts(axes)
    assert len(boxes) == 14 * 12 and not frames and len(bars) == 2 + 4 + 1
    assert rows(boxes) == [*range(2, 16)]
    centres = sorted({round(box.get_x() + box.get_width() / 2, 3) for box in boxes})
    assert len(centres) == 12 and "E6K7SE" in texts(axes)
    assert max(box.get_width() for box in boxes) < centres[1] - centres[0]
    widths = sorted({round(box.get_width(), 4) for box in boxes})
    assert widths[1] == pytest.approx(2 * widths[0], rel=1e-3), "expansions 3 and 6"
    assert {"80 → 112", "28 → 14", "separable 3×3", "1280 → 1000"} <= set(texts(axes))


def test_layers_that_may_be_left_out_have_a_dashed_frame():
    axes = space_drawing(SearchSpace.load("fbnet")).axes[0]
    boxes, frames, _ = parts(axes)
    changing = {2, 6, 10, 14, 18, 22}
    assert rows(frames) == [row for row in range(1, 23) if row not in changing]
    assert len(boxes) == 22 * 8 and texts(axes).count("1×1") == len(changing)
    assert all(to_hex(frame.get_edgecolor()).upper() == BLUE for frame in frames)
    assert "may be left out" in [text.get_text() for text in axes.get_legend().get_texts()]


def test_layers_of_one_decision_have_a_bracket(get_space):
    axes = space_drawing(get_space("staged")).axes[0]
    brackets = [line for line in axes.lines if line.get_color() == VERMILION]
    spans = sorted((round(min(y)), round(max(y))) for y in (line.get_ydata() for line in brackets))
    assert spans == [(1, 2), (6, 8)]
    assert rows(parts(axes)[1]) == [4, 5, 7, 8]


@pytest.mark.parametrize("kind", ["many", "unlike"])
def test_without_columns_choices_are_counted(kind):
    definition = SearchSpace.load("moga").to_dict() | {"name": kind}
    definition["choices"] = {f"E{e}K{k}": {"expansion": e, "kernel": k} for k in (3, 5) for e in range(1, 21)}
    if kind == "unlike":
        names = [*definition["choices"]]
        for index, layer in enumerate(definition["layers"]):
            layer["choices"] = names[2 * index : 2 * index + 2]
    axes = space_drawing(SearchSpace.from_dict(definition)).axes[0]
    assert not parts(axes)[0]
    counted = "40 choices, kernels 3, 5" if kind == "many" else "2 choices, kernels 3"
    assert texts(axes).count(counted) >= 7


def test_more_layers_than_a_page_has_room_for_are_refused():
    definition = SearchSpace.load("moga").to_dict()
    definition["layers"] = [definition["layers"][1]] * 201
    with pytest.raises(ValueError, match="201 layers: a figure has room for 200"):
        space_drawing(SearchSpace.from_dict(definition))
