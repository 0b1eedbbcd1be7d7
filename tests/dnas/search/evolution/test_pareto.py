"""Dominance, ranks and weighted crowding: by hand, against pymoo and moocore, and what never changes."""

from __future__ import annotations

import moocore
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pymoo.operators.survival.rank_and_crowding.metrics import FunctionalDiversity, calc_crowding_distance
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

from dnas.search.evolution.pareto import (
    _fronts_one_by_one,
    costs_of,
    crowding,
    no_worse,
    non_dominated,
    ranks,
    weight_ratios,
)

NAN, INF = np.nan, np.inf
# Few distinct numbers: ties and repeated rows are common.
TIED = arrays(np.float64, st.tuples(st.integers(1, 25), st.integers(1, 3)), elements=st.integers(0, 6))
ANY = arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(1, 3)))


def test_costs_are_lower_where_values_are_better() -> None:
    assert costs_of([[1.0, 2.0], [-3.0, INF]], [True, False]).tolist() == [[-1.0, 2.0], [3.0, INF]]


@pytest.mark.parametrize("values", [[1.0, 2.0], [[1.0]], [[[1.0, 2.0]]]])
def test_costs_of_other_shapes_are_refused(values: object) -> None:
    with pytest.raises(ValueError, match=r"shape \(n, 2\), as maximize"):
        costs_of(np.array(values), [True, False])


def test_no_worse_by_hand() -> None:
    first, second = np.array([[1.0, 2.0], [0.0, 3.0]]), np.array([[1.0, 2.0], [1.0, 3.0], [NAN, 9.0]])
    assert no_worse(first, second).tolist() == [[True, True, False], [False, True, False]]
    assert no_worse(first, second[:0]).shape == (2, 0)


def test_non_dominated_by_hand() -> None:
    top1_and_ms = np.array(
        [[0.7, 9.0], [0.8, 9.0], [0.8, 9.0], [0.6, 5.0], [0.9, NAN], [NAN, 1.0], [0.5, 5.0]]
    )
    expected = [False, True, True, True, False, False, False]
    assert non_dominated(top1_and_ms, [True, False]).tolist() == expected


def test_ranks_by_hand() -> None:
    costs = np.array([[1, 4], [2, 2], [4, 1], [2, 5], [4, 4], [5, 5], [2, 2]])
    assert ranks(costs).tolist() == [0, 0, 0, 1, 1, 2, 0]


def test_infinite_costs_compare_as_numbers_do() -> None:
    assert ranks(np.array([[INF, 0.0], [1.0, 1.0], [INF, 1.0], [-INF, INF]])).tolist() == [0, 0, 1, 0]


def test_rank_of_nan_is_after_all_fronts_and_before_the_infeasible() -> None:
    costs = np.array([[NAN, 0.0], [1.0, 1.0], [0.0, 0.0], [2.0, 2.0], [NAN, NAN], [-9.0, -9.0], [NAN, NAN]])
    violations = np.array([0, 0, 3.0, 0, 0, 0.5, 3.0])
    assert ranks(costs, violations).tolist() == [2, 0, 4, 1, 2, 3, 4]
    assert ranks(costs).tolist() == [4, 2, 1, 3, 4, 0, 4]


def test_ranks_end_when_enough_rows_have_one() -> None:
    costs = np.array([[1, 4], [2, 2], [4, 1], [2, 5], [4, 4], [5, 5], [6, 6], [NAN, 0]])
    assert ranks(costs, enough=3).tolist() == [0, 0, 0, 1, 1, 1, 1, 2]
    assert ranks(costs, enough=4).tolist() == ranks(costs, enough=5).tolist() == [0, 0, 0, 1, 1, 2, 2, 3]
    assert ranks(costs[:7], np.array([0, 0, 0, 0, 0, 0, 1]), enough=1).tolist() == [0, 0, 0, 1, 1, 1, 2]


def test_ranks_without_any_feasible_row_and_without_any_row() -> None:
    assert ranks(np.zeros((3, 2)), np.array([2.0, INF, 1.0])).tolist() == [1, 2, 0]
    assert ranks(np.full((2, 2), NAN)).tolist() == [0, 0]
    assert ranks(np.empty((0, 2))).tolist() == []


@settings(deadline=None)
@given(TIED)
def test_ranks_and_fronts_are_those_of_pymoo_and_moocore(costs: np.ndarray) -> None:
    found = ranks(costs)
    fronts = NonDominatedSorting().do(costs)
    assert [set(front) for front in fronts] == [
        set(np.flatnonzero(found == number)) for number in range(found.max() + 1)
    ]
    assert found.tolist() == moocore.pareto_rank(costs).tolist()
    maximize = [True, False, True][: costs.shape[1]]
    best = moocore.is_nondominated(costs, maximise=maximize, keep_weakly=True)
    assert non_dominated(costs, maximize).tolist() == best.tolist()


@settings(deadline=None)
@given(TIED, st.randoms())
def test_ranks_follow_permutations_and_ignore_scales(costs: np.ndarray, random) -> None:
    order = np.array(random.sample(range(len(costs)), len(costs)))
    assert ranks(costs[order]).tolist() == ranks(costs)[order].tolist()
    assert ranks(np.exp(costs) * 3 - 7).tolist() == ranks(costs).tolist()
    assert ranks(costs[:, ::-1]).tolist() == ranks(costs).tolist()


def test_crowding_by_hand() -> None:
    costs = np.array([[0.0, 10.0], [1.0, 6.0], [3.0, 5.0], [10.0, 0.0]])
    # Gaps of rows 1 and 2: (3 - 0) / 10 and (10 - 5) / 10; (10 - 1) / 10 and (6 - 0) / 10.
    rank = np.zeros(4, dtype=int)
    np.testing.assert_allclose(crowding(costs, rank), [INF, 0.4, 0.75, INF])
    np.testing.assert_allclose(crowding(costs, rank, (3, 1)), [INF, (0.9 + 0.5) / 4, (2.7 + 0.6) / 4, INF])
    np.testing.assert_allclose(crowding(costs, rank, (0, 2)), [INF, 0.5, 0.6, INF])


def test_an_objective_of_weight_0_has_no_ends() -> None:
    # Row 0 is an end of the third objective alone.
    costs = np.array([[1.0, 1.0, 0.0], [0.0, 2.0, 1.0], [2.0, 0.0, 2.0], [1.5, 0.5, 1.5]])
    rank = np.zeros(4, dtype=int)
    assert np.isinf(crowding(costs, rank, (1, 1, 1e-9))).tolist() == [True, True, True, False]
    assert np.isinf(crowding(costs, rank, (1, 1, 0))).tolist() == [False, True, True, False]


def test_each_rank_has_crowding_of_its_own() -> None:
    generator = np.random.default_rng(0)
    costs, rank = generator.random((30, 3)), generator.integers(0, 4, 30) * 2
    found = crowding(costs, rank, (2, 2, 1))
    for group in np.unique(rank):
        rows = rank == group
        alone = crowding(costs[rows], np.zeros(rows.sum(), dtype=int), (2, 2, 1))
        assert found[rows].tolist() == alone.tolist()


@pytest.mark.parametrize(
    ("costs", "expected"),
    [
        ([[5.0, 5.0]], [INF]),
        ([[5.0, 5.0], [5.0, 5.0], [5.0, 5.0]], [INF, 0.0, 0.0]),
        ([[0.0, 1.0], [1.0, 0.0]], [INF, INF]),
        # The second row repeats the first: as if it were not there.
        ([[0.0, 2.0], [0.0, 2.0], [1.0, 1.0], [2.0, 0.0]], [INF, 0.0, 1.0, INF]),
        # The second objective is the same everywhere.
        ([[0.0, 7.0], [1.0, 7.0], [4.0, 7.0]], [INF, 0.5, INF]),
        # Ties in the first objective: the first row is its lower end; in the second row 1 is an end too.
        ([[0.0, 1.0], [0.0, 0.0], [1.0, 2.0], [0.5, 1.5]], [INF, INF, INF, 0.75]),
    ],
)
def test_crowding_of_ties_and_repeated_rows(costs: list[list[float]], expected: list[float]) -> None:
    np.testing.assert_allclose(crowding(np.array(costs), np.zeros(len(costs), dtype=int)), expected)


def test_crowding_of_nan_and_infinite_costs() -> None:
    costs = np.array([[NAN, 0.0], [0.0, 4.0], [1.0, 3.0], [-INF, 8.0], [2.0, -INF], [1.5, 2.0]])
    # As if -inf were 0 in the first objective (an equal of row 1, sorted after it) and 2 in the second.
    finite = np.array([[0.0, 4.0], [1.0, 3.0], [0.0, 8.0], [2.0, 2.0], [1.5, 2.0]])
    found = crowding(costs, np.zeros(6, dtype=int))
    assert found[0] == 0
    assert found[1:].tolist() == crowding(finite, np.zeros(5, dtype=int)).tolist()


def test_infinite_costs_count_as_the_extremes_of_their_own_rank() -> None:
    costs = np.array([[0, 3], [1, 2], [3, 1], [INF, 0], [50, 90], [60, 80], [99, 70]])
    finite = np.where(np.isinf(costs), 3, costs)
    rank = np.array([0, 0, 0, 0, 1, 1, 1])
    assert crowding(costs, rank).tolist() == crowding(finite, rank).tolist()


def test_the_largest_numbers_do_not_overflow() -> None:
    most = np.finfo(np.float64).max
    costs = np.array([[-most, most], [0.0, 0.0], [most, -most]])
    assert crowding(costs, np.zeros(3, dtype=int)).tolist() == [INF, 1.0, INF]


@settings(deadline=None)
@given(ANY)
def test_crowding_of_anything_is_a_distance(costs: np.ndarray) -> None:
    for violations in (None, np.arange(len(costs)) % 2.0):
        rank = ranks(costs, violations)
        found = crowding(costs, rank, (2, 1, 3)[: costs.shape[1]])
        assert (found >= 0).all()
        assert (found[np.isnan(costs).any(axis=1)] == 0).all()


@settings(deadline=None)
@given(TIED.filter(lambda costs: len(np.unique(costs, axis=0)) > 1 and len(costs) > 2))
def test_equal_weights_are_the_standard_crowding_of_pymoo(costs: np.ndarray) -> None:
    standard = FunctionalDiversity(calc_crowding_distance, filter_out_duplicates=True).do(costs)
    found = crowding(costs, np.zeros(len(costs), dtype=int))
    np.testing.assert_allclose(found, standard, rtol=1e-12)


@settings(deadline=None)
@given(TIED, st.floats(1e-3, 1e3))
def test_equal_weights_change_nothing_to_the_last_bit(costs: np.ndarray, weight: float) -> None:
    rank = ranks(costs)
    equal = crowding(costs, rank, (weight,) * costs.shape[1])
    assert equal.tolist() == crowding(costs, rank).tolist()


@settings(deadline=None)
@given(
    arrays(
        np.float64, st.tuples(st.integers(1, 20), st.just(3)), elements=st.integers(0, 2**40), unique=True
    ),
    st.randoms(),
)
def test_crowding_without_ties_follows_permutations(costs: np.ndarray, random) -> None:
    order = np.array(random.sample(range(len(costs)), len(costs)))
    rank = ranks(costs)
    assert (
        crowding(costs[order], rank[order], (2, 2, 1)).tolist()
        == crowding(costs, rank, (2, 2, 1))[order].tolist()
    )


def test_weight_ratios() -> None:
    assert weight_ratios((2, 2, 1), 3).tolist() == [1.0, 1.0, 0.5]
    assert weight_ratios((0.1, 0.1, 0.1), 3).tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "weights", [(1, 1), (1, 1, -1), (1, NAN, 1), (1, INF, 1), (0, 0, 0), 1, ((1, 1, 1),)]
)
def test_other_weights_are_refused(weights: object) -> None:
    with pytest.raises(ValueError, match=r"weights must be 3 finite numbers.*not all 0; got"):
        weight_ratios(weights, 3)


@given(
    costs=arrays(
        float, st.tuples(st.integers(1, 40), st.integers(1, 4)), elements=st.integers(0, 4).map(float)
    )
)
def test_fronts_row_after_row_are_those_of_all_pairs(costs: np.ndarray) -> None:
    for enough in (0, 1, len(costs) // 2, len(costs)):
        one_by_one = _fronts_one_by_one(costs, enough)
        np.testing.assert_array_equal(one_by_one, ranks(costs, enough=enough))
