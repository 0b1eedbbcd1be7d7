"""The front so far equals the front of everything so far."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dnas.search.evolution.front import Front
from dnas.search.evolution.pareto import non_dominated

MAXIMIZE = (True, False)


def test_by_hand() -> None:
    front = Front(2, MAXIMIZE)
    assert len(front) == 0 and [each.shape for each in front.members()] == [(0, 2), (0, 2)]
    front.add(np.array([[0, 0], [0, 1], [0, 2]]), np.array([[0.7, 9.0], [0.6, 5.0], [0.5, 6.0]]))
    front.add(np.array([[1, 0], [1, 1], [1, 2]]), np.array([[0.7, 8.0], [0.6, 5.0], [0.9, np.nan]]))
    genomes, values = front.members()
    assert genomes.tolist() == [[1, 0], [0, 1], [1, 1]]
    assert values.tolist() == [[0.7, 8.0], [0.6, 5.0], [0.6, 5.0]]


def test_members_are_sorted_by_objectives_then_genome() -> None:
    front = Front(2, (True, False, False))
    genomes = np.array([[3, 1], [1, 9], [1, 2], [0, 0], [2, 2]])
    values = np.array([[1, 5, 5], [1, 5, 5], [1, 5, 5], [0, 0, 9], [1, 4, 6]])
    front.add(genomes, values)
    assert front.members()[0].tolist() == [[2, 2], [1, 2], [1, 9], [3, 1], [0, 0]]


def test_many_at_a_time_are_compared_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dnas.search.evolution.front._MOST", 70)
    values = np.random.default_rng(0).random((400, 2))
    front = Front(1, MAXIMIZE)
    front.add(np.arange(400)[:, None], values)
    assert sorted(front.members()[0].ravel()) == np.flatnonzero(non_dominated(values, MAXIMIZE)).tolist()


@pytest.mark.parametrize("levels", [4, 1000])
def test_added_bit_by_bit_it_is_the_front_of_everything(levels: int) -> None:
    generator = np.random.default_rng(0)
    values = generator.integers(0, levels, (400, 3)).astype(float)
    genomes = np.arange(400)[:, None]
    front, maximize = Front(1, (True, False, True)), (True, False, True)
    for start in range(0, 400, 25):
        front.add(genomes[start : start + 25], values[start : start + 25])
        expected = np.flatnonzero(non_dominated(values[: start + 25], maximize))
        assert sorted(front.members()[0].ravel()) == expected.tolist()
    found, its_values = front.members()
    assert its_values.tolist() == values[found.ravel()].tolist()


@pytest.mark.parametrize("values", [[], [[0.1, 3.0]], [[np.inf, -np.inf], [np.inf, -np.inf]]])
def test_state_goes_through_json(values: list[list[float]]) -> None:
    front, again = Front(3, MAXIMIZE), Front(3, MAXIMIZE)
    front.add(np.arange(3 * len(values)).reshape(-1, 3), np.array(values).reshape(-1, 2))
    again.load_state_dict(json.loads(json.dumps(front.state_dict(), allow_nan=False)))
    for one, other in zip(front.members(), again.members(), strict=True):
        assert one.dtype == other.dtype and one.shape == other.shape and one.tolist() == other.tolist()
    again.add(np.array([[9, 9, 9]]), np.array([[np.inf, -np.inf]]))
    assert again.members()[0].tolist()[-1] == [9, 9, 9]


@pytest.mark.parametrize("batch", [1, 7, 10**6])
def test_batches_change_nothing(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    genomes = generator.permutation(500)[:, None]
    values = generator.integers(12, size=(500, 3)).astype(float)
    values[generator.random(values.shape) < 0.01] = np.nan
    monkeypatch.setattr("dnas.search.evolution.front._BATCH", batch)
    front = Front(1, (True, False, True))
    for part in range(0, 500, 5):
        rows = genomes[part : part + 5].copy()
        front.add(rows, values[part : part + 5])
        rows[:] = -1  # the caller may use its array for something else
    on = non_dominated(values, (True, False, True))
    found, found_values = front.members()
    assert sorted(found[:, 0]) == sorted(genomes[on, 0]) and len(front) == on.sum()
    assert front.state_dict()["genomes"] == genomes[on].tolist(), "in the order in which they came"
    assert sorted(map(tuple, found_values)) == sorted(map(tuple, values[on]))
