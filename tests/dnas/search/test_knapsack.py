"""The exact architecture choice: against brute force, against dynamic programming, and at the very limit."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.random import Generator

from dnas.search import knapsack
from dnas.search.knapsack import Bound, Infeasible, solve

SCORE = np.log([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])
MS = np.array([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
PARAMS = np.array([[30.0, 20.0, 10.0], [10.0, 20.0, 30.0]])


def total(table: np.ndarray, choices) -> float:
    return math.fsum(table[np.arange(len(table)), choices])


def architectures(score: np.ndarray) -> list[tuple[int, ...]]:
    layers, choices = score.shape
    every = itertools.product(range(choices), repeat=layers)
    return [a for a in every if np.isfinite(score[np.arange(layers), a]).all()]


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ([], [0, 2]),
        ([Bound("latency", MS, 6.0)], [0, 2]),
        ([Bound("latency", MS, 1.7e308)], [0, 2]),
        ([Bound("latency", MS / 10, 1.7e308)], [0, 2]),
        ([Bound("latency", MS, 5.0)], [0, 1]),  # 0.7 * 0.3 = 0.21 beats 0.2 * 0.6 = 0.12
        ([Bound("latency", MS, 4.0)], [0, 0]),  # 0.07 beats 0.06 twice
        ([Bound("latency", MS, 4.0), Bound("latency", MS, 4.0)], [0, 0]),
        ([Bound("latency", MS, 4.5, fixed=0.5)], [0, 0]),
        ([Bound("latency", MS, 3.0)], [2, 1]),  # 0.03 beats 0.02 of (1, 0)
        ([Bound("params", -PARAMS, -60.0, "at_least")], [0, 2]),
    ],
)
def test_by_hand(bounds: list[Bound], expected: list[int]) -> None:
    assert solve(SCORE, bounds).tolist() == expected


def random_problem(rng: Generator, kind: int) -> tuple[np.ndarray, list[Bound]]:
    """Return scores with ties (even kinds) or near ties (kind 3), and limits that are some architecture's."""
    shape = (int(rng.integers(1, 6)), int(rng.integers(1, 5)))
    score = rng.normal(size=shape) if kind % 2 else np.log(rng.integers(1, 4, size=shape) / 4)
    score = score * (1e-7 if kind == 3 else 1.0)
    excluded = rng.random(shape) < 0.15
    excluded[np.arange(shape[0]), rng.integers(shape[1], size=shape[0])] = False
    score[excluded] = -np.inf
    ms = rng.random(shape) if kind > 1 else rng.integers(0, 4, size=shape) / 10
    params = rng.integers(1, 300_000, size=shape).astype(float)
    known = architectures(score)
    fast, large = (known[rng.integers(len(known))] for _ in range(2))
    # Summed in the plain order, which rounds differently from the exact sum.
    limit = sum([0.7, *ms[np.arange(shape[0]), fast].tolist()])
    least = total(params, large) + 1000 if rng.random() < 0.8 else params.max(axis=1).sum() * 1.01
    ms[excluded] = params[excluded] = np.nan
    return score, [Bound("latency", ms, limit, fixed=0.7), Bound("params", params, least, "at_least", 1000)]


@pytest.mark.parametrize("kind", range(4))
def test_equals_brute_force(kind: int) -> None:
    rng = np.random.default_rng(kind)
    outcomes = set()
    for _ in range(60):
        score, bounds = random_problem(rng, kind)
        known = architectures(score)
        kept = [a for a in known if all(b.holds(a) for b in bounds)]
        outcomes.add(bool(kept))
        if kept:
            best = solve(score, bounds)
            assert tuple(best) in kept
            assert total(score, best) == pytest.approx(max(total(score, a) for a in kept), rel=1e-12)
        else:
            with pytest.raises(Infeasible) as error:
                solve(score, bounds)
            fastest = [bounds[0].total(a) for a in known if bounds[1].holds(a)]
            largest = [bounds[1].total(a) for a in known if bounds[0].holds(a)]
            assert error.value.attainable == (min(fastest, default=None), max(largest, default=None))
    assert outcomes == {True, False}


@pytest.mark.parametrize("limit", [2500, 4200, 7000])
@pytest.mark.parametrize("correlated", [False, True])
def test_equals_dynamic_programming_on_a_full_size_space(correlated: bool, limit: int) -> None:
    rng = np.random.default_rng(limit)
    micros = rng.integers(50, 1000, size=(14, 12))
    # Scores that follow the costs make many architectures nearly equal: the hard knapsacks.
    score = (
        np.sqrt(micros) / 10 + 0.02 * rng.normal(size=(14, 12)) if correlated else rng.normal(size=(14, 12))
    )
    best = np.full(limit + 1, -np.inf)
    best[0] = 0.0
    for layer in range(14):
        reached = np.full_like(best, -np.inf)
        for choice, us in enumerate(micros[layer]):
            reached[us:] = np.maximum(reached[us:], best[:-us] + score[layer, choice])
        best = reached
    choices = solve(score, [Bound("latency", micros.astype(float), float(limit))])
    assert micros[np.arange(14), choices].sum() <= limit
    assert total(score, choices) == pytest.approx(best.max(), rel=1e-12)


def test_scores_nearer_than_the_solvers_gap_are_told_apart() -> None:
    rng = np.random.default_rng(4)
    micros = rng.permuted(np.tile(np.arange(12), (14, 1)), axis=1)
    score = np.round(rng.random((14, 12)), 3) * 1e-6
    dynamic = {0: 0.0}
    for layer in range(14):
        reached: dict[int, float] = {}
        for (us, value), choice in itertools.product(dynamic.items(), range(12)):
            key = us + int(micros[layer, choice])
            reached[key] = max(reached.get(key, -1.0), value + score[layer, choice])
        dynamic = reached
    best = max(value for us, value in dynamic.items() if us <= 40)
    choices = solve(score, [Bound("latency", micros.astype(float), 40.0)])
    assert total(score, choices) == pytest.approx(best, rel=1e-9)


def test_tolerance_is_relative_to_the_whole_sum() -> None:
    bound = Bound("latency", MS, 10_006 - 5e-6, fixed=10_000)
    assert solve(SCORE, [bound]).tolist() == [0, 2]
    beyond = Bound("latency", MS, 10_006 - 2e-5, fixed=10_000)
    assert solve(SCORE, [beyond]).tolist() == [0, 1]


def test_every_architecture_is_accepted_at_its_own_cost() -> None:
    rng = np.random.default_rng(1)
    ms = rng.random((14, 12))
    for _ in range(10):
        own = rng.integers(12, size=14)
        score = np.full((14, 12), -1.0)
        score[np.arange(14), own] = 0.0
        limit = float(sum(ms[np.arange(14), own])) + 3.3
        for sense in ("at_most", "at_least"):
            assert solve(score, [Bound("latency", ms, limit, sense, fixed=3.3)]).tolist() == own.tolist()


@pytest.mark.parametrize("sense", ["at_most", "at_least"])
def test_a_limit_missed_by_less_than_the_solvers_tolerance_is_missed(sense: str) -> None:
    sign = 1 if sense == "at_most" else -1
    ms = np.array([[1.0, 1.0 - 0.5 * sign]] * 3)
    score = np.array([[0.0, -1.0], [0.0, -2.0], [0.0, -3.0]])
    limit = 3.0 * (1 - sign * 1e-8)  # HiGHS alone takes (0, 0, 0) to be within this limit
    assert solve(score, [Bound("latency", ms, limit, sense)]).tolist() == [1, 0, 0]


def test_equal_scores_do_not_enumerate_the_architectures_just_past_the_limit() -> None:
    ms = np.array([[1.0, 2.0, 2.0 + 1e-9]] * 10)
    bound = Bound("latency", ms, 15.0 - 1e-7)  # thousands of architectures miss it by 1e-7
    assert bound.holds(solve(np.zeros((10, 3)), [bound]))


def test_gives_up_loudly_between_two_limits_a_rounding_apart() -> None:
    ms = np.array([[0.0, 1.0]] * 12)
    bounds = [Bound("latency", ms, 6.0), Bound("slowness", ms, 6.0 + 3e-7, "at_least")]
    with pytest.raises(RuntimeError, match=r"within rounding of a limit .*latency at most 6"):
        solve(np.zeros((12, 2)), bounds)


@pytest.mark.parametrize(
    ("score", "expected"),
    [([[-0.5]], [0]), ([[-np.inf, -3.0, -np.inf]], [1]), ([[0.0, 1.0], [5.0, -np.inf]], [1, 0])],
)
def test_smallest_spaces_and_excluded_choices(score: list[list[float]], expected: list[int]) -> None:
    choices = solve(np.array(score))
    assert choices.tolist() == expected
    assert choices.dtype == np.int64


def test_costs_of_very_different_size_and_constant_costs() -> None:
    bounds = [
        Bound("params", PARAMS * 1e9, 40e9),
        Bound("latency", MS * 1e-9, 5e-9),
        Bound("constant", np.full((2, 3), 7.0), 14.0),
    ]
    assert solve(SCORE, bounds).tolist() == [0, 0]


def test_infeasible_message() -> None:
    bounds = [
        Bound("latency", MS, 3.5, fixed=1.25, unit="ms"),
        Bound("params", PARAMS * 100_000, 5_200_000, "at_least"),
    ]
    with pytest.raises(Infeasible) as error:
        solve(SCORE, bounds)
    assert str(error.value) == (
        "no architecture has latency at most 3.5 ms and params at least 5,200,000: "
        "the lowest attainable latency with params at least 5,200,000 is 7.25 ms; "
        "the highest attainable params with latency at most 3.5 ms is 2,000,000"
    )
    assert error.value.attainable == (7.25, 2_000_000.0)


def test_the_attainable_value_that_is_told_can_be_asked_for() -> None:
    rng = np.random.default_rng(2)
    ms = rng.random((14, 12)) / 3
    bound = Bound("latency", ms, 0.1, unit="ms")
    with pytest.raises(Infeasible) as error:
        solve(np.zeros((14, 12)), [bound])
    told = float(str(error.value).split(" is ")[1].split(" ")[0])
    assert solve(np.zeros((14, 12)), [Bound("latency", ms, told)]).tolist() == ms.argmin(axis=1).tolist()


def test_infeasible_others_are_said_to_be() -> None:
    bounds = [Bound("latency", MS, 9.0), Bound("params", PARAMS, 61.0, "at_least")]
    with pytest.raises(Infeasible, match=r"none has even params at least 61; the highest .* is 60") as error:
        solve(SCORE, bounds)
    assert error.value.attainable == (None, 60.0)


@pytest.mark.parametrize(
    ("score", "bounds", "said"),
    [
        (np.zeros(3), [], r"\(L, C\) array, got shape \(3,\)"),
        (np.zeros((0, 3)), [], r"got shape \(0, 3\)"),
        (np.array([[0.0, np.nan], [np.inf, 0.0]]), [], r"\[\[0, 1\], \[1, 0\]\]"),
        (np.array([[0.0, 1.0], [-np.inf, -np.inf]]), [], r"layers \[1\] have no choice"),
        (SCORE, [Bound("ms", MS[:, :2], 1.0)], r"must have the score's shape \(2, 3\), got \(2, 2\)"),
        (SCORE, [Bound("ms", MS * [1, np.nan, 1], 1.0)], r"ms: values .* \[\[0, 1\], \[1, 1\]\]"),
        (SCORE, [Bound("ms", MS, math.nan, fixed=math.inf)], "ms: limit .*nan; ms: fixed .*inf"),
        (SCORE, [Bound("ms", MS, 1.0, "below")], "at_most or at_least, got 'below'"),  # type: ignore[arg-type]
    ],
)
def test_bad_input_is_named(score: np.ndarray, bounds: list[Bound], said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        solve(score, bounds)
    assert not isinstance(error.value, Infeasible)


def test_solver_failure_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    real = knapsack.milp

    def out_of_time(*args, **kwargs):
        kwargs["options"] = {**kwargs["options"], "time_limit": 0.0}
        return real(*args, **kwargs)

    monkeypatch.setattr(knapsack, "milp", out_of_time)
    rng = np.random.default_rng(3)
    bound = Bound("latency", rng.random((14, 12)), 3.0)
    with pytest.raises(RuntimeError, match="HiGHS failed with status 1"):
        solve(rng.normal(size=(14, 12)), [bound])


def test_bounds_that_are_each_beyond_reach_tell_the_range_of_both() -> None:
    bounds = [Bound("latency", MS, 0.1, unit="ms"), Bound("params", PARAMS, 61.0, "at_least")]
    with pytest.raises(Infeasible) as error:
        solve(SCORE, bounds)
    fastest = MS.min(axis=1).sum()
    assert f"the lowest attainable latency is {fastest:.11g} ms" in str(error.value)
    assert "the highest attainable params is 60" in str(error.value)
    assert error.value.attainable == (None, None)
