"""The finding says no more than the numbers do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from dnas.compare.finding import find
from dnas.compare.model import Estimate, Kind, Method, Point

Make = Callable[..., Method]


@pytest.fixture
def method(make_point: Callable[..., Point], make_method: Make) -> Make:
    """A method with members in every run."""

    def make(
        name: str,
        volumes: Sequence[float | None],
        kind: Kind = "evolutionary",
        evaluations: float | None = 300,
    ) -> Method:
        return make_method(name, [[make_point(1, 0.5)]] * len(volumes), volumes, kind, evaluations)

    return make


def test_a_difference_beyond_the_spread(method: Make) -> None:
    found = find([method("random", [0.60, 0.61, 0.62], "baseline"), method("NSGA-II", [0.70, 0.71, 0.72])])
    assert found == (
        "NSGA-II reaches a hypervolume of 0.710 [0.685, 0.735] (3 seeds), against 0.610 [0.585, 0.635] of "
        "random (3 seeds) at equal evaluations (300): a difference beyond the seeds' spread."
    )


def test_overlapping_intervals_are_no_difference(method: Make) -> None:
    found = find([method("a", [0.69, 0.71, 0.73]), method("b", [0.68, 0.70, 0.72])])
    assert found.endswith(": no difference beyond the seeds' spread.") and found.startswith("a reaches")


def test_intervals_that_touch_are_no_difference(method: Make) -> None:
    upper = replace(method("a", [0.6, 0.6]), hypervolume=Estimate(0.6, 0.5, 0.7, (0.6, 0.6)))
    lower = replace(method("b", [0.4, 0.4]), hypervolume=Estimate(0.4, 0.3, 0.5, (0.4, 0.4)))
    assert "no difference" in find([upper, lower])


def test_equal_methods(method: Make) -> None:
    assert find([method("a", [0.5, 0.5]), method("b", [0.5, 0.5])]).endswith(": equal.")


def test_a_single_seed_tells_nothing_of_the_spread(method: Make) -> None:
    found = find([method("a", [0.9]), method("b", [0.1, 0.1])])
    assert "0.900 (one seed), against 0.100 [0.100, 0.100] of b (2 seeds)" in found
    assert found.endswith(" (300); where there is one seed, nothing is known of the seeds' spread.")


def test_single_seeds_are_excused_once(method: Make) -> None:
    found = find([method("a", [0.9]), method("b", [0.1], "differentiable"), method("c", [0.2], "baseline")])
    assert found.count("nothing is known") == 1 and found.count("against") == 2


def test_unequal_and_unknown_evaluations_are_said(method: Make) -> None:
    one = method("a", [0.9, 0.9], evaluations=1200)
    assert "at unequal evaluations (1,200 against 0)" in find([one, method("b", [0.1], "differentiable", 0)])
    assert "at evaluations that are not all known" in find([one, method("b", [0.1], evaluations=None)])


def test_every_other_kind_is_mentioned_once(method: Make) -> None:
    found = find(
        [
            method("FBNet", [0.4, 0.41], "differentiable", 0),
            method("ageing", [0.5, 0.51], "baseline"),
            method("random", [0.45, 0.46], "baseline"),
            method("unseeded", [0.69, 0.70]),
            method("seeded", [0.70, 0.71]),
        ]
    )
    assert found.startswith("seeded reaches") and found.count("against") == 4
    assert "of unseeded (2 seeds)" in found
    assert "of ageing, the best baseline, (2 seeds)" in found and "random" not in found
    assert (
        "of FBNet, the best differentiable method, (2 seeds) at unequal evaluations (300 against 0)" in found
    )
    assert found.count(".") - found.count("0.") == 1, "one sentence"


def test_a_baseline_may_win(method: Make) -> None:
    baselines = [method("random", [0.8, 0.8], "baseline"), method("ageing", [0.7, 0.7], "baseline")]
    found = find([method("NSGA-II", [0.5, 0.5]), *baselines])
    assert found.startswith("random reaches a hypervolume of 0.800")
    assert "of NSGA-II, the best evolutionary method, (2 seeds)" in found


def test_who_takes_no_part(method: Make, make_method: Make) -> None:
    zoo, empty = method("published", [0.9], "zoo"), make_method("empty", [[]], [0.0])
    assert find([zoo, empty]) == "No method found an architecture, so there is nothing to compare."
    assert find([]) == find([zoo])
    alone = find([zoo, empty, method("a", [0.5])])
    assert alone == "a reaches a hypervolume of 0.500 (one seed); no other search was compared with it."
