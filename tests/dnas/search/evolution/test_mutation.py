"""Mutation always changes what it picks, at the rates and by the distributions that were asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnas.search.evolution.mutation import Mutation, Mutator, draw_others

CHOICES = (4, 1, 3, 2, 4)
NAN, INF = np.nan, np.inf
ALWAYS_PRIOR = Mutation(probability=1, random=0, reinforced=0, prior=1, gene_rate=1)
ALWAYS_REINFORCED = Mutation(probability=1, random=0, reinforced=1, prior=0, gene_rate=1, learning_rate=0.25)


def genomes(number: int, choices: tuple[int, ...] = CHOICES) -> np.ndarray:
    return np.random.default_rng(5).integers(np.array(choices), size=(number, len(choices)))


def frequencies(column: np.ndarray, width: int) -> np.ndarray:
    return np.bincount(column, minlength=width) / len(column)


@pytest.mark.parametrize(
    "mutation",
    [
        Mutation(probability=1, gene_rate=1),
        Mutation.only_random(probability=1, gene_rate=1),
        ALWAYS_PRIOR,
        ALWAYS_REINFORCED,
    ],
)
def test_every_gene_that_is_picked_changes_within_its_choices(mutation: Mutation) -> None:
    parents = genomes(500)
    # A prior that knows one choice only, everywhere: where that is the parent's, any other will do.
    mutator = Mutator(CHOICES, mutation, np.eye(4)[[0, 0, 2, 1, 3]])
    mutator.learn(np.zeros((7, 5), dtype=np.int64))
    before = parents.copy()
    mutated = mutator.mutate(parents, np.random.default_rng(0))
    assert (mutated != parents).all(axis=0).tolist() == [True, False, True, True, True]
    assert (mutated[:, 1] == 0).all() and (mutated >= 0).all() and (mutated < np.array(CHOICES)).all()
    assert (parents == before).all()


@pytest.mark.parametrize(
    ("mutation", "choices", "share"),
    [
        (Mutation(probability=1), (12,) * 14, 1 / 14),
        (Mutation(), (12,) * 14, 0.8 / 14),
        # Layers with a choice: 2 of 3.
        (Mutation(probability=1), (4, 1, 3), 1 / 2 * 2 / 3),
        (Mutation(probability=0.5, gene_rate=0.3), (12,) * 14, 0.15),
        (Mutation(probability=0), (12,) * 14, 0),
        (Mutation(probability=1), (1, 1), 0),
    ],
)
def test_gene_rate(mutation: Mutation, choices: tuple[int, ...], share: float) -> None:
    parents = genomes(4000, choices)
    changed = Mutator(choices, mutation).mutate(parents, np.random.default_rng(0)) != parents
    error = np.sqrt(share * (1 - share) / parents.size)
    # Genes of one child are not independent where children are mutated or not as a whole.
    assert changed.mean() == pytest.approx(share, abs=6 * error)


def test_children_that_are_not_mutated_are_left_whole() -> None:
    parents = genomes(4000)
    mutator = Mutator(CHOICES, Mutation(probability=0.3, gene_rate=1))
    changed = (mutator.mutate(parents, np.random.default_rng(0)) != parents)[:, [0, 2, 3, 4]]
    assert (changed.all(axis=1) == changed.any(axis=1)).all()
    assert changed.all(axis=1).mean() == pytest.approx(0.3, abs=0.03)


def test_random_mutation_is_uniform_over_the_other_choices() -> None:
    parents = np.tile([1, 0, 2, 0, 3], (6000, 1))
    mutator = Mutator(CHOICES, Mutation.only_random(probability=1, gene_rate=1), np.ones((5, 4)))
    mutated = mutator.mutate(parents, np.random.default_rng(0))
    np.testing.assert_allclose(frequencies(mutated[:, 0], 4), [1 / 3, 0, 1 / 3, 1 / 3], atol=0.03)
    np.testing.assert_allclose(frequencies(mutated[:, 2], 3), [1 / 2, 1 / 2, 0], atol=0.03)
    np.testing.assert_allclose(frequencies(mutated[:, 3], 2), [0, 1])


def test_prior_mutation_is_proportional_to_the_prior() -> None:
    prior = np.array([[1, 5, 3, 6], [7, NAN, -1, INF], [0, 2, 9, NAN], [3, 4, NAN, NAN], [0, 0, 1e-9, 3e-9]])
    parents = np.tile([1, 0, 2, 0, 0], (6000, 1))
    mutated = Mutator(CHOICES, ALWAYS_PRIOR, prior).mutate(parents, np.random.default_rng(0))
    np.testing.assert_allclose(frequencies(mutated[:, 0], 4), [0.1, 0, 0.3, 0.6], atol=0.03)
    np.testing.assert_allclose(frequencies(mutated[:, 2], 3), [0, 1, 0])
    np.testing.assert_allclose(frequencies(mutated[:, 4], 4), [0, 0, 0.25, 0.75], atol=0.03)


def test_without_a_prior_it_is_uniform() -> None:
    parents = np.tile([1, 0, 2, 0, 3], (6000, 1))
    mutated = Mutator(CHOICES, ALWAYS_PRIOR).mutate(parents, np.random.default_rng(0))
    np.testing.assert_allclose(frequencies(mutated[:, 0], 4), [1 / 3, 0, 1 / 3, 1 / 3], atol=0.03)


def test_reinforced_distribution_moves_towards_the_survivors() -> None:
    mutator = Mutator((3, 1, 2), ALWAYS_REINFORCED)
    np.testing.assert_allclose(mutator.distribution, [[1 / 3] * 3, [1, 0, 0], [1 / 2, 1 / 2, 0]])
    survivors = np.array([[0, 0, 1], [0, 0, 1], [2, 0, 1], [0, 0, 0]])
    mutator.learn(survivors)
    expected = [[0.25 + 0.1875, 0.25, 0.25 + 0.0625], [1, 0, 0], [0.375 + 0.0625, 0.375 + 0.1875, 0]]
    np.testing.assert_allclose(mutator.distribution, expected)
    mutator.learn(survivors)
    np.testing.assert_allclose(
        mutator.distribution[0], [0.75 * 0.4375 + 0.1875, 0.1875, 0.75 * 0.3125 + 0.0625]
    )
    mutated = mutator.mutate(np.tile([1, 0, 0], (6000, 1)), np.random.default_rng(0))
    ratio = mutator.distribution[0, [0, 2]]
    np.testing.assert_allclose(frequencies(mutated[:, 0], 3)[[0, 2]], ratio / ratio.sum(), atol=0.03)


def test_kinds_of_mutation_are_mixed_by_their_shares() -> None:
    # Of the parent's choice 0, random leads to 1 ... 4 alike, reinforced to 1 only, the prior to 2 only.
    mutation = Mutation(probability=1, random=2, reinforced=6.5, prior=1.5, gene_rate=1, learning_rate=1)
    mutator = Mutator((5,), mutation, [[0, 0, 1, 0, 0]])
    mutator.learn(np.ones((1, 1), dtype=np.int64))
    mutated = mutator.mutate(np.zeros((20000, 1), dtype=np.int64), np.random.default_rng(0))
    expected = [0, 0.65 + 0.05, 0.15 + 0.05, 0.05, 0.05]
    np.testing.assert_allclose(frequencies(mutated.ravel(), 5), expected, atol=0.015)


@settings(deadline=None)
@given(
    st.lists(st.floats(0, 1) | st.sampled_from([5e-324, 1e-308, 1e-200, 1e-101]), min_size=2, max_size=6),
    st.integers(0, 5),
    st.integers(0, 2**32),
)
def test_any_weights_give_another_choice(weights: list[float], gene: int, seed: int) -> None:
    gene %= len(weights)
    rows = np.tile(weights, (50, 1))
    fallback = np.ones_like(rows)
    drawn = draw_others(np.full(50, gene), rows, fallback, np.random.default_rng(seed))
    assert (drawn >= 0).all() and (drawn < len(weights)).all() and (drawn != gene).all()
    rest = np.delete(weights, gene)
    if rest.sum() >= 1e-100:
        assert (rows[0, drawn] > 0).all()


def test_a_choice_without_weight_is_not_drawn_even_by_a_random_0() -> None:
    class Zeros:
        random = staticmethod(np.zeros)

    weights = np.array([[9.0, 0.0, 1.0, 1.0]])
    assert draw_others(np.array([0]), weights, np.ones((1, 4)), Zeros()).tolist() == [2]


def test_defaults_are_those_of_moga_and_shares_only_count_as_ratios() -> None:
    assert Mutation() == Mutation(0.8, 0.2, 0.65, 0.15, None, 0.1)
    parents = genomes(200)
    scaled = Mutation(random=4, reinforced=13, prior=3)
    prior = np.random.default_rng(1).random((5, 4))
    one, other = (
        Mutator(CHOICES, each, prior).mutate(parents, np.random.default_rng(0))
        for each in (Mutation(), scaled)
    )
    assert (one == other).all()


def test_other_rates_are_refused_all_at_once() -> None:
    with pytest.raises(ValueError) as error:
        Mutation(probability=1.5, gene_rate=-0.1, learning_rate=NAN, random=-1)
    for part in ("probability must be in [0, 1], got 1.5", "gene_rate", "learning_rate", "shares"):
        assert part in str(error.value)
    for shares in ({"random": INF}, {"random": NAN}, {"random": 0, "reinforced": 0, "prior": 0}):
        with pytest.raises(ValueError, match="finite, 0 or above and not all 0"):
            Mutation(**shares)


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (np.ones((5, 3)), r"shape \(layers, most choices\), \(5, 4\), got \(5, 3\)"),
        (np.ones(4), r"got \(4,\)"),
        (np.where(np.arange(20).reshape(5, 4) == 9, INF, 1.0), r"not at \(layer, choice\) \[\[2, 1\]\]"),
        (np.ones((5, 4)) * [[1], [1], [0], [1], [0]], r"0 for all choices of layers \[2, 4\]"),
        (np.ones((5, 4)) - 2 * np.eye(5)[:, :4], r"not at \(layer, choice\) \[\[0, 0\], \[2, 2\]\]"),
    ],
)
def test_other_priors_are_refused(prior: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Mutator(CHOICES, Mutation(), prior)
