"""Recalibrated statistics are those of the images given; accuracies are counted right.

One-shot accuracy with the data that a checkpoint names; what cannot be loaded is said. Batches are read once
where they are small, anew where they are large, and arranged for the networks.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dnas.runs.checkpoint_file import read
from dnas.runs.datamodules import DataUnavailable
from dnas.runs.evaluator import (
    KeptBatches,
    OneShotEvaluator,
    accuracies,
    evaluate,
    recalibrate,
)
from dnas.space.architecture import Architecture
from lightning_modules.data import Digits

Batch = tuple[Tensor, Tensor]
DIGITS = {"class_path": "lightning_modules.data.Digits", "init_args": {"resolution": 16}}
CPU = torch.device("cpu")
BYTES = 2 * 3 * 4 * 4 * 4  # of the images of one batch


def batches(number: int = 3, size: int = 4) -> list[Batch]:
    generator = torch.Generator().manual_seed(0)
    return [
        (torch.randn(size, 2, 3, 3, generator=generator) * 3 + 1, torch.zeros(size, dtype=torch.long))
        for _ in range(number)
    ]


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.BatchNorm2d(2, momentum=0.3), nn.Dropout(0.5), nn.Flatten(), nn.Linear(18, 2)
    ).eval()


@pytest.mark.parametrize(("limit", "used"), [(None, 3), (2, 2), (9, 3)])
def test_statistics_are_averages_over_the_batches(limit: int | None, used: int) -> None:
    net, data = network(), batches()
    net[0].running_mean.fill_(99.0)
    assert recalibrate(net, data, limit) is net
    images = [images for images, _ in data[:used]]
    torch.testing.assert_close(net[0].running_mean, torch.stack([x.mean((0, 2, 3)) for x in images]).mean(0))
    torch.testing.assert_close(net[0].running_var, torch.stack([x.var((0, 2, 3)) for x in images]).mean(0))
    assert not net.training and net[0].momentum == 0.3 and net[1].p == 0.5, "all else is as before"


def test_recalibration_draws_no_random_numbers_and_takes_generators() -> None:
    net, before = network(), torch.get_rng_state()
    recalibrate(net, (batch for batch in batches()), limit=2)
    assert torch.equal(torch.get_rng_state(), before)


def test_no_batches_are_refused_and_nothing_is_reset() -> None:
    net = network()
    net[0].running_mean.fill_(7.0)
    for data, limit in (([], None), (batches(), 0)):
        with pytest.raises(ValueError, match="at least one batch of training images"):
            recalibrate(net, data, limit)
    assert net[0].running_mean.tolist() == [7.0, 7.0] and net[0].momentum == 0.3


class Logits(nn.Module):
    """Passes its input on; it has a parameter, as every network."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.modes: list[bool] = []

    def forward(self, x: Tensor) -> Tensor:
        self.modes.append(self.training)
        return x * self.scale


def test_accuracy_and_loss_by_hand() -> None:
    """Seven classes in descending order of logits: label k is the k-th best guess."""
    row = torch.arange(7, 0, -1).float()
    data = [
        (row.repeat(2, 1), torch.tensor([0, 1])),
        (row.repeat(1, 1), torch.tensor([5])),
        (row.repeat(1, 1), torch.tensor([4])),
    ]
    net = Logits().train()
    result = evaluate(net, data, num_classes=7)
    log_p = row.log_softmax(0)
    assert result.images == 4 and result.top1 == 0.25 and result.top5 == 0.75
    assert result.loss == pytest.approx(-(log_p[0] + log_p[1] + log_p[5] + log_p[4]).item() / 4)
    assert net.modes == [False] * 3 and net.training


def test_top5_of_few_classes_is_all_of_them() -> None:
    result = evaluate(Logits(), [(torch.tensor([[1.0, 2.0]]), torch.tensor([0]))], num_classes=2)
    assert (result.top1, result.top5) == (0.0, 1.0)
    top1, top5, loss = accuracies(2)
    assert top1.top_k == 1 and top5.top_k == 2 and loss.update_count == 0


def test_an_empty_split_is_refused() -> None:
    with pytest.raises(ValueError, match="the split is empty"):
        evaluate(Logits(), [], num_classes=2)


def test_accuracy_is_that_of_the_extracted_network(search_checkpoint: Path) -> None:
    checkpoint = read(search_checkpoint)
    supernet = checkpoint.build_supernet()
    before = {name: value.clone() for name, value in supernet.state_dict().items()}
    arch = Architecture(checkpoint.space, (3, 0, 2))
    result = OneShotEvaluator(supernet, checkpoint.data, recalibration_batches=2)(arch)
    data = Digits()
    data.setup()
    network = supernet.extract(arch)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # a plain average over the batches
    with torch.no_grad():
        for images, _ in islice(data.recalibration_dataloader(), 2):
            network.train()(images)
    expected = evaluate(network, data.val_dataloader(), 10)
    # The evaluator arranges images in channels-last layout, whose kernels round differently.
    assert result.loss == pytest.approx(expected.loss, rel=1e-6)
    assert result._replace(loss=0.0) == expected._replace(loss=0.0)
    assert result.images == 180
    assert all(torch.equal(value, before[name]) for name, value in supernet.state_dict().items())


class Recorder:
    """Has what a data module has not; making one would be noticed."""

    made: int = 0

    def __init__(self, **arguments: Any) -> None:
        type(self).made += 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "names no data module"),
        ({}, "names no data module"),
        ({**DIGITS, "class_path": "no.such.Module"}, "no.such.Module could not be loaded: No module named"),
        ({**DIGITS, "class_path": "lightning_modules.data.Nothing"}, "Nothing could not be loaded"),
        ({**DIGITS, "class_path": "Digits"}, "Digits could not be loaded"),
        ({**DIGITS, "init_args": {"resolution": 0}}, "resolution must be an integer >= 1"),
        ({**DIGITS, "init_args": {"size": 3}}, "could not be loaded"),
        (
            {"class_path": "lightning_modules.data.ImageFolder", "init_args": {"root": "nowhere/at/all"}},
            "(?s)could not be loaded.*nowhere",
        ),
    ],
)
def test_data_that_is_not_there(search_checkpoint: Path, data: Any, message: str) -> None:
    with pytest.raises(DataUnavailable, match=message):
        OneShotEvaluator(read(search_checkpoint).build_supernet(), data)


@pytest.mark.parametrize("path", ["os.system", "subprocess.Popen", f"{__name__}.Recorder", "builtins.exec"])
def test_a_checkpoint_cannot_call_what_is_no_data_module(search_checkpoint: Path, path: str) -> None:
    with pytest.raises(DataUnavailable, match="could not be loaded"):
        OneShotEvaluator(read(search_checkpoint).build_supernet(), {"class_path": path, "init_args": {}})
    assert Recorder.made == 0


class Loader:
    """Three batches; counts how often they are read."""

    def __init__(self) -> None:
        self.read = 0

    def __call__(self) -> Iterator[tuple[Tensor, Tensor]]:
        self.read += 1
        for index in range(3):
            yield torch.full((2, 3, 4, 4), float(index)), torch.tensor([index, index])


def firsts(batches: KeptBatches) -> list[float]:
    return [images.flatten()[0].item() for images, _ in batches]


def test_small_ones_are_read_once() -> None:
    loader = Loader()
    batches = KeptBatches(loader, CPU, keep_bytes=3 * BYTES)
    assert [firsts(batches) for _ in range(3)] == [[0.0, 1.0, 2.0]] * 3
    assert loader.read == 1


def test_large_ones_are_read_every_time_and_whole() -> None:
    loader = Loader()
    batches = KeptBatches(loader, CPU, keep_bytes=3 * BYTES - 1)
    assert [firsts(batches) for _ in range(3)] == [[0.0, 1.0, 2.0]] * 3
    assert loader.read == 3


def test_who_stops_early_leaves_no_part_behind() -> None:
    loader = Loader()
    batches = KeptBatches(loader, CPU)
    assert len(list(islice(batches, 2))) == 2
    assert firsts(batches) == [0.0, 1.0, 2.0] and loader.read == 2


def test_images_are_in_the_layout_of_the_networks() -> None:
    for images, labels in KeptBatches(Loader(), CPU):
        assert images.is_contiguous(memory_format=torch.channels_last)
        assert labels.tolist() == [images.flatten()[0].item()] * 2
