"""Block effects from whole networks: recovered, with honest errors, or refused."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from dnas.space import SearchSpace
from latency.analysis.profile.effects import cross_validated, fit_effects, unknowns
from latency.table.errors import TableError

TRUE = np.array([[1.0, 3.0, 5.0, 8.0], [0.5, 0.5, 2.0, 1.0], [4.0, 3.0, 2.0, 1.0], [7.0, 0.0, 0.0, 0.0]])


@pytest.fixture
def everyone() -> np.ndarray:
    return np.array([(*row, 0) for row in product(range(4), repeat=3)])


def values_of(genomes: np.ndarray) -> np.ndarray:
    return 10 + TRUE[np.arange(4), genomes].sum(axis=1)


def test_exact_without_noise(factorial: SearchSpace) -> None:
    genomes = np.random.default_rng(0).integers(factorial.num_choices, size=(30, 4))
    found = fit_effects(np.unique(genomes, axis=0), values_of(np.unique(genomes, axis=0)), factorial)
    centred = TRUE - np.where(factorial.valid, TRUE, 0).sum(axis=1, keepdims=True) / factorial.valid.sum(
        axis=1, keepdims=True
    )
    np.testing.assert_allclose(found.effect, np.where(factorial.valid, centred, 0), atol=1e-12)
    assert found.mean == pytest.approx(10 + 4.25 + 1 + 2.5 + 7)
    assert found.noise == pytest.approx(0, abs=1e-12) and found.explained == pytest.approx(1)
    unseen = np.array([(*row, 0) for row in product(range(4), repeat=3)])
    np.testing.assert_allclose(found.predict(unseen), values_of(unseen))


def test_intervals_hold_as_often_as_they_say(factorial: SearchSpace, everyone: np.ndarray) -> None:
    rng, centred = np.random.default_rng(0), TRUE - TRUE.mean(axis=1, keepdims=True)
    inside = []
    for _ in range(300):
        chosen = everyone[rng.choice(len(everyone), 35, replace=False)]
        found = fit_effects(chosen, values_of(chosen) + rng.normal(0, 0.7, 35), factorial)
        inside.append(np.abs(found.effect - centred)[:3] <= found.half_width(0.9)[:3])
    assert np.mean(inside) == pytest.approx(0.9, abs=0.015)


def test_differences_have_the_error_of_dummy_coding(factorial: SearchSpace, everyone: np.ndarray) -> None:
    """The same regression in another coding: columns for all but a layer's first choice."""
    rng = np.random.default_rng(1)
    chosen = everyone[rng.choice(len(everyone), 40, replace=False)]
    values = values_of(chosen) + rng.normal(0, 0.5, 40)
    design = np.hstack([np.ones((40, 1)), *((chosen[:, [i]] == np.arange(1, 4)) for i in range(3))])
    weights, squares, *_ = np.linalg.lstsq(design, values, rcond=None)
    error = np.sqrt(squares[0] / 30 * np.diag(np.linalg.inv(design.T @ design)))
    found = fit_effects(chosen, values, factorial)
    assert found.freedom == 30
    assert found.noise == pytest.approx(np.sqrt(squares[0] / 30))
    # Student's t with 30 degrees of freedom: 95 % lie below 1.69726.
    expected = weights[4] + 1.69726 * error[4]
    assert found.upper_difference(1, 1, 0, 0.95) == pytest.approx(expected, rel=1e-5)
    assert found.upper_difference(1, 2, 2, 0.95) == 0


def test_seen_counts_networks(factorial: SearchSpace, everyone: np.ndarray) -> None:
    found = fit_effects(everyone, values_of(everyone), factorial)
    assert found.seen.tolist() == [[16] * 4] * 3 + [[64, 0, 0, 0]]


def test_choices_never_seen_are_named(factorial: SearchSpace, everyone: np.ndarray) -> None:
    partial = everyone[(everyone[:, 0] != 2) & (everyone[:, 2] < 2)]
    with pytest.raises(
        TableError, match=r"in none of them: L1 E2K3; L3 E2K3 E2K5\. Add random networks; about 33"
    ):
        fit_effects(partial, values_of(partial), factorial)


def test_too_few_networks(factorial: SearchSpace, everyone: np.ndarray) -> None:
    assert unknowns(factorial) == 10
    diagonal = np.array([[i, i, i, 0] for i in range(4)])
    with pytest.raises(
        TableError, match=r"4 different networks .* at least 11 different networks are needed"
    ):
        fit_effects(diagonal, values_of(diagonal), factorial)


def test_layers_that_change_together_are_named(factorial: SearchSpace) -> None:
    together = np.array([(a, a, b, 0) for a in range(4) for b in range(4)])
    with pytest.raises(TableError, match="choices of L1, L2 only ever change together"):
        fit_effects(together, values_of(together), factorial)


def test_cross_validation_leaves_a_network_out_of_its_own_prediction(
    factorial: SearchSpace, everyone: np.ndarray
) -> None:
    values = values_of(everyone)
    found = cross_validated(everyone, values, factorial, 8, np.random.default_rng(0))
    np.testing.assert_allclose(found, values)
    changed = values.copy()
    changed[5] += 100
    again = cross_validated(everyone, changed, factorial, 8, np.random.default_rng(0))
    assert again[5] == pytest.approx(values[5])
    assert np.abs(again - values).max() > 1


@pytest.mark.parametrize("folds", [0, 1, 65])
def test_impossible_folds(factorial: SearchSpace, everyone: np.ndarray, folds: int) -> None:
    with pytest.raises(TableError, match=f"{folds} folds of 64 networks"):
        cross_validated(everyone, values_of(everyone), factorial, folds, np.random.default_rng(0))


def test_a_fold_that_leaves_too_little(factorial: SearchSpace, everyone: np.ndarray) -> None:
    chosen = everyone[np.random.default_rng(0).permutation(64)[:18]]
    with pytest.raises(
        TableError, match="Cross-validation with 2 folds is not possible: 9 different networks"
    ):
        cross_validated(chosen, values_of(chosen), factorial, 2, np.random.default_rng(0))


@pytest.mark.parametrize("confidence", [0, 1, 95, float("nan")])
def test_confidence_is_a_fraction(factorial: SearchSpace, everyone: np.ndarray, confidence: float) -> None:
    with pytest.raises(TableError, match=r"fraction between 0 and 1, for instance 0\.95"):
        fit_effects(everyone, values_of(everyone), factorial).half_width(confidence)
