"""Scheduled values depend on the position in training alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from dnas.search.gradient.schedules import Linear
from lightning_modules.callbacks.anneal import training_progress
from lightning_modules.search import DifferentiableSearch


@pytest.mark.parametrize(
    ("epoch", "batch", "per_epoch", "progress"),
    [(0, 0, False, 0.0), (0, 5, False, 0.125), (3, 9, False, 0.975), (3, 9, True, 0.75), (4, 0, False, 1.0)],
)
def test_progress(epoch: int, batch: int, per_epoch: bool, progress: float) -> None:
    trainer: Any = SimpleNamespace(max_epochs=4, current_epoch=epoch, num_training_batches=10)
    assert training_progress(trainer, batch, per_epoch) == pytest.approx(progress)


@pytest.mark.parametrize("batches", [0, float("inf")])
def test_without_a_known_number_of_batches_only_epochs_count(batches: float) -> None:
    trainer: Any = SimpleNamespace(max_epochs=4, current_epoch=2, num_training_batches=batches)
    assert training_progress(trainer, 7) == 0.5


@pytest.mark.parametrize("max_epochs", [None, -1])
def test_an_endless_training_has_no_progress(max_epochs: int | None) -> None:
    trainer: Any = SimpleNamespace(max_epochs=max_epochs, current_epoch=0, num_training_batches=10)
    with pytest.raises(ValueError, match="max_epochs"):
        training_progress(trainer, 0)


class Record(pl.Callback):
    def __init__(self) -> None:
        self.seen: list[tuple[float, float, float]] = []

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, *arguments: Any) -> None:
        rates = [optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers]
        self.seen.append((module.tau, rates[0], rates[1]))


@pytest.mark.parametrize(
    ("per_epoch", "expected"), [(False, [1.0, 0.75, 0.5, 0.25]), (True, [1.0, 1.0, 0.5, 0.5])]
)
def test_values_and_rates_follow_their_schedules(
    make_search: Callable[..., DifferentiableSearch],
    fit: Callable[..., pl.Trainer],
    tmp_path: Path,
    per_epoch: bool,
    expected: list[float],
) -> None:
    search = make_search(
        weights={"optimizer": partial(torch.optim.SGD, lr=0.2), "lr": Linear(1.0, 0.0)},
        steps={"tau": Linear(8.0, 0.0 + 1e-9), "schedule_per_epoch": per_epoch},
    )
    record = Record()
    fit(search, tmp_path, max_epochs=2, callbacks=[record])
    assert [tau for tau, _, _ in record.seen] == pytest.approx([8.0 * share for share in expected])
    assert [rate for _, rate, _ in record.seen] == pytest.approx([0.2 * share for share in expected])
    # Without a schedule a rate stays as it is.
    assert {rate for _, _, rate in record.seen} == {0.1}
