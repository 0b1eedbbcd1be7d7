"""What a training costs: its own seconds, not those of validation, and images of all processes."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl

from lightning_modules.callbacks import TrainingCost


class Clock:
    """A clock that tests set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", clock)
    return clock


def trainer(**facts: Any) -> Any:
    return SimpleNamespace(**({"world_size": 1, "sanity_checking": False} | facts))


def test_validation_does_not_count(clock: Clock) -> None:
    cost, module, now = TrainingCost(), pl.LightningModule(), trainer()
    cost.on_validation_start(trainer(sanity_checking=True), module)
    clock.now = 100.0
    cost.on_validation_end(trainer(sanity_checking=True), module)
    assert cost.spent["seconds"] == 0.0
    cost.on_train_epoch_start(now, module)
    clock.now = 103.0
    assert cost.spent["seconds"] == 3.0
    cost.on_validation_start(now, module)
    clock.now = 150.0
    assert cost.spent["seconds"] == 3.0
    cost.on_validation_end(now, module)
    clock.now = 152.0
    cost.on_train_epoch_end(now, module)
    clock.now = 500.0
    assert cost.spent["seconds"] == 5.0


def test_images_of_all_processes(clock: Clock) -> None:
    cost, module = TrainingCost(), pl.LightningModule()
    cost.on_fit_start(trainer(world_size=4), module)
    cost.count(8)
    cost.count(3)
    assert cost.spent == {"seconds": 0.0, "images": 44}


def test_a_resumed_training_adds_to_what_was_spent(clock: Clock) -> None:
    cost, module = TrainingCost(), pl.LightningModule()
    cost.resume({"seconds": 10.0, "images": 100})
    cost.on_train_epoch_start(trainer(), module)
    cost.count(5)
    clock.now = 2.0
    assert cost.spent == {"seconds": 12.0, "images": 105}


def test_the_rest_of_an_epoch_that_is_resumed_counts(clock: Clock) -> None:
    """Lightning calls no start of that epoch."""
    cost, module, now = TrainingCost(), pl.LightningModule(), trainer()
    cost.on_train_start(now, module)
    clock.now = 3.0
    cost.on_train_epoch_end(now, module)
    assert cost.spent["seconds"] == 3.0
