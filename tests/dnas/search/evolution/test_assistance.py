"""NSGA-II that chooses children by predictions: better where they are good, plain where they are not."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from dnas.search.evolution import assistance as module
from dnas.search.evolution.assistance import Assistance, Report
from dnas.search.evolution.hypervolume import greedy_improvement, hypervolume
from dnas.search.evolution.nsga2 import NSGA2

CHOICES = (5,) * 8
MAXIMIZE = (True, False, True)
SMALL = Assistance("ridge", population=30, generations=8)


def evaluated(genomes: np.ndarray) -> np.ndarray:
    """Quality, milliseconds and parameters, (n, 3); more of one costs another."""
    table = np.random.default_rng(7).random((3, len(CHOICES), max(CHOICES)))
    table[0] = 0.4 * table[1] + 0.6 * table[0]
    return table[:, np.arange(len(CHOICES)), genomes].sum(axis=-1).T


def free(genomes: np.ndarray) -> np.ndarray:
    values = evaluated(genomes)
    values[:, 0] = np.nan
    return values


def late(genomes: np.ndarray) -> np.ndarray:
    return np.maximum(0, evaluated(genomes)[:, 1] - 3.5)


def search(seed: int = 0, **settings: Any) -> NSGA2:
    defaults = {"choices": CHOICES, "maximize": MAXIMIZE, "population": 12, "predictor": SMALL, "free": free}
    return NSGA2(**defaults | settings, generator=np.random.default_rng(seed))


def generation(algorithm: NSGA2, evaluate=evaluated, violations=None) -> np.ndarray:
    genomes = algorithm.ask()
    algorithm.tell(genomes, evaluate(genomes), None if violations is None else violations(genomes))
    return genomes


def worth(algorithm: NSGA2) -> float:
    return hypervolume(algorithm.front()[1], (0.0, 8.0, 0.0), MAXIMIZE)


@pytest.mark.parametrize("predictor", ["ridge", "trees", "auto"])
def test_it_finds_a_better_front_than_plain_nsga2(predictor: str) -> None:
    gains = []
    for seed in range(2):
        plain = search(seed, predictor=None)
        assisted = search(seed, predictor=Assistance(predictor, population=30, generations=5))
        for _ in range(5):
            generation(plain)
            generation(assisted)
        gains.append(worth(assisted) - worth(plain))
    assert min(gains) > 0


def test_nothing_is_asked_for_twice() -> None:
    algorithm = search()
    asked = np.concatenate([generation(algorithm) for _ in range(8)])
    assert len(np.unique(asked, axis=0)) == len(asked) == 96


def test_without_a_predictor_what_is_free_changes_nothing() -> None:
    plain, given = search(predictor=None, free=None), search(predictor=None, violations=late)
    for _ in range(4):
        np.testing.assert_array_equal(generation(plain), generation(given))
    assert plain.state_dict() == given.state_dict()
    assert given.report is None
    assert "assistant" not in plain.state_dict()


def test_the_first_generation_is_that_of_plain_nsga2() -> None:
    assisted = search()
    np.testing.assert_array_equal(assisted.ask(), search(predictor=None).ask())
    assert assisted.report is None


def test_it_says_how_far_it_trusts_itself() -> None:
    algorithm = search()
    for _ in range(5):
        generation(algorithm)
    algorithm.ask()
    assert algorithm.report is not None
    assert algorithm.report.predictor == "ridge"
    assert algorithm.report.correlation > 0.8
    assert algorithm.report.chosen == algorithm.report.children == 12
    assert str(Report("ridge", 0.456, 7, 12)) == (
        "ridge, rank correlation 0.46 of left-out architectures, chose 7 of 12"
    )


def test_of_noise_few_children_are_chosen() -> None:
    noise = np.random.default_rng(1)
    algorithm = search()
    for _ in range(20):
        generation(
            algorithm, lambda genomes: np.column_stack([noise.random(len(genomes)), free(genomes)[:, 1:]])
        )
    algorithm.ask()
    assert algorithm.report is not None
    assert algorithm.report.chosen < 6


def test_without_trust_it_is_plain_nsga2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.Assistant, "_trust", lambda *_: 0.0)
    plain, assisted = search(predictor=None), search()
    for _ in range(5):
        np.testing.assert_array_equal(generation(plain), generation(assisted))


def test_chosen_children_keep_the_bounds() -> None:
    algorithm = search(violations=late)
    for _ in range(4):
        generation(algorithm, violations=late)
    genomes = algorithm.ask()
    assert algorithm.report is not None
    chosen = genomes[: algorithm.report.chosen]
    assert len(chosen)
    assert not late(chosen).any()


def test_resumed_it_asks_for_the_same() -> None:
    whole = search()
    asked = [generation(whole) for _ in range(6)]
    first = search()
    for _ in range(3):
        generation(first)
    first.ask()
    resumed = search(seed=9)
    resumed.load_state_dict(json.loads(json.dumps(first.state_dict(), allow_nan=False)))
    assert resumed.report == first.report
    for expected in asked[3:]:
        np.testing.assert_array_equal(generation(resumed), expected)
    assert resumed.state_dict() == whole.state_dict()


def test_a_state_of_another_predictor_is_refused() -> None:
    with pytest.raises(ValueError, match=r"predictor was .*ridge.* and is now None"):
        search(predictor=None).load_state_dict(search().state_dict())


def test_a_small_space_is_exhausted() -> None:
    choices = (3, 2, 2, 2)
    algorithm = search(
        choices=choices,
        maximize=(True, False),
        free=lambda genomes: np.full((len(genomes), 2), (np.nan, 1.0)),
    )
    asked = []
    while len(genomes := algorithm.ask()):
        algorithm.tell(genomes, np.column_stack([genomes.sum(axis=1), np.ones(len(genomes))]))
        asked += genomes.tolist()
    assert len({tuple(genome) for genome in asked}) == len(asked) == 24


@pytest.mark.parametrize("broken", ["nan", "infeasible", "constant"])
def test_qualities_that_teach_nothing_do_no_harm(broken: str) -> None:
    algorithm = search()
    for _ in range(4):
        genomes = algorithm.ask()
        values = free(genomes)
        values[:, 0] = np.nan if broken == "nan" else 1.0
        algorithm.tell(genomes, values, np.full(len(genomes), float(broken == "infeasible")))
    assert len(algorithm.ask()) == 12


def test_genomes_that_build_the_same_network_are_one() -> None:
    def canonical(genomes: np.ndarray) -> np.ndarray:
        return np.where(np.arange(8) == 7, 0, genomes)

    algorithm = search(canonical=canonical)
    asked = np.concatenate([generation(algorithm) for _ in range(5)])
    assert not asked[:, 7].any()
    assert len(np.unique(asked, axis=0)) == len(asked)


def assisted_run(most: int, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Any], list[Any], set[Any]]:
    """All that was asked for, what the assistant keeps, and the front."""
    monkeypatch.setattr(module, "_MOST", most)
    algorithm = search()
    asked = list(map(tuple, np.concatenate([generation(algorithm) for _ in range(8)]).tolist()))
    known = list(map(tuple, algorithm.state_dict()["assistant"]["genomes"]))
    return asked, known, set(map(tuple, algorithm.front()[0].tolist()))


def test_it_keeps_the_front_and_the_last_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, known, front = assisted_run(80, monkeypatch)
    assert len(front) < 80
    last = [genome for genome in asked if genome not in front][len(front) - 80 :]
    assert known == [genome for genome in asked if genome in front or genome in last]


def test_of_a_long_front_it_keeps_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, known, front = assisted_run(30, monkeypatch)
    assert len(front) > 30
    assert len(known) == 30
    assert set(asked[-12:]) & front <= set(known)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"free": None}, "predictor: needs free, a function"),
        ({"free": evaluated}, "free must return NaN in one column"),
        ({"free": lambda genomes: np.full((len(genomes), 3), np.nan)}, "free must return NaN in one column"),
        ({"free": lambda genomes: np.zeros(3)}, r"values of shape \(2, 3\) for 2 genomes, got \(3,\)"),
        ({"maximize": (True,) * 4}, "predictor: for up to 3 objectives, got 4"),
        ({"views": []}, "views must each have 1 to 3 different columns of the 3 objectives, got"),
        ({"views": [[0, 3]]}, r"different columns of the 3 objectives, got \[\[0, 3\]\]"),
        ({"views": [[0, 0]]}, "views must each have 1 to 3 different columns"),
        ({"views": [[]]}, "views must each have 1 to 3 different columns"),
        ({"views": [range(4)], "maximize": (True,) * 4}, "views must each have 1 to 3 different columns"),
        ({"predictor": "forest"}, "predictor: must be one of ridge, trees, auto, got 'forest'"),
    ],
)
def test_what_cannot_be_used_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        search(**changes)


def test_options_out_of_range_are_named_together() -> None:
    with pytest.raises(
        ValueError, match=r"margin must .* got nan; full_trust .* got 0; population .* 0 and -1"
    ):
        Assistance("ridge", margin=float("nan"), full_trust=0, population=0, generations=-1)


def test_points_are_chosen_by_what_they_add() -> None:
    draw = np.random.default_rng(2)
    points, known = draw.random((40, 3)), draw.random((6, 3)) * 0.6
    expected, taken = [], known
    for _ in range(8):
        volumes = [hypervolume(np.vstack([taken, point]), (0, 0, 0), (True,) * 3) for point in points]
        expected.append(int(np.argmax(volumes)))
        taken = np.vstack([taken, points[expected[-1]]])
    assert greedy_improvement(points, known, 8).tolist() == expected


@pytest.mark.parametrize("candidates", [400, 10])
def test_one_view_of_everything_is_as_without_views(candidates: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CANDIDATES", candidates)
    plain, viewed = search(), search(views=[(0, 1, 2)])
    for _ in range(5):
        np.testing.assert_array_equal(generation(plain), generation(viewed))
    assert plain.state_dict() == viewed.state_dict()


FOUR = {"maximize": (True, False, False, True), "views": [(0, 1, 3), (0, 2, 3)]}


def on_two_devices(genomes: np.ndarray) -> np.ndarray:
    """Quality, milliseconds on two devices, parameters, (n, 4)."""
    other = np.random.default_rng(8).random((len(CHOICES), max(CHOICES)))
    other_ms = other[np.arange(len(CHOICES)), genomes].sum(axis=-1)
    return np.insert(evaluated(genomes), 2, other_ms, axis=1)


def free_on_two_devices(genomes: np.ndarray) -> np.ndarray:
    values = on_two_devices(genomes)
    values[:, 0] = np.nan
    return values


@pytest.mark.parametrize("candidates", [400, 30])
def test_views_serve_all_devices(candidates: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CANDIDATES", candidates)
    plain = search(maximize=FOUR["maximize"], predictor=None)
    assisted = search(**FOUR, free=free_on_two_devices)
    for _ in range(6):
        generation(plain, on_two_devices)
        generation(assisted, on_two_devices)
    for view in FOUR["views"]:
        plain_worth, assisted_worth = (
            hypervolume(each.front()[1][:, view], (0.0, 8.0, 0.0), MAXIMIZE) for each in (plain, assisted)
        )
        assert assisted_worth > plain_worth


def test_with_views_it_resumes_and_knows_them_again() -> None:
    whole = search(**FOUR, free=free_on_two_devices)
    for _ in range(4):
        generation(whole, on_two_devices)
    resumed = search(seed=9, **FOUR, free=free_on_two_devices)
    resumed.load_state_dict(json.loads(json.dumps(whole.state_dict(), allow_nan=False)))
    for _ in range(2):
        np.testing.assert_array_equal(generation(resumed, on_two_devices), generation(whole, on_two_devices))
    other = search(**FOUR | {"views": [(0, 2, 3), (0, 1, 3)]}, free=free_on_two_devices)
    with pytest.raises(ValueError, match=r"predictor was .*views.* and is now"):
        other.load_state_dict(whole.state_dict())


def test_points_are_chosen_by_the_mean_of_what_they_add_in_views() -> None:
    draw = np.random.default_rng(3)
    points, known = draw.random((40, 4)), draw.random((30, 4)) * 0.6
    expected, taken = [], known
    for _ in range(8):
        volumes = [
            np.mean(
                [
                    hypervolume(np.vstack([taken, point])[:, view], (0, 0, 0), (True,) * 3)
                    for view in FOUR["views"]
                ]
            )
            for point in points
        ]
        expected.append(int(np.argmax(volumes)))
        taken = np.vstack([taken, points[expected[-1]]])
    assert greedy_improvement(points, known, 8, FOUR["views"]).tolist() == expected
    twice = [[0, 1, 2], [0, 1, 2]]
    assert greedy_improvement(points, known, 8, twice).tolist() == (
        greedy_improvement(points[:, :3], known[:, :3], 8).tolist()
    )


def test_points_that_add_nothing_are_not_chosen() -> None:
    known = np.array([[0.5, 0.5]])
    points = np.array([[0.5, 0.5], [0.4, 0.3], [0.0, 0.9], [0.6, 0.2], [0.6, 0.2]])
    assert greedy_improvement(points, known, 9).tolist() == [3]
    assert greedy_improvement(points[:0], known, 9).tolist() == []
