"""Pace of the device beside each visit, and statistics of visits worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest

from latency.sources.measured.visits import (
    STATISTICS,
    Visit,
    disturbed,
    estimate_all,
    median_repeat,
    read_visits,
)


def line(number: int | None, job: str, *ms: float) -> dict[str, Any]:
    return {"round": number, "job": job, "ms": ms, "runs": len(ms)}


def reference(*ms: float) -> dict[str, Any]:
    return line(None, "ref", *ms)


LOG = [
    reference(2.0, 2.0, 9.0),
    line(0, "a", 1.0, 3.0),
    line(0, "b", 5.0),
    reference(2.5),
    line(1, "a", 1.0),
    reference(2.0),
    line(1, "b", 1.0),
]


def test_a_visit_has_the_slower_of_the_references_around_it() -> None:
    visits = read_visits(LOG, quantile=0.5)
    assert [(visit.round, visit.job, visit.slowdown) for visit in visits] == [
        (0, "a", 0.25),
        (0, "b", 0.25),
        (1, "a", 0.25),
        (1, "b", 0.0),
    ]
    assert visits[0].ms == (1.0, 3.0) and visits[0].runs == 2


def test_disturbed_visits_are_named_until_they_were_repeated() -> None:
    visits = read_visits(LOG, quantile=0.5)
    assert disturbed(visits, tolerance=0.1, repeats=2) == [(0, "a"), (0, "b"), (1, "a")]
    assert disturbed(visits, tolerance=0.3, repeats=2) == []
    assert disturbed(visits, tolerance=0.1, repeats=0) == []
    again = read_visits([*LOG, reference(2.0), line(0, "a", 1.0), reference(2.0)], quantile=0.5)
    assert disturbed(again, tolerance=0.1, repeats=1) == [(0, "b"), (1, "a")]
    worse = read_visits([*LOG, reference(2.0), line(0, "a", 1.0), reference(4.0)], quantile=0.5)
    assert disturbed(worse, tolerance=0.1, repeats=1) == [(0, "b"), (1, "a")]
    assert disturbed(worse, tolerance=0.1, repeats=2) == [(0, "a"), (0, "b"), (1, "a")]


def test_without_references_nothing_is_called_slow() -> None:
    assert read_visits([line(0, "a", 1.0)], quantile=0.5)[0].slowdown == 0.0
    assert read_visits([], quantile=0.5) == []


MEDIAN, FASTEST = STATISTICS["median"], STATISTICS["fastest"]


def visit(number: int, *ms: float, job: str = "a", slowdown: float = 0.0) -> Visit:
    return Visit(number, job, ms, len(ms), slowdown)


def test_the_two_statistics() -> None:
    runs = [visit(0, *range(1, 12)), visit(1, *range(101, 112))]
    assert MEDIAN.of(runs) == (6 + 106) / 2
    assert FASTEST.of(runs) == 2


def test_spread_and_number_of_all_runs() -> None:
    found = estimate_all([visit(0, 1.0, 3.0), visit(1, 1.0, 3.0)], MEDIAN, 0.1)["a"]
    assert (found.ms, found.std, found.n, found.repeat, found.steady) == (2.0, 1.0, 4, 0.0, True)
    assert found.p90 == pytest.approx(3.0)


def test_disturbed_visits_count_only_where_there_are_no_others() -> None:
    mixed = estimate_all([visit(0, 2.0), visit(1, 8.0, slowdown=0.5)], MEDIAN, 0.1)["a"]
    assert mixed.ms == 2.0 and mixed.steady and mixed.n == 1
    alone = estimate_all([visit(0, 8.0, slowdown=0.5)], MEDIAN, 0.1)["a"]
    assert alone.ms == 8.0 and not alone.steady


def test_repeat_is_the_half_difference_of_even_and_odd_rounds() -> None:
    visits = [visit(0, 9.0), visit(1, 11.0), visit(2, 9.0), visit(3, 11.0)]
    assert estimate_all(visits, MEDIAN, 0.1)["a"].repeat == pytest.approx(1.0)


def test_no_graph_repeats_better_than_all_do() -> None:
    lucky = [visit(number, 10.0, job="lucky") for number in (0, 1)]
    found = estimate_all([visit(0, 9.0), visit(1, 11.0), *lucky], MEDIAN, 0.1)
    common = math.sqrt(0.1**2 / 2)
    assert found["lucky"].repeat == pytest.approx(common * 10)
    assert found["a"].repeat == pytest.approx(1.0)
    assert median_repeat(found) == pytest.approx((0.1 + common) / 2)


def test_a_part_is_a_graph_without_its_prefix() -> None:
    visits = [visit(0, 5.0, 7.0), visit(1, 5.0, 7.0), *(visit(n, 2.0, job="before") for n in (0, 1))]
    found = estimate_all(visits, MEDIAN, 0.1)
    part = found["a"].minus(found["before"])
    assert (part.ms, part.std, part.n) == (4.0, 1.0, 4)
    assert part.p90 == pytest.approx(5.0)
