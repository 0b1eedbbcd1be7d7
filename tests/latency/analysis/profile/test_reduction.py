"""Which choices a device's reduced space drops, and that the searches' loaders take it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from dnas.space import SearchSpace
from latency.analysis.profile.effects import Effects, fit_effects
from latency.analysis.profile.reduction import Verdict, reduce_space, reduced_space, yaml_text
from latency.table import LatencyTable, load_table
from latency.table.errors import TableError

MakeTable = Callable[..., LatencyTable]

MS = np.array([[1, 2, 3, 4], [1, 1, 2, 2], [4, 3, 2, 1], [5, 0, 0, 0]], dtype=float)
GENOMES = np.array([(*row, 0) for row in product(range(4), repeat=3)])


def accuracy(space: SearchSpace, effect: np.ndarray, noise: float = 0.0) -> Effects:
    values = 0.7 + effect[np.arange(3), GENOMES[:, :3]].sum(axis=1)
    return fit_effects(GENOMES, values + np.random.default_rng(0).normal(0, noise, 64), space)


def dropped(verdicts: list[Verdict]) -> dict[tuple[str, str], str]:
    return {(each.layer, each.choice): each.dropped_for for each in verdicts if each.dropped_for}


def test_what_is_slower_and_no_better_goes(factorial: SearchSpace, make_table: MakeTable) -> None:
    effect = np.array([[0.00, 0.02, 0.01, 0.03], [0.01, 0.03, 0.00, 0.03], [0.03, 0.02, 0.01, 0.00]])
    verdicts = reduce_space(make_table(factorial, MS), accuracy(factorial, effect), margin=1e-6)
    assert dropped(verdicts) == {
        ("L1", "E2K3"): "E1K5",  # slower and worse
        ("L2", "E1K3"): "E1K5",  # equally fast and worse
        ("L2", "E2K3"): "E1K5",
        ("L2", "E2K5"): "E1K5",  # slower and equally accurate
    }
    assert len(verdicts) == 13
    first = next(each for each in verdicts if each.dropped_for)
    assert (first.ms, first.saved_ms) == (3, 1)
    assert first.at_most_lost == pytest.approx(-0.01)
    assert first.accuracy_effect == pytest.approx(-0.005)


def test_uncertain_accuracy_keeps_everything(factorial: SearchSpace, make_table: MakeTable) -> None:
    equal = np.zeros((3, 4))
    verdicts = reduce_space(make_table(factorial, MS), accuracy(factorial, equal, noise=0.05))
    assert not dropped(verdicts)
    surer = reduce_space(make_table(factorial, MS), accuracy(factorial, equal, noise=0.05), margin=0.1)
    assert {layer for layer, _ in dropped(surer)} == {"L1", "L2", "L3"}


def test_the_margin_is_what_a_drop_may_cost(factorial: SearchSpace, make_table: MakeTable) -> None:
    effect = np.array([[0.00, 0.02, 0.04, 0.06], [0, 0, 0, 0], [0.03, 0.02, 0.01, 0.00]])
    table = make_table(factorial, MS)
    for margin, count in ((0.019, 0), (0.021, 2), (0.041, 2), (0.061, 3)):
        found = dropped(reduce_space(table, accuracy(factorial, effect), margin=margin))
        assert sum(layer == "L1" for layer, _ in found) == count
    # Never by steps: E2K3 is kept, because E1K5 that would replace it has gone, and E1K3 is 0.04 worse.
    assert dropped(reduce_space(table, accuracy(factorial, effect), margin=0.021)).get(("L1", "E2K3")) is None


def test_equal_choices_leave_the_fastest(factorial: SearchSpace, make_table: MakeTable) -> None:
    verdicts = reduce_space(make_table(factorial, np.ones((4, 4))), accuracy(factorial, np.zeros((3, 4))))
    assert [each.layer for each in verdicts if not each.dropped_for] == ["L1", "L2", "L3", "L4"]
    fastest = reduce_space(make_table(factorial, MS), accuracy(factorial, np.zeros((3, 4))))
    assert [each.ms for each in fastest if not each.dropped_for] == [1, 1, 1, 5]


def test_confidence_holds_per_choice(factorial: SearchSpace, make_table: MakeTable) -> None:
    """A choice that is really better by more than the margin is dropped in at most 1 in 5 cases at 0.8."""
    effect, table = np.zeros((3, 4)), make_table(factorial, MS)
    effect[0] = [0, 0, 0, 0.0105]
    wrong = 0
    for seed in range(150):
        values = 0.7 + effect[np.arange(3), GENOMES[:, :3]].sum(axis=1)
        noisy = values + np.random.default_rng(seed).normal(0, 0.01, 64)
        found = reduce_space(table, fit_effects(GENOMES, noisy, factorial), confidence=0.8, margin=0.01)
        wrong += ("L1", "E2K5") in dropped(found)
    assert 0.02 < wrong / 150 < 0.23


def test_the_searches_load_the_reduced_space(tmp_path: Path) -> None:
    full = SearchSpace.load("moga")
    table = load_table("adreno630_mace_calibrated", full)
    genomes = np.random.default_rng(0).integers(12, size=(400, 14))
    se = np.array([[0.01 * (choice.options.se > 0) for choice in layer.choices] for layer in full.layers])
    verdicts = reduce_space(table, fit_effects(genomes, 0.5 + se[np.arange(14), genomes].sum(axis=1), full))
    path = tmp_path / "reduced.yaml"
    path.write_text(yaml_text(reduced_space(table, verdicts)), encoding="utf-8")
    space = SearchSpace.load(path)
    assert space.name == "moga_reduced_adreno630_mace_calibrated" and space.reduced_from == "moga"
    # Kernel and expansion bring nothing, squeeze-excite does: the fastest without and with it stay.
    assert [[choice.name for choice in layer.choices] for layer in space.layers] == [["E3K3", "E3K3SE"]] * 14
    reduced = load_table("adreno630_mace_calibrated", space)
    np.testing.assert_array_equal(reduced.ms, table.ms[:, [0, 3]])
    assert reduced.latency_ms(np.zeros((1, 14), dtype=int)) == table.latency_ms(np.zeros((1, 14), dtype=int))
    twice = reduced_space(reduced, reduce_space(reduced, _constant(space)))
    assert twice.reduced_from == "moga" and twice.size == 1
    assert load_table("adreno630_mace_calibrated", twice).cheapest().names == ("E3K3",) * 14


def _constant(space: SearchSpace) -> Effects:
    genomes = np.random.default_rng(0).integers(space.num_choices, size=(100, len(space)))
    return fit_effects(genomes, np.full(100, 0.5), space)


def test_impossible_requests(factorial: SearchSpace, make_table: MakeTable, tiny: SearchSpace) -> None:
    table, found = make_table(factorial, MS), accuracy(factorial, np.zeros((3, 4)))
    for margin in (-0.1, 1.0, float("nan")):
        with pytest.raises(TableError, match="margin is a fraction"):
            reduce_space(table, found, margin=margin)
    with pytest.raises(TableError, match="confidence is a fraction"):
        reduce_space(table, found, confidence=95)
    genomes = np.array(list(product(range(3), range(2))))
    stranger = fit_effects(genomes, np.full(6, 0.5), tiny)
    with pytest.raises(TableError, match="of the space tiny, the table of factorial"):
        reduce_space(table, stranger)
