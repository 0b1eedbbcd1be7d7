"""Architectures on the page: width, colour, outline, hatching and skips say what the blocks are."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

import pytest

from dnas.compare.model import Comparison
from dnas.compare.page.architecture import BLOCK, MIDDLE, WIDEST, architecture_cards, drawing
from dnas.report.glyphs import Key
from dnas.report.style import GREEN, ORANGE, SKY
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture

Attributes = dict[str, str]


def elements(text: str, name: str) -> list[Attributes]:
    found = re.findall(rf"<{name} ([^>]*?)/?>", text)
    return [dict(re.findall(r'([\w-]+)="([^"]*)"', attributes)) for attributes in found]


@pytest.fixture
def moga(get_space: Callable[[str], SearchSpace]) -> SearchSpace:
    return get_space("moga")


def drawn(names: list[str], space: SearchSpace) -> str:
    return drawing(Architecture.from_names(names, space).choices, space)


def test_width_is_the_expansion_and_colour_the_kernel(moga: SearchSpace) -> None:
    boxes = elements(drawn(["E3K3", "E6K5", "E6K7"] + ["E3K3"] * 11, moga), "rect")
    assert [box["fill"] for box in boxes[:3]] == [SKY, ORANGE, GREEN]
    assert [float(box["width"]) for box in boxes[:3]] == [WIDEST / 2, WIDEST, WIDEST]
    assert all(float(box["x"]) + float(box["width"]) / 2 == MIDDLE for box in boxes)
    assert {float(box["height"]) for box in boxes} == {BLOCK}


def test_unusual_kernels_have_the_colours_of_the_figures(moga: SearchSpace) -> None:
    definition = moga.to_dict() | {"choices": {f"k{k}": {"expansion": 2, "kernel": k} for k in (3, 11, 13)}}
    space = SearchSpace.from_dict(definition)
    names = ["k3", "k11", "k13"] + ["k3"] * 11
    fills = [box["fill"] for box in elements(drawn(names, space), "rect")[:3]]
    assert fills == list(Key.of(space).colours.values())
    assert len(set(fills)) == 3


def test_outline_is_squeeze_excite(moga: SearchSpace) -> None:
    boxes = elements(drawn(["E3K3SE"] + ["E3K3"] * 13, moga), "rect")
    assert [box["class"] for box in boxes] == ["block se"] + ["block"] * 13


def test_blocks_stand_one_below_the_other(moga: SearchSpace) -> None:
    places = [float(box["y"]) for box in elements(drawn(["E6K7SE"] * 14, moga), "rect")]
    assert all(below - above > BLOCK for above, below in pairwise(places))


def test_sizes_stand_where_the_stride_is(moga: SearchSpace) -> None:
    text = drawn(["E3K3"] * 14, moga)
    assert re.findall(r">(\d+) px<", text) == ["56", "28", "14", "7"]
    assert len([line for line in elements(text, "line") if line["class"] == "stride"]) == 4


def test_skips_are_dashed_and_groups_hatched(get_space: Callable[[str], SearchSpace]) -> None:
    text = drawn(["skip", "grouped", "skip", "half_k7_se"], get_space("motley"))
    lines = [line["class"] for line in elements(text, "line")]
    assert lines.count("skip") == 2 and lines.count("gap") == 2
    boxes = elements(text, "rect")
    assert len(boxes) == 3
    assert boxes[1]["fill"] == "url(#hatch)"


def test_a_picture_says_its_architecture(moga: SearchSpace) -> None:
    names = ["E3K3", "E6K7SE"] * 7
    assert f'role="img" aria-label="{" ".join(names)}"' in drawn(names, moga)


def test_cards_have_values_and_a_legend_of_what_the_space_has(
    make_comparison: Callable[..., Comparison], get_space: Callable[[str], SearchSpace]
) -> None:
    moga = make_comparison(2, 1, 3)
    cards = architecture_cards(moga, get_space("moga"))
    assert cards.count("<figure") == 2 + 4
    assert "kernel 7×7" in cards and "squeeze-excite" in cards
    assert "grouped" not in cards and ">skip<" not in cards
    motley = get_space("motley")
    other = architecture_cards(make_comparison(1, 1, 1, space=motley), motley)
    assert "grouped convolutions" in other and ">skip<" in other
