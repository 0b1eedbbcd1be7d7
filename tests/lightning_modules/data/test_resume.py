"""A Lightning fit that is interrupted and resumed sees, and does, exactly what an uninterrupted one does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_modules.data import Digits

EPOCHS, STEPS = 3, 3


class Interrupted(Exception):
    """Stands for whatever ends a run."""


class Recorder(pl.LightningModule):
    """A linear model that notes a checksum of every batch it is trained on."""

    def __init__(self, automatic: bool) -> None:
        super().__init__()
        self.automatic_optimization = automatic
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(8 * 8, 10))
        self.seen: list[tuple[int, int, str, float]] = []

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        for part, (images, labels) in batch.items():
            self.seen.append((self.current_epoch, batch_idx, part, images.sum().item() + labels.sum().item()))
        loss = sum(F.cross_entropy(self.net(images), labels) for images, labels in batch.values())
        if not self.automatic_optimization:
            optimizer = self.optimizers()
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.net(batch[0])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


class SaveAndStop(pl.Callback):
    """Saves a checkpoint in one hook of one step, then raises."""

    def __init__(self, hook: str, epoch: int, step: int, path: Path) -> None:
        self.epoch, self.step, self.path = epoch, step, path
        setattr(self, hook, self._stop)

    def _stop(self, trainer: pl.Trainer, *_: Any) -> None:
        if (trainer.current_epoch, trainer.fit_loop.batch_idx) == (self.epoch, self.step):
            trainer.save_checkpoint(self.path)
            raise Interrupted


class StopBeforeStep(Recorder):
    """Raises in the middle of one training step, before it changes anything."""

    stop_at: tuple[int, int]

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        if (self.current_epoch, batch_idx) == self.stop_at:
            raise Interrupted
        return super().training_step(batch, batch_idx)


class SaveOnException(pl.Callback):
    def __init__(self, path: Path) -> None:
        self.path = path

    def on_exception(self, trainer: pl.Trainer, *_: Any) -> None:
        trainer.save_checkpoint(self.path)


def digits(**options: Any) -> Digits:
    options = {"resolution": 8, "in_channels": 1, "batch_size": 350, **options}
    return Digits(alpha_fraction=0.2, val_fraction=0.05, test_fraction=0.05, **options)


def fit(module: Recorder, callbacks: list[pl.Callback], data: Digits, root: Path, **options: Any) -> Recorder:
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=options.pop("max_epochs", EPOCHS),
        max_steps=options.pop("max_steps", -1),
        callbacks=callbacks,
        default_root_dir=root,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(module, data, **options)
    return module


def recorder(automatic: bool, kind: type[Recorder] = Recorder) -> Recorder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return kind(automatic)


def assert_same_end(resumed: Recorder, whole: Recorder) -> None:
    for name, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name


# Hooks in which checkpoints are written: in the first and a later epoch, at the last batch and before.
MOMENTS = [
    ("on_train_batch_end", 0, 0),
    ("on_train_batch_end", 1, 1),
    ("on_train_batch_end", 1, STEPS - 1),
    ("on_validation_end", 1, STEPS - 1),
    ("on_train_epoch_end", 1, STEPS - 1),
]


@pytest.mark.parametrize("limit", ["epochs", "steps"])
@pytest.mark.parametrize("automatic", [True, False], ids=["automatic", "manual"])
@pytest.mark.parametrize(("hook", "epoch", "step"), MOMENTS)
def test_resumed_run_is_the_uninterrupted_run(
    tmp_path: Path, hook: str, epoch: int, step: int, automatic: bool, limit: str
) -> None:
    limits = {"max_steps": EPOCHS * STEPS, "max_epochs": -1} if limit == "steps" else {}
    whole = fit(recorder(automatic), [], digits(), tmp_path, **limits)
    path = tmp_path / "stopped.ckpt"
    first = recorder(automatic)
    with pytest.raises(Interrupted):
        fit(first, [SaveAndStop(hook, epoch, step, path)], digits(), tmp_path, **limits)
    second = fit(recorder(automatic), [], digits(), tmp_path, ckpt_path=path, weights_only=True, **limits)
    assert first.seen + second.seen == whole.seen
    assert len(first.seen) == 2 * (epoch * STEPS + step + 1)
    assert_same_end(second, whole)


@pytest.mark.parametrize("options", [{"prepare_on": "device"}, {"num_workers": 2}], ids=str)
def test_where_and_by_whom_batches_are_made_changes_nothing(tmp_path: Path, options: dict[str, Any]) -> None:
    whole = fit(recorder(False), [], digits(), tmp_path)
    path = tmp_path / "stopped.ckpt"
    first = recorder(False)
    with pytest.raises(Interrupted):
        fit(first, [SaveAndStop("on_train_batch_end", 1, 1, path)], digits(**options), tmp_path)
    second = fit(recorder(False), [], digits(**options), tmp_path, ckpt_path=path)
    assert first.seen + second.seen == whole.seen
    assert_same_end(second, whole)


@pytest.mark.parametrize("automatic", [True, False], ids=["automatic", "manual"])
def test_a_batch_whose_step_did_not_end_is_trained_on_again(tmp_path: Path, automatic: bool) -> None:
    whole = fit(recorder(automatic), [], digits(), tmp_path)
    path = tmp_path / "stopped.ckpt"
    first = recorder(automatic, StopBeforeStep)
    first.stop_at = (1, 1)
    with pytest.raises(Interrupted):
        fit(first, [SaveOnException(path)], digits(), tmp_path)
    second = fit(recorder(automatic), [], digits(), tmp_path, ckpt_path=path)
    assert first.seen + second.seen == whole.seen
    assert_same_end(second, whole)
