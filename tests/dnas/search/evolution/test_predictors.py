"""Predictors of quality: what they learn, how they judge themselves, and what noise teaches them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, spearmanr
from sklearn.kernel_ridge import KernelRidge

from dnas.search.evolution.predictors import Kind, Ridge, fit, normal_scores, one_hot

CHOICES = (4, 1, 3, 5, 2, 4, 3, 4)


def drawn(number: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(CHOICES, size=(number, len(CHOICES)))


def additive(genomes: np.ndarray) -> np.ndarray:
    table = np.random.default_rng(3).standard_normal((len(CHOICES), max(CHOICES)))
    return table[np.arange(len(CHOICES)), genomes].sum(axis=1)


def pairwise(genomes: np.ndarray) -> np.ndarray:
    """Of no gene alone: signs of two layers, multiplied."""
    signs = np.where(genomes % 2, 1.0, -1.0)
    return signs[:, 0] * signs[:, 3] + signs[:, 5] * signs[:, 7]


def noise(genomes: np.ndarray) -> np.ndarray:
    return np.random.default_rng(5).standard_normal(len(genomes))


def test_normal_scores_are_quantiles_at_ranks() -> None:
    scores = normal_scores(np.array([5.0, -1e9, 7.0, 5.0, 6.0]))
    # Blom's, with the mean rank of equals.
    np.testing.assert_allclose(scores, norm.ppf((np.array([2.5, 1, 5, 2.5, 4]) - 0.375) / 5.25))


def test_one_hot_has_a_column_for_every_choice() -> None:
    assert one_hot(np.array([[1, 0, 2], [0, 0, 0]]), (2, 1, 3)).tolist() == [
        [0, 1, 1, 0, 0, 1],
        [1, 0, 1, 1, 0, 0],
    ]


@pytest.mark.parametrize("kind", ["ridge", "trees", "auto"])
def test_it_ranks_unseen_genomes_of_an_additive_quality(kind: Kind) -> None:
    genomes, unseen = drawn(150), drawn(300, seed=1)
    predictor = fit(kind, CHOICES, genomes, additive(genomes))
    predicted = predictor.predict(unseen)
    assert spearmanr(predicted.mean, additive(unseen)).statistic > 0.9
    assert predictor.correlation > 0.85
    assert predicted.spread.shape == (300,)
    assert (predicted.spread >= 0).all()
    assert predicted.spread.max() > predicted.spread.min()


@pytest.mark.parametrize("kind", ["ridge", "trees"])
def test_it_learns_what_pairs_of_genes_do(kind: Kind) -> None:
    genomes, unseen = drawn(400), drawn(300, seed=1)
    predictor = fit(kind, CHOICES, genomes, pairwise(genomes))
    assert spearmanr(predictor.predict(unseen).mean, pairwise(unseen)).statistic > 0.6


def test_pairs_count_only_where_they_explain_something() -> None:
    genomes = drawn(200)
    assert fit("ridge", CHOICES, genomes, additive(genomes)).pairs == 0  # type: ignore[attr-defined]
    assert fit("ridge", CHOICES, genomes, pairwise(genomes)).pairs > 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("quality", [additive, pairwise, noise])
def test_leave_one_out_is_what_refits_give(quality) -> None:
    """One eigendecomposition instead of as many fits as there are genomes, against scikit-learn's."""
    genomes = drawn(40)
    scores = normal_scores(quality(genomes))
    ridge = Ridge(CHOICES, genomes, scores)
    share = one_hot(genomes, CHOICES) @ one_hot(genomes, CHOICES).T / len(CHOICES)
    kernel = (1 - ridge.pairs) * share + ridge.pairs * share**2
    mean, left_out = scores.mean(), []
    for row in range(len(scores)):
        rest = np.delete(np.arange(len(scores)), row)
        other = KernelRidge(kernel="precomputed", alpha=ridge.penalty)
        other.fit(kernel[np.ix_(rest, rest)], scores[rest] - mean)
        left_out.append(mean + other.predict(kernel[row, rest][None])[0])
    assert ridge.correlation == pytest.approx(spearmanr(left_out, scores).statistic, abs=1e-12)


def test_the_spread_is_smaller_where_more_is_known() -> None:
    genomes = drawn(60)
    ridge = fit("ridge", CHOICES, genomes, additive(genomes))
    assert ridge.predict(genomes).spread.mean() < ridge.predict(drawn(200, seed=1)).spread.mean()


@pytest.mark.parametrize("kind", ["ridge", "trees", "auto"])
def test_noise_is_not_learned(kind: Kind) -> None:
    genomes = drawn(300)
    assert fit(kind, CHOICES, genomes, noise(genomes)).correlation < 0.15


@pytest.mark.parametrize("kind", ["ridge", "trees", "auto"])
@pytest.mark.parametrize("number", [4, 30])
def test_a_constant_quality_and_few_genomes_give_finite_predictions(kind: Kind, number: int) -> None:
    predictor = fit(kind, CHOICES, drawn(number), np.full(number, 0.5))
    assert predictor.correlation == 0
    assert all(np.isfinite(each).all() for each in predictor.predict(drawn(5, seed=1)))


def test_auto_is_the_one_that_ranks_better() -> None:
    for quality in (additive, pairwise):
        genomes = drawn(120)
        fitted = {kind: fit(kind, CHOICES, genomes, quality(genomes)) for kind in ("ridge", "trees", "auto")}
        better = max(fitted["ridge"], fitted["trees"], key=lambda each: each.correlation)
        assert (fitted["auto"].name, fitted["auto"].correlation) == (better.name, better.correlation)


def test_fits_are_repeated_bit_for_bit() -> None:
    genomes = drawn(80)
    for kind in ("ridge", "trees"):
        first, second = (fit(kind, CHOICES, genomes, additive(genomes)).predict(drawn(9, 1)) for _ in "ab")
        np.testing.assert_array_equal(first, second)
