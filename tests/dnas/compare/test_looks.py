"""What the page and the figures of a comparison share: fronts, means, looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import nan

import pytest

from dnas.compare.looks import (
    count_text,
    drawn_points,
    examples,
    latency_title,
    looks,
    mean_curve,
    pooled_front,
    quality_axis,
    quality_of,
    thinned,
)
from dnas.compare.model import Comparison, Method, Point, Run


@pytest.fixture
def comparison(make_comparison: Callable[..., Comparison]) -> Comparison:
    return make_comparison(2, 2, 3)


def with_members(method: Method, *runs: list[tuple[float, float, float]]) -> Method:
    """``method`` with runs of (latency_ms, top1, loss) members."""
    like = method.runs[0].members[0]
    made = [
        tuple(replace(like, latency_ms=ms, top1=top1, loss=loss) for ms, top1, loss in members)
        for members in runs
    ]
    empty: Run = method.runs[0]
    return replace(method, runs=tuple(replace(empty, members=members) for members in made))


def latencies(points: tuple[Point, ...]) -> list[float]:
    return [point.latency_ms for point in points]


def test_front_over_all_runs_by_accuracy(comparison: Comparison) -> None:
    method = with_members(
        comparison.methods[0], [(1.0, 0.5, 9.0), (3.0, 0.7, 1.0)], [(2.0, 0.4, 0.5), (4.0, 0.7, 0.1)]
    )
    assert latencies(pooled_front(method, comparison)) == [1.0, 3.0]


def test_front_over_all_runs_by_loss(comparison: Comparison) -> None:
    method = with_members(
        comparison.methods[0], [(1.0, 0.5, 9.0), (3.0, 0.7, 1.0)], [(2.0, 0.4, 0.5), (4.0, 0.7, 0.1)]
    )
    assert latencies(pooled_front(method, replace(comparison, quality="loss"))) == [1.0, 2.0, 4.0]


def test_points_without_a_quality_are_not_drawn(comparison: Comparison) -> None:
    method = with_members(comparison.methods[0], [(1.0, nan, 2.0), (nan, 0.5, 2.0), (2.0, 0.5, nan)])
    assert [latencies(run) for run in drawn_points(method, comparison)] == [[2.0]]
    assert pooled_front(with_members(method, [(1.0, nan, 2.0)]), comparison) == ()


def test_quality_is_written_in_its_unit(comparison: Comparison) -> None:
    point = replace(comparison.methods[0].runs[0].members[0], top1=0.71234, loss=1.5)
    assert quality_of(point, comparison) == pytest.approx(71.234)
    assert quality_axis(comparison).text(0.71234) == "71.2 %"
    by_loss = replace(comparison, quality="loss")
    assert quality_of(point, by_loss) == 1.5
    assert quality_axis(by_loss).text(1.5) == "1.500"
    assert quality_axis(by_loss).text(None) == "–"


@pytest.mark.parametrize(
    ("count", "text"), [(5_159_802, "5.16 M"), (304_042_176, "304.04 M"), (2_340, "2.34 k"), (12, "12")]
)
def test_counts_are_written_by_their_size(count: int, text: str) -> None:
    assert count_text(count) == text


def test_latency_is_called_what_the_table_calls_it(comparison: Comparison) -> None:
    assert latency_title(comparison) == "calibrated latency (ms)"
    measured = replace(comparison, table=replace(comparison.table, kind="measured"))
    assert latency_title(measured) == "measured latency (ms)"


def test_twelve_methods_look_different(make_comparison: Callable[..., Comparison]) -> None:
    made = looks(make_comparison(12, 1, 1).methods)
    assert len(made) == 13
    assert len({look.marker for look in made}) == 13
    lines = {(look.colour, look.dashed) for look in made}
    assert len(lines) == 13


def test_mean_curve_is_taken_where_all_curves_are_defined() -> None:
    curves = [((0.0, 1.0), (2.0, 3.0), (4.0, 5.0)), ((1.0, 0.0), (3.0, 10.0))]
    assert mean_curve(curves) == ((1.0, 0.5), (2.0, 1.5), (3.0, 6.5))


def test_mean_curve_of_one_is_itself_and_of_none_is_empty() -> None:
    assert mean_curve([((0.0, 1.0), (2.0, 3.0)), ()]) == ((0.0, 1.0), (2.0, 3.0))
    assert mean_curve([()]) == ()


def test_mean_curve_of_curves_that_never_meet_is_empty() -> None:
    assert mean_curve([((0.0, 1.0),), ((5.0, 1.0),)]) == ()


def test_thinned_keeps_both_ends(comparison: Comparison) -> None:
    like = comparison.methods[0].runs[0].members[0]
    front = [replace(like, latency_ms=float(ms)) for ms in range(10)]
    assert [p.latency_ms for p in thinned(front, 4)] == [0.0, 3.0, 6.0, 9.0]
    assert thinned(front, 10) is front
    assert len(thinned(front, 1)) == 1


def test_examples_are_the_best_within_the_middle_budget(comparison: Comparison) -> None:
    budgets = sorted({budget.latency_ms for budget in comparison.budgets})
    middle = budgets[2]
    found = {example.title: example for example in examples(comparison)}
    for method in comparison.methods[:2]:
        members = [p for run in method.runs for p in run.members]
        within = [p for p in members if p.latency_ms <= middle]
        expected = max(within, key=lambda p: p.top1) if within else min(members, key=lambda p: p.latency_ms)
        assert found[method.name].point == expected
    assert {"moga_a", "moga_b", "moga_c"} <= set(found)


def test_an_example_slower_than_the_budget_is_said_to_be(comparison: Comparison) -> None:
    method = with_members(comparison.methods[0], [(50.0, 0.9, 1.0), (60.0, 0.95, 1.0)])
    (example, *_) = examples(replace(comparison, methods=(method,)))
    assert example.point.latency_ms == 50.0
    assert example.reason.startswith("fastest, none within")
