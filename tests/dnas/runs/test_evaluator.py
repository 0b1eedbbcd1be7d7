"""Recalibrated statistics are those of the images given; accuracies are counted right."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dnas.runs.evaluator import accuracies, evaluate, recalibrate

Batch = tuple[Tensor, Tensor]


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
