"""Every width, resolution and target has its search; what is varied reaches its options and its name."""

from __future__ import annotations

import math

import pytest

from dnas.sweep.plan import Grid, Search, number_problems


def test_without_anything_varied_there_is_one_search_for_all_targets() -> None:
    assert Grid("c.yaml", [8, 10]).searches() == [Search("search", ("--config=c.yaml",), (8, 10))]


def test_a_search_for_every_width_and_resolution() -> None:
    settings = ["model.table=t/w{width}_{resolution}px.csv", "data.resolution={resolution}"]
    searches = Grid("c.yaml", [8.0, 10.0], [0.35, 1.0], [96, 224], settings).searches()
    assert [each.name for each in searches] == ["w0.35_96px", "w0.35_224px", "w1_96px", "w1_224px"]
    assert searches[0].arguments == (
        "--config=c.yaml",
        "--model.width=0.35",
        "--model.resolution=96",
        "--model.table=t/w0.35_96px.csv",
        "--data.resolution=96",
    )
    assert {each.targets for each in searches} == {(8.0, 10.0)}


def test_a_search_for_every_target_where_an_option_takes_it() -> None:
    searches = Grid("c.yaml", [8, 10.5], [0.5], settings=["a.target_ms={target}", "b={lr: 0.1}"]).searches()
    assert [(each.name, each.targets) for each in searches] == [("w0.5_8ms", (8,)), ("w0.5_10.5ms", (10.5,))]
    assert searches[1].arguments[-2:] == ("--a.target_ms=10.5", "--b={lr: 0.1}"), "other braces stay"
    assert not any("model.target" in argument for argument in searches[1].arguments)


def test_settings_that_say_nothing_are_listed_together() -> None:
    problems = Grid("c", [8], settings=["a", "b={width}", "c={resolution}", "d="]).problems()
    assert problems == [
        "--set a: expected KEY=VALUE",
        "--set d=: expected KEY=VALUE",
        "--set b={width}: {width} stands for a value of --widths, which is not given",
        "--set c={resolution}: {resolution} stands for a value of --resolutions, which is not given",
    ]
    assert Grid("c", [8], [1], [96], ["b={width}", "c={resolution}"]).problems() == []


@pytest.mark.parametrize("numbers", [[0.0], [1.0, -2.0], [math.nan], [math.inf]])
def test_numbers_must_be_above_0(numbers: list[float]) -> None:
    (problem,) = number_problems("--targets", numbers)
    assert problem.startswith("--targets must be numbers above 0, got")


def test_numbers_are_given_once() -> None:
    assert number_problems("--widths", [0.5, 1.0, 0.5]) == ["--widths: the same value twice (0.5 1 0.5)"]
    assert number_problems("--widths", []) == number_problems("--widths", [1.0]) == []
