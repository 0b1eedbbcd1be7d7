"""What a perfect ranker can reach: nothing without images, everything with enough, FACTS' figures between."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from dnas.fidelity.noise import best_tau


def best(top1: np.ndarray, images: int, reference_images: int = 0) -> tuple[float, float, float]:
    return best_tau(top1, images, reference_images, np.random.default_rng(0))


def test_more_images_rank_better() -> None:
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


def test_it_is_repeatable() -> None:
    top1 = np.array([0.8, 0.85, 0.9])
    assert best(top1, 50) == best(top1, 50)
