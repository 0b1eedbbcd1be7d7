"""Rank correlations: scipy's values, hand cases, ties, samples weighted as if written out, coverage.

What a perfect ranker can reach: nothing without images, everything with enough, FACTS' figures between.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import kendalltau, norm, spearmanr

from dnas.fidelity.correlation import Interval, best_tau, correlate, difference, percentiles, resample

INF, NAN = math.inf, math.nan


def each_once(n: int) -> np.ndarray:
    return np.ones((1, n), dtype=np.int64)


@pytest.mark.parametrize(
    ("x", "y", "tau", "rho"),
    [
        ([1, 2, 3], [10, 20, 30], 1.0, 1.0),
        ([1, 2, 3], [3, 2, 1], -1.0, -1.0),
        ([1, 2, 3, 4], [1, 2, 4, 3], 4 / 6, 0.8),
        # Of 6 pairs one is tied in x; of the other five all agree: 5 / sqrt(5 * 6).
        ([1, 1, 2, 3], [1, 2, 3, 4], 5 / math.sqrt(30), None),
        ([-INF, 0, INF], [1, 2, 3], 1.0, 1.0),
    ],
)
def test_hand_cases(x: list[float], y: list[float], tau: float, rho: float | None) -> None:
    found = correlate(x, y, each_once(len(x)))
    assert found.tau.value == pytest.approx(tau)
    assert rho is None or found.rho.value == pytest.approx(rho)
    assert found.n == len(x)


def test_samples_are_those_of_scipy_written_out() -> None:
    generator = np.random.default_rng(0)
    # More rows than are in memory at once, and many ties.
    x, y = generator.integers(0, 40, (2, 300)).astype(float)
    counts = resample(300, generator, samples=5)
    found = correlate(x, y, counts)
    written_out = [(np.repeat(x, row), np.repeat(y, row)) for row in counts]
    np.testing.assert_allclose(found.taus, [kendalltau(*each).statistic for each in written_out])
    rhos = [spearmanr(*each).statistic for each in written_out]
    assert found.rho[1:] == pytest.approx(np.quantile(rhos, (0.025, 0.975)))
    assert found.tau.value == pytest.approx(kendalltau(x, y).statistic)
    assert found.rho.value == pytest.approx(spearmanr(x, y).statistic)


def test_samples_are_architectures_with_replacement() -> None:
    counts = resample(10, np.random.default_rng(0), samples=4000)
    assert counts.shape == (4000, 10) and (counts.sum(axis=1) == 10).all()
    np.testing.assert_allclose(counts.mean(axis=0), 1, atol=0.06)
    np.testing.assert_allclose((counts == 0).mean(), 0.9**10, atol=0.01)
    assert (counts == resample(10, np.random.default_rng(0), samples=4000)).all()


@pytest.mark.parametrize("x", [[3.0, 3.0, 3.0, 3.0], [-INF] * 4])
def test_a_constant_has_no_correlation(x: list[float]) -> None:
    found = correlate(x, [1, 2, 3, 4], resample(4, np.random.default_rng(0)))
    assert not found.tau.defined and not found.rho.defined
    assert str(found.tau) == "undefined" and all(map(math.isnan, found.tau))
    assert not correlate([1, 2, 3, 4], x, each_once(4)).tau.defined


def test_samples_that_happen_to_be_constant_are_left_out() -> None:
    counts = np.array([[3, 0, 0], [1, 1, 1], [0, 1, 2]])
    found = correlate([1, 2, 3], [1, 3, 2], counts)
    np.testing.assert_allclose(found.taus, [NAN, 1 / 3, -1])
    assert found.tau == pytest.approx(Interval(1 / 3, -1 + 0.025 * 4 / 3, 1 / 3 - 0.025 * 4 / 3))


@pytest.mark.parametrize("n", [0, 1, 2])
def test_fewer_than_three_architectures(n: int) -> None:
    with pytest.raises(ValueError, match=f"at least 3 architectures, got {n}"):
        correlate(range(n), range(n), each_once(n))


def test_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        correlate([1, NAN, 3], [1, 2, 3], each_once(3))


def test_the_interval_covers_the_true_tau_about_as_often_as_it_says() -> None:
    """Of two normals with correlation r, tau is 2/pi arcsin r."""
    generator, r = np.random.default_rng(1), 0.5
    true, covered = 2 / math.pi * math.asin(r), 0
    for _ in range(300):
        x, noise = generator.standard_normal((2, 40))
        tau = correlate(x, r * x + math.sqrt(1 - r * r) * noise, resample(40, generator, 300)).tau
        covered += tau.low <= true <= tau.high
    assert 0.90 <= covered / 300 <= 0.98


def test_a_difference_is_paired() -> None:
    generator = np.random.default_rng(2)
    y = generator.standard_normal(40)
    good = y + 0.3 * generator.standard_normal(40)
    nearly, counts = good + 0.01 * generator.standard_normal(40), resample(40, generator)
    first, second = correlate(good, y, counts), correlate(nearly, y, counts)
    apart = difference(first, second)
    assert apart.value == pytest.approx(first.tau.value - second.tau.value)
    # Two predictors that nearly agree differ much less than each of them is uncertain.
    assert apart.high - apart.low < 0.2 * (first.tau.high - first.tau.low)
    assert difference(first, first) == Interval(0, 0, 0)
    assert not difference(first, correlate(np.ones(40), y, counts)).defined


def test_percentiles_of_nothing() -> None:
    assert all(map(math.isnan, percentiles(np.array([NAN, NAN]))))
    assert percentiles(np.arange(101.0)) == pytest.approx((2.5, 97.5))


def best(top1: np.ndarray, images: int, reference_images: int = 0) -> tuple[float, float, float]:
    return best_tau(top1, images, reference_images, np.random.default_rng(0))


def test_with_more_images_a_perfect_ranker_does_better() -> None:
    top1 = 0.9 + 0.01 * norm.ppf(np.linspace(0.01, 0.99, 25))
    taus = [best(top1, images)[0] for images in (100, 1000, 10_000, 10**8)]
    assert taus == sorted(taus) and taus[0] < 0.4 and taus[3] > 0.99


def test_the_simulation_is_that_of_two_normals_where_they_are_many() -> None:
    """Measured = true + noise: their correlation r gives tau = 2/pi arcsin r."""
    images = 3000
    top1 = 0.9 + 0.01 * norm.ppf((np.arange(200) + 0.5) / 200)
    share = top1.var() / (top1.var() + 0.9 * 0.1 / images)
    assert best(top1, images)[0] == pytest.approx(2 / np.pi * np.arcsin(np.sqrt(share)), abs=0.015)
    # With a reference that is measured on as many images, both have noise.
    assert best(top1, images, images)[0] == pytest.approx(2 / np.pi * np.arcsin(share), abs=0.015)


def test_the_interval_is_that_of_single_measurements() -> None:
    mean, low, high = best(np.array([0.8, 0.85, 0.9, 0.95]), 200)
    assert low < mean < high == 1.0


def test_equal_accuracies_have_no_order() -> None:
    assert all(np.isnan(best(np.full(5, 0.9), 100)))
    assert all(np.isnan(best(np.full(5, 0.9), 100, 100)))


def test_measurements_that_never_differ() -> None:
    assert all(np.isnan(best(np.array([0.0, 0.0, 1e-12]), 1)))


def test_the_simulation_is_repeatable() -> None:
    top1 = np.array([0.8, 0.85, 0.9])
    assert best(top1, 50) == best(top1, 50)
