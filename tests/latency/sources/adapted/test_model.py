"""Synthetic phones are found again, and intervals hold what they promise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from latency.sources.adapted.model import LEAST, Spread, adapt, log_evidence

SPREAD = Spread(phones=0.5, kinds=0.3, overhead=0.7, noise=0.03)
Parts = Callable[..., np.ndarray]


def test_a_mixture_of_known_phones_is_found_again(make_parts: Parts) -> None:
    parts = make_parts()
    truth = np.einsum("p,pnk->n", [0.6, 0.0, 0.1, 0.3], parts)
    found = adapt(parts[:, :20], truth[:20], Spread(0.5, 0.3, 0.7, noise=0.002))
    assert np.abs(found.latency_ms(parts) / truth - 1)[20:].mean() < 0.015
    # Beside it, the mean of the known phones times one factor.
    mean = parts.sum(axis=2).mean(axis=0)
    factor = np.mean(truth[:20] / mean[:20])
    assert np.abs(factor * mean / truth - 1)[20:].mean() > 0.05


def test_a_kind_of_kernels_that_runs_twice_as_fast(make_parts: Parts) -> None:
    parts = make_parts(phones=1)
    truth = parts[0].copy()
    truth[:, 2] /= 2
    found = adapt(parts[:, :20], truth[:20].sum(axis=1), Spread(0.5, 0.5, 0.7, noise=0.002))
    np.testing.assert_allclose(found.parts_ms(parts)[20:], truth[20:], rtol=0.02)


@pytest.mark.parametrize("factor", [1e-3, 1.0, 1e3])
def test_one_factor_is_a_change_of_scale(make_parts: Parts, factor: float) -> None:
    parts = make_parts()
    truth = parts[0, :10].sum(axis=1)
    plain = adapt(parts[:, :10], truth, SPREAD).latency_ms(parts)
    np.testing.assert_allclose(adapt(parts[:, :10], factor * truth, SPREAD).latency_ms(parts), factor * plain)
    known = parts * np.array([factor, 1, 1, 1])[:, None, None]
    np.testing.assert_allclose(adapt(known[:, :10], truth, SPREAD).latency_ms(known), plain)


def test_parts_add_up_and_nothing_is_free(make_parts: Parts) -> None:
    parts = make_parts(phones=1)
    truth = parts[0].copy()
    truth[:, 1] = 0
    found = adapt(parts, truth.sum(axis=1), Spread(0.5, 2.0, 0.7, noise=0.002))
    by_kind = found.parts_ms(parts)
    np.testing.assert_allclose(by_kind[:, 1], LEAST * parts[0, :, 1] * found.scale[0])
    np.testing.assert_allclose(by_kind.sum(axis=1), found.latency_ms(parts))
    assert found.held(parts).all()
    assert not found.held(np.where(np.arange(4) == 1, 0.0, parts)).any()


@pytest.mark.parametrize("timings", [5, 20])
def test_intervals_cover_phones_drawn_from_the_prior(make_parts: Parts, timings: int) -> None:
    """90 % intervals of 120 phones with 40 networks each; what they know of the noise is only its order."""
    parts = make_parts()
    generator = np.random.default_rng(1)
    normed = parts / parts.sum(axis=2).mean(axis=1)[:, None, None]
    kinds = normed.mean(axis=0)
    inside = []
    for _ in range(120):
        phones = 0.25 + SPREAD.phones * 0.3 * generator.standard_normal(4)
        factors = SPREAD.kinds * generator.standard_normal(4)
        exact = np.einsum("p,pnk->n", phones / phones.sum(), normed) + kinds @ factors
        noisy = exact * (1 + SPREAD.noise * generator.standard_normal(len(exact)))
        found = adapt(parts[:, :timings], noisy[:timings], SPREAD)
        ms = found.latency_ms(parts)
        sigma = np.hypot(found.deviation_ms(parts), found.noise * ms)
        inside.append(np.mean(np.abs(noisy - ms)[20:] <= 1.645 * sigma[20:]))
    assert 0.85 < np.mean(inside) < 0.97


def test_more_timings_leave_less_open(make_parts: Parts) -> None:
    parts = make_parts()
    truth = parts[0].sum(axis=1)
    few, many = (adapt(parts[:, :n], truth[:n], SPREAD).deviation_ms(parts).mean() for n in (5, 20))
    assert many < 0.8 * few


def test_the_noise_is_learned_from_the_timings(make_parts: Parts) -> None:
    parts = make_parts()
    truth = parts.mean(axis=0).sum(axis=1)[:20]
    noisy = truth * np.exp(0.1 * np.random.default_rng(0).standard_normal(20))
    assert (
        adapt(parts[:, :20], truth, SPREAD).noise < SPREAD.noise < adapt(parts[:, :20], noisy, SPREAD).noise
    )


def test_the_overhead_has_a_variance_of_its_own() -> None:
    assert SPREAD.variances(phones=2, columns=3) == pytest.approx([0.25, 0.25, 0.49, 0.09, 0.09])


def test_the_evidence_is_the_normal_one() -> None:
    covariance, relative = np.array([[0.04, 0.01], [0.01, 0.09]]), np.array([0.1, -0.2])
    total = covariance + 0.01 * np.eye(2)
    expected = -(relative @ np.linalg.inv(total) @ relative + np.log(np.linalg.det(total))) / 2
    assert log_evidence(covariance, relative, 0.1) == pytest.approx(expected)
