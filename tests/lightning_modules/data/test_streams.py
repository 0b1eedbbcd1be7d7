"""The order of training: complete, reshuffled, sharded, and a function of (seed, epoch, step)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_modules.data.augment import Augmentation
from lightning_modules.data.sources import ArraySource, Split
from lightning_modules.data.streams import PairedSteps, SharedSteps, Steps, Stream, SuccessiveSteps


class Noise(Augmentation):
    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        return torch.rand(count, 1, 1, 1, generator=generator)

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        return images + draws


def split(first: int, last: int) -> Split:
    """Images first..last-1; the value and the label of an image are its number."""
    numbers = torch.arange(100)
    source = ArraySource(numbers.float().view(-1, 1, 1, 1), numbers.numpy(), torch.nn.Identity(), Noise())
    return Split(source, np.arange(first, last))


def stream(first: int = 0, last: int = 23, batch_size: int = 4, **options: int) -> Stream:
    return Stream(split(first, last), batch_size, **{"seed": 0, **options})


def cycle(given: Stream, epoch: int, cycle: int = 0) -> list[int]:
    numbers = range(cycle * len(given), (cycle + 1) * len(given))
    return [int(index) for number in numbers for index in given.indices(epoch, number)]


def test_a_cycle_shows_every_image_once_but_for_the_incomplete_batch() -> None:
    seen = cycle(stream(), epoch=0)
    assert len(stream()) == 5
    assert len(seen) == len(set(seen)) == 20
    assert set(seen) < set(range(23))


def test_every_cycle_and_epoch_and_part_and_seed_is_another_order() -> None:
    orders = [
        cycle(stream(), 0),
        cycle(stream(), 0, cycle=1),
        cycle(stream(), 1),
        cycle(stream(seed=1), 0),
        cycle(stream(part=1), 0),
    ]
    assert len(set(map(tuple, orders))) == len(orders)


def test_order_does_not_depend_on_what_was_asked_before() -> None:
    used = stream()
    for number in (7, 0, 3):
        used.batch(4, number)
    fresh = stream()
    for epoch, number in [(1, 2), (0, 9), (1, 2)]:
        images, labels = used.batch(epoch, number)
        again, same_labels = fresh.batch(epoch, number)
        assert torch.equal(images, again)
        assert torch.equal(labels, same_labels)


@pytest.mark.parametrize(
    "other", [{"epoch": 1}, {"number": 5}, {"seed": 1}, {"part": 1}, {"rank": 1}], ids=str
)
def test_augmentation_is_drawn_anew(other: dict[str, int]) -> None:
    def noise_of(epoch: int = 0, number: int = 0, **options: int) -> list[float]:
        images, labels = stream(last=40, world_size=2, **options).batch(epoch, number)
        return (images.flatten() - labels).round(decimals=3).tolist()

    assert noise_of() == noise_of()
    assert noise_of() != noise_of(**other)


@pytest.mark.parametrize("world_size", [2, 3, 4])
def test_ranks_are_disjoint_equally_long_and_together_the_global_batch(world_size: int) -> None:
    ranks = [stream(batch_size=2, rank=rank, world_size=world_size) for rank in range(world_size)]
    whole = stream(batch_size=2 * world_size)
    assert {len(rank) for rank in ranks} == {23 // world_size // 2} == {len(whole)}
    for number in range(2 * len(whole)):
        shares = [set(rank.indices(3, number).tolist()) for rank in ranks]
        assert sum(map(len, shares)) == 2 * world_size
        assert set().union(*shares) == set(whole.indices(3, number).tolist())


@pytest.mark.parametrize(("batch_size", "world_size"), [(24, 1), (12, 2)])
def test_a_split_smaller_than_a_batch_is_refused(batch_size: int, world_size: int) -> None:
    wanted = rf"the alpha split of 23 images cannot fill a batch of {batch_size} on {world_size}"
    with pytest.raises(ValueError, match=wanted):
        stream(batch_size=batch_size, world_size=world_size, part=1)


def labels(batch: tuple[Tensor, Tensor]) -> list[int]:
    return batch[1].tolist()


def test_plain_steps() -> None:
    steps = Steps(stream())
    assert len(steps) == 5
    assert sorted(label for step in range(5) for label in labels(steps[0, step])) == sorted(
        cycle(stream(), 0)
    )


def test_shared_steps_give_one_batch_twice() -> None:
    steps = SharedSteps(stream())
    batch = steps[0, 3]
    assert list(batch) == ["weights", "alpha"]
    assert batch["weights"] is batch["alpha"]
    assert len(steps) == 5


def test_paired_steps_go_round_the_alpha_split() -> None:
    steps = PairedSteps(stream(0, 40), stream(40, 49, part=1))
    assert len(steps) == 10
    weights = [label for step in range(10) for label in labels(steps[2, step]["weights"])]
    alpha = [labels(steps[2, step]["alpha"]) for step in range(10)]
    assert sorted(weights) == list(range(40))
    assert set(np.ravel(alpha).tolist()) == set(range(40, 49))
    assert all(before != after for before, after in pairwise(alpha))
    assert all(len(set(alpha[step] + alpha[step + 1])) == 8 for step in range(0, 10, 2))


def test_successive_steps_serve_all_weights_then_all_alpha() -> None:
    steps = SuccessiveSteps(stream(0, 20), stream(40, 52, part=1))
    assert len(steps) == 5 + 3
    batches = [steps[1, step] for step in range(8)]
    assert [list(batch) for batch in batches] == [["weights"]] * 5 + [["alpha"]] * 3
    assert sorted(label for batch in batches[:5] for label in labels(batch["weights"])) == list(range(20))
    assert sorted(label for batch in batches[5:] for label in labels(batch["alpha"])) == list(range(40, 52))


def test_identity_tells_apart_what_gives_other_batches() -> None:
    different = [
        Steps(stream()),
        SharedSteps(stream()),
        PairedSteps(stream(), stream(30, 40)),
        SuccessiveSteps(stream(), stream(30, 40)),
        PairedSteps(stream(), stream(31, 41)),
        Steps(stream(1, 24)),
        Steps(stream(seed=1)),
        Steps(stream(batch_size=5)),
        Steps(stream(world_size=2)),
    ]
    identities = [steps.identity() for steps in different]
    assert all(one != other for i, one in enumerate(identities) for other in identities[:i])
    assert Steps(stream()).identity() == identities[0]
    assert Steps(stream(rank=1, world_size=2)).identity() == identities[-1]


@pytest.mark.parametrize(("part", "name"), [(0, "training"), (1, "alpha")])
def test_an_empty_split_is_named(part: int, name: str) -> None:
    with pytest.raises(ValueError, match=f"the {name} split is empty: enlarge its fraction"):
        stream(last=0, part=part, batch_size=1)


@pytest.mark.parametrize("order", [PairedSteps, SuccessiveSteps])
def test_a_batch_is_located_in_its_stream(order: type[PairedSteps]) -> None:
    steps = order(stream(), stream(30, 50, part=1))
    for step in range(len(steps)):
        for part, (_, labels) in steps[3, step].items():
            source, number = steps.locate(step, part)
            assert source.indices(3, number).tolist() == labels.tolist()
