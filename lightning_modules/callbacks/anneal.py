"""Setting attributes and learning rates from schedules of training progress, anew before every batch.

Nothing is remembered, so a resumed run continues exactly: a value depends on the position in training alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl

from dnas.search.gradient.schedules import Schedule


def training_progress(trainer: pl.Trainer, batch_idx: int, per_epoch: bool = False) -> float:
    """Position in training, from 0 to below 1.

    Args:
        per_epoch: count whole epochs only, so that a schedule is constant within an epoch.

    Raises:
        ValueError: the trainer has no ``max_epochs``, so that nobody can say how far training is.
    """
    if not trainer.max_epochs or trainer.max_epochs < 0:
        raise ValueError(
            "Schedules need to know the length of training: set trainer.max_epochs to a number above 0."
        )
    batches = trainer.num_training_batches
    within = 0.0 if per_epoch or batches in (0, float("inf")) else batch_idx / batches
    return min((trainer.current_epoch + within) / trainer.max_epochs, 1.0)


class Anneal(pl.Callback):
    """Set attributes of the module, for instance its temperature ``tau``, from schedules.

    Args:
        schedules: attribute name to schedule.
        per_epoch: hold values constant within an epoch.
    """

    def __init__(self, schedules: Mapping[str, Schedule], per_epoch: bool = False) -> None:
        self.schedules, self.per_epoch = dict(schedules), per_epoch

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        progress = training_progress(trainer, batch_idx, self.per_epoch)
        for name, schedule in self.schedules.items():
            setattr(module, name, schedule(progress))


class AnnealLearningRates(pl.Callback):
    """Multiply every optimiser's initial learning rate by a schedule (1 = the rate it was made with).

    Args:
        factors: one schedule per optimiser, in the order of ``configure_optimizers``; None leaves it alone.
        per_epoch: hold rates constant within an epoch.
    """

    def __init__(self, factors: Sequence[Schedule | None], per_epoch: bool = False) -> None:
        self.factors, self.per_epoch = list(factors), per_epoch

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        progress = training_progress(trainer, batch_idx, self.per_epoch)
        for optimizer, factor in zip(trainer.optimizers, self.factors, strict=True):
            if factor is None:
                continue
            for group in optimizer.param_groups:
                group.setdefault("initial_lr", group["lr"])
                group["lr"] = group["initial_lr"] * factor(progress)
