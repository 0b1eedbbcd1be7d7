"""The training loader goes on where a state says; evaluation loaders are in order and repeatable."""

from __future__ import annotations

import json
import multiprocessing
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_modules.data.augment import Augmentation
from lightning_modules.data.loaders import ResumableLoader, evaluation_loader, recalibration_loader
from lightning_modules.data.sources import ArraySource, Split
from lightning_modules.data.streams import PairedSteps, Steps, Stream, SuccessiveSteps


class Noise(Augmentation):
    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        return torch.rand(count, 1, 1, 1, generator=generator)

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        return images + draws


def split(first: int, last: int) -> Split:
    numbers = torch.arange(60)
    source = ArraySource(numbers.float().view(-1, 1, 1, 1), numbers.numpy(), torch.nn.Identity(), Noise())
    return Split(source, np.arange(first, last))


def steps(kind: type[Steps] = Steps, **options: int) -> Steps:
    options = {"batch_size": 4, "seed": 0, **options}
    weights, alpha = Stream(split(0, 20), **options), Stream(split(20, 32), part=1, **options)
    return kind(weights, alpha) if issubclass(kind, PairedSteps) else kind(weights)


def values(batch: Any) -> list[float]:
    """All numbers in a batch, of either form."""
    pairs = batch.values() if isinstance(batch, dict) else [batch]
    return [number for images, labels in pairs for number in [*images.flatten().tolist(), *labels.tolist()]]


def epoch_of(loader: ResumableLoader, epoch: int) -> list[list[float]]:
    loader.set_epoch(epoch)
    return [values(batch) for batch in loader]


@pytest.mark.parametrize("kind", [Steps, PairedSteps, SuccessiveSteps])
@pytest.mark.parametrize("num_workers", [0, 2])
def test_resumes_after_any_batch(kind: type[Steps], num_workers: int) -> None:
    whole = ResumableLoader(steps(kind))
    expected = [epoch_of(whole, epoch) for epoch in range(3)]
    for done in range(len(whole)):
        first = ResumableLoader(steps(kind))
        first.set_epoch(1)
        iterator = iter(first)
        for _ in range(done):
            next(iterator)
        state = json.loads(json.dumps(first.state_dict()))
        second = ResumableLoader(steps(kind), num_workers if done == 2 else 0)
        second.load_state_dict(state)
        assert epoch_of(second, 1) == expected[1][done:]
        assert epoch_of(second, 2) == expected[2]


def test_workers_stay_for_all_epochs_and_an_epoch_that_was_left() -> None:
    expected = [epoch_of(ResumableLoader(steps()), epoch) for epoch in range(3)]
    loader = ResumableLoader(steps(), num_workers=2)
    assert epoch_of(loader, 0) == expected[0]
    workers = {process.pid for process in multiprocessing.active_children()}
    iterator = iter(loader)
    loader.set_epoch(1)
    assert values(next(iterator)) == expected[1][0]
    assert epoch_of(loader, 2) == expected[2]
    assert epoch_of(loader, 1) == expected[1]
    assert workers == {process.pid for process in multiprocessing.active_children()}


def test_epochs_differ_and_repeat() -> None:
    loader = ResumableLoader(steps())
    assert epoch_of(loader, 0) != epoch_of(loader, 1)
    assert epoch_of(loader, 0) == epoch_of(ResumableLoader(steps()), 0)


def test_length_is_the_whole_epoch_even_when_resumed() -> None:
    loader = ResumableLoader(steps())
    loader.load_state_dict({**loader.state_dict(), "batch": 3})
    assert len(loader) == 5
    assert len(list(loader)) == 2


def test_iterators_made_early_use_the_state_and_epoch_set_later() -> None:
    loader = ResumableLoader(steps())
    iter(loader)
    iterator = iter(loader)
    loader.load_state_dict({**loader.state_dict(), "epoch": 2, "batch": 4})
    loader.sampler.set_epoch(2)
    assert [values(batch) for batch in iterator] == epoch_of(ResumableLoader(steps()), 2)[4:]


def test_state_of_a_finished_epoch_starts_the_next_from_its_beginning() -> None:
    loader = ResumableLoader(steps())
    done = epoch_of(loader, 0)
    state = loader.state_dict()
    assert (state["epoch"], state["batch"]) == (0, len(done))
    resumed = ResumableLoader(steps())
    resumed.load_state_dict(state)
    assert epoch_of(resumed, 1) == epoch_of(loader, 1)


def test_a_pending_resume_is_kept_in_the_state() -> None:
    loader = ResumableLoader(steps())
    loader.load_state_dict({**loader.state_dict(), "epoch": 1, "batch": 2})
    loader.set_epoch(1)
    assert (loader.state_dict()["epoch"], loader.state_dict()["batch"]) == (1, 2)


@pytest.mark.parametrize(
    ("progress", "expected"), [((0, 2), 2), ((0, 3), 3), ((0, 5), 3)], ids=["interrupted", "done", "stale"]
)
def test_progress_takes_back_the_batch_that_was_not_finished(
    progress: tuple[int, int], expected: int
) -> None:
    loader = ResumableLoader(steps(), progress=lambda: progress)
    iterator = iter(loader)
    for _ in range(3):
        next(iterator)
    assert loader.state_dict()["batch"] == expected


def test_progress_decides_the_epoch() -> None:
    loader = ResumableLoader(steps(), progress=lambda: (2, 0))
    assert epoch_of(loader, 3) == epoch_of(ResumableLoader(steps()), 2)


@pytest.mark.parametrize("change", [{"seed": 1}, {"batch_size": 5}, {"world_size": 2}], ids=str)
def test_resuming_in_mid_epoch_with_other_data_is_refused(change: dict[str, int]) -> None:
    saved = {**ResumableLoader(steps()).state_dict(), "epoch": 3, "batch": 2}
    loader = ResumableLoader(steps(**change))
    with pytest.raises(ValueError, match="stops in epoch 3 after batch 2 of 5"):
        loader.load_state_dict(saved)
    loader.load_state_dict({**saved, "batch": 5})
    assert len(epoch_of(loader, 4)) == len(loader)


def test_no_loader_touches_the_global_generator() -> None:
    before = torch.get_rng_state()
    list(ResumableLoader(steps()))
    list(evaluation_loader(split(0, 10), 4))
    list(recalibration_loader(split(0, 10), 4, seed=0))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_evaluation_is_in_order_and_complete(num_workers: int) -> None:
    loader = evaluation_loader(split(3, 13), 4, num_workers=num_workers)
    assert [labels.tolist() for _, labels in loader] == [[3, 4, 5, 6], [7, 8, 9, 10], [11, 12]]
    assert all(torch.equal(images.flatten(), labels.float()) for images, labels in loader)


def test_recalibration_is_shuffled_repeatable_and_in_full_batches() -> None:
    loader = recalibration_loader(split(0, 22), 4, seed=0)
    first, second = ([label for _, labels in loader for label in labels.tolist()] for _ in range(2))
    assert first == second != sorted(first)
    assert len(set(first)) == 20
    other = recalibration_loader(split(0, 22), 4, seed=1)
    assert first != [label for _, labels in other for label in labels.tolist()]


def test_recalibration_of_a_small_split_is_one_batch() -> None:
    ((images, _),) = recalibration_loader(split(0, 3), 4, seed=0)
    assert len(images) == 3
