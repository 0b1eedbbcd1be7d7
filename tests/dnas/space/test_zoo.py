"""Every published architecture that ships loads, and counts what its paper says."""

from __future__ import annotations

import pytest

from dnas.costs import count
from dnas.space import zoo
from dnas.space.architecture import Architecture, ArchitectureError

PUBLISHED = {
    "moga_a": (5_159_802, 304_042_176),
    "moga_b": (5_506_236, 248_634_720),
    "moga_c": (5_488_200, 221_089_920),
}


def test_names() -> None:
    assert set(PUBLISHED) | {"moga_a_figure"} <= set(zoo.names())


@pytest.mark.parametrize(("name", "params", "madds"), [(name, *counts) for name, counts in PUBLISHED.items()])
def test_counts_are_the_published_ones(name: str, params: int, madds: int) -> None:
    arch = zoo.load(name)
    costs = count(arch.space)
    assert (costs.params_of(arch), costs.madds_of(arch)) == (params, madds)
    published = zoo.published(name).figures
    # The paper cuts its digits off: 5.488 M is printed as 5.4.
    assert params / 1e6 - 0.1 < published["params_millions"] <= params / 1e6
    assert madds / 1e6 - 1 < published["madds_millions"] <= madds / 1e6


def test_the_figure_draws_another_moga_a() -> None:
    drawn, code = zoo.load("moga_a_figure"), zoo.load("moga_a")
    costs = count(drawn.space)
    assert costs.params_of(drawn) == pytest.approx(5.141e6, abs=500)
    assert costs.madds_of(drawn) == pytest.approx(304.02e6, abs=10_000)
    squeezed = [i + 1 for i, choice in enumerate(drawn.choices) if choice.options.se][:3]
    assert squeezed == [3, 4, 5] and [i + 1 for i, c in enumerate(code.choices) if c.options.se][:3] == [
        4,
        5,
        6,
    ]


@pytest.mark.parametrize("name", zoo.names())
def test_everything_in_the_zoo_loads(name: str) -> None:
    arch = zoo.load(name)
    assert Architecture.parse(str(arch), arch.space) == arch


@pytest.mark.parametrize("name", ["moga_d", "", "../spaces/moga", "moga_a.json"])
def test_unknown_names_are_told_the_shipped_ones(name: str) -> None:
    with pytest.raises(ArchitectureError, match=r"Shipped: .*moga_a, moga_a_figure, moga_b, moga_c"):
        zoo.load(name)
