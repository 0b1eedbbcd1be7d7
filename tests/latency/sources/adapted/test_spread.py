"""How much phones differ is read off the known ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from latency.sources.adapted.spread import ADDITIVITY, ASSUMED_OF_ONE, learn

Parts = Callable[..., np.ndarray]


def test_phones_that_differ_more_in_their_kinds_are_believed_less(make_parts: Parts) -> None:
    parts = make_parts(phones=5)
    shared = parts.mean(axis=0)
    factors = np.random.default_rng(0).standard_normal((5, 1, 4))
    alike, apart = (learn(shared * np.exp(spread * factors)) for spread in (0.05, 0.8))
    assert alike.kinds < apart.kinds


def test_networks_that_no_mixture_explains_are_noise(make_parts: Parts) -> None:
    parts = make_parts(phones=5)
    shared = parts.mean(axis=0)
    own = np.random.default_rng(0).standard_normal((5, 60, 1))
    quiet, noisy = (learn(shared * np.exp(spread * own)) for spread in (0.01, 0.2))
    assert ADDITIVITY <= quiet.noise < 0.05 < 0.1 < noisy.noise


def test_one_phone_leaves_nothing_to_compare(make_parts: Parts) -> None:
    assert learn(make_parts(phones=1)) == ASSUMED_OF_ONE


def test_two_phones_and_equal_networks_are_no_trouble(make_parts: Parts) -> None:
    parts = make_parts(phones=2, networks=1).repeat(8, axis=1)
    found = learn(parts)
    assert all(np.isfinite([found.phones, found.kinds, found.overhead, found.noise]))


def test_it_is_deterministic(make_parts: Parts) -> None:
    assert learn(make_parts()) == learn(make_parts())
