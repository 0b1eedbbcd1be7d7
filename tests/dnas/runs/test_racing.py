"""Races: what is plainly dominated is stopped; what is not gets the numbers of an evaluation without one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dnas.runs.evaluator import Batch, evaluate
from dnas.runs.racing import Entrant, Race

CLASSES, BATCHES, SIZE = 10, 24, 50


class Skilled(nn.Module):
    """Logits of an image, which is its label: right ones by so much, with noise of the image's own."""

    def __init__(self, skill: float, seed: int) -> None:
        super().__init__()
        self.skill = nn.Parameter(torch.tensor(skill))
        self.seed = seed
        self.seen: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        number = int(images[0, 1])
        self.seen.append(number)
        generator = torch.Generator().manual_seed(1000 * self.seed + number)
        noise = torch.randn(len(images), CLASSES, generator=generator)
        # A batch is as hard for all networks.
        return self.skill * nn.functional.one_hot(images[:, 0].long(), CLASSES) + noise + number % 5


@pytest.fixture
def batches() -> list[Batch]:
    generator = torch.Generator().manual_seed(0)
    made = []
    for number in range(BATCHES):
        # The last one is smaller, as in most splits.
        labels = torch.randint(CLASSES, (SIZE - 10 * (number == BATCHES - 1),), generator=generator)
        made.append((torch.stack([labels.float(), torch.full(labels.shape, float(number))], dim=1), labels))
    return made


def run(
    race: Race, batches: list[Batch], skill: float, rivals: list[Entrant], seed: int = 1
) -> tuple[Entrant, int]:
    network = Skilled(skill, seed)
    entrant = race.run(network, batches, CLASSES, rivals)
    return entrant, len(network.seen)


@pytest.mark.parametrize("quality", ["loss", "top1"])
def test_what_is_not_stopped_has_the_numbers_of_a_whole_evaluation(
    quality: str, batches: list[Batch]
) -> None:
    race = Race(quality, BATCHES)
    expected = evaluate(Skilled(1.5, seed=1), batches, CLASSES)
    alone, seen = run(race, batches, 1.5, [])
    assert (alone.evaluation, seen) == (expected, BATCHES)
    worse, _ = run(race, batches, 1.0, [], seed=2)
    among, seen = run(race, batches, 1.5, [worse, alone])
    assert (among.evaluation, seen) == (expected, BATCHES)
    np.testing.assert_array_equal(among.scores, alone.scores)
    sizes = [len(labels) for _, labels in batches]
    assert np.average(among.scores[:, 2], weights=sizes) == pytest.approx(expected.loss)
    assert np.average(among.scores[:, 0], weights=sizes) == pytest.approx(expected.top1)
    assert np.average(among.scores[:, 1], weights=sizes) == pytest.approx(expected.top5)


@pytest.mark.parametrize("quality", ["loss", "top1"])
def test_what_is_plainly_worse_is_stopped_and_estimated(quality: str, batches: list[Batch]) -> None:
    race = Race(quality, BATCHES)
    better, _ = run(race, batches, 2.0, [])
    much, seen_of_much = run(race, batches, 0.5, [better], seed=2)
    less, seen_of_less = run(race, batches, 1.6, [better], seed=2)
    assert seen_of_much == race.looks[0] <= seen_of_less < BATCHES
    for stopped, skill, seen in ((much, 0.5, seen_of_much), (less, 1.6, seen_of_less)):
        whole = evaluate(Skilled(skill, seed=2), batches, CLASSES)
        assert (
            stopped.evaluation.images
            == sum(len(batches[index][1]) for index in race.order()[:seen])
            < whole.images
        )
        assert np.isnan(stopped.scores[:, 0]).sum() == BATCHES - seen
        assert stopped.evaluation.loss == pytest.approx(whole.loss, rel=0.05)
        assert stopped.evaluation.top1 == pytest.approx(whole.top1, abs=0.05)
        # So that it never gets onto a front.
        assert stopped.evaluation.loss > better.evaluation.loss
        assert stopped.evaluation.top1 < better.evaluation.top1


def test_hardly_any_is_stopped_that_is_as_good(batches: list[Batch]) -> None:
    race = Race("loss", BATCHES)
    rivals = [run(race, batches, 1.5, [], seed=seed)[0] for seed in range(40)]
    seen = [run(race, batches, 1.5, [rival], seed=seed)[1] for seed, rival in enumerate(rivals, start=100)]
    assert sum(number < BATCHES for number in seen) <= 2


def test_an_equal_network_is_not_stopped(batches: list[Batch]) -> None:
    race = Race("loss", BATCHES)
    same, _ = run(race, batches, 1.5, [])
    assert run(race, batches, 1.5, [same])[1] == BATCHES


def test_what_overflows_goes_to_the_end(batches: list[Batch]) -> None:
    race = Race("loss", BATCHES)
    good, _ = run(race, batches, 1.5, [])
    overflown, seen = run(race, batches, float("nan"), [good])
    assert seen == BATCHES
    assert np.isnan(overflown.evaluation.loss)


def test_batches_are_seen_in_an_order_of_their_own() -> None:
    """Of images sorted by class the first ones say little."""
    order = Race("loss", 40).order()
    assert sorted(order) == list(range(40))
    assert order == Race("loss", 40).order() != list(range(40))
    assert max(order[:10]) > 30 > 10 > min(order[:10])


@pytest.mark.parametrize(("batches", "looks"), [(10, [5]), (20, [5, 10]), (41, [6, 11, 21])])
def test_looks_double(batches: int, looks: list[int]) -> None:
    assert Race("top1", batches).looks == looks


@pytest.mark.parametrize("batches", [0, 1, 8])
def test_too_few_batches_are_refused(batches: int) -> None:
    with pytest.raises(ValueError, match=f"needs 9 batches of validation images or more, got {batches}"):
        Race("loss", batches)


def test_rivals_are_compared_by_the_quality_that_was_asked_for(batches: list[Batch]) -> None:
    same, _ = run(Race("loss", BATCHES), batches, 1.5, [])
    noise = np.random.default_rng(0).normal(0.0, 0.01, same.scores.shape)
    # Hits less often, but is surer of what it hits.
    rival = Entrant(same.evaluation, same.scores + np.array([-0.2, 0.0, -0.5]) + noise)
    assert run(Race("top1", BATCHES), batches, 1.5, [rival])[1] == BATCHES
    assert run(Race("loss", BATCHES), batches, 1.5, [rival])[1] == Race("loss", BATCHES).looks[0]
