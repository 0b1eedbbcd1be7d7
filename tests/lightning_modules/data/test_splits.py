"""Splits are disjoint, complete, seeded and stratified; impossible ones are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_modules.data.splits import fraction_problems, stratified_splits

FRACTIONS = {"test": 0.2, "val": 0.1, "alpha": 0.3}


def test_sizes_and_class_proportions() -> None:
    labels = np.repeat([0, 1, 2], [100, 200, 300])
    splits = stratified_splits(labels, FRACTIONS, seed=0)
    counts = {name: np.bincount(labels[indices]).tolist() for name, indices in splits.items()}
    assert counts == {
        "weights": [40, 80, 120],
        "test": [20, 40, 60],
        "val": [10, 20, 30],
        "alpha": [30, 60, 90],
    }


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.lists(st.integers(20, 40), min_size=2, max_size=5))
def test_disjoint_and_complete(seed: int, counts: list[int]) -> None:
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    splits = stratified_splits(labels, FRACTIONS, seed)
    assert sorted(np.concatenate(list(splits.values())).tolist()) == list(range(len(labels)))
    for name, fraction in FRACTIONS.items():
        assert len(splits[name]) == round(fraction * len(labels))


def test_seed_decides() -> None:
    labels = np.arange(200) % 4
    one, same, other = (stratified_splits(labels, FRACTIONS, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not any(np.array_equal(one[name], other[name]) for name in one)


def test_an_earlier_split_stays_when_a_later_fraction_changes() -> None:
    labels = np.arange(200) % 4
    splits = stratified_splits(labels, FRACTIONS, 0)
    changed = stratified_splits(labels, {**FRACTIONS, "alpha": 0.5}, 0)
    assert np.array_equal(splits["test"], changed["test"])
    assert np.array_equal(splits["val"], changed["val"])


def test_fraction_zero_is_an_empty_split() -> None:
    splits = stratified_splits([0, 1] * 10, {"val": 0.0, "alpha": 0.5}, 0)
    assert [len(splits[name]) for name in ("weights", "val", "alpha")] == [10, 0, 10]


@pytest.mark.parametrize(
    ("fractions", "expected"),
    [
        ({"alpha": 0.2, "val": 0.0}, []),
        ({"alpha": -0.1}, ["alpha_fraction must be in [0, 1), got -0.1"]),
        ({"alpha": 1.0, "val": 2}, ["alpha_fraction must be in [0, 1), got 1.0", "val_fraction must be"]),
        ({"alpha": float("nan")}, ["got nan"]),
        ({"alpha": 0.5, "val": 0.5}, ["leave nothing for the weights split: alpha 0.5 + val 0.5 >= 1"]),
    ],
)
def test_every_bad_fraction_is_named(fractions: dict[str, float], expected: list[str]) -> None:
    problems = fraction_problems(fractions)
    assert len(problems) == len(expected)
    assert all(part in problem for part, problem in zip(expected, problems, strict=True))


def test_bad_fractions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"alpha_fraction .* got 1.5"):
        stratified_splits([0, 1] * 10, {"alpha": 1.5}, 0)


def test_classes_too_small_for_the_splits_are_named() -> None:
    labels = [0] * 30 + [1] * 30 + [7] * 2
    with pytest.raises(ValueError, match=r"fewer than 3 images, one per split: 7 \(2\)"):
        stratified_splits(labels, {"val": 0.2, "alpha": 0.2}, 0)


def test_splits_too_small_for_the_classes_are_named() -> None:
    with pytest.raises(ValueError, match="split 'alpha' would hold 2 images, fewer than the 5 classes"):
        stratified_splits(np.arange(40) % 5, {"alpha": 0.05}, 0)
