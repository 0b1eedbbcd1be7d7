"""Stopping a diverged training before a checkpoint holds its weights."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor


class Diverged(ArithmeticError):
    """The loss is not a number any more."""


class FiniteTraining(pl.Callback):
    """Refuses a loss that is not finite; the module shows it every loss.

    A CPU's loss is looked at before it is learnt from. To ask a GPU for it would make the host wait in every
    step, so there it is looked at one step later, and always before a checkpoint is written.

    Args:
        later: types of devices whose losses are looked at one step later.
    """

    def __init__(self, later: Collection[str] = ("cuda",)) -> None:
        self.later = later
        self._waiting: tuple[Tensor, torch.cuda.Event | None, int] | None = None

    def watch(self, loss: Tensor, epoch: int) -> None:
        """Take in a scalar loss; raises :class:`Diverged` for it, or for the one before."""
        if loss.device.type not in self.later:
            _refuse(loss, epoch, "The weights were not updated with it; the")
            return
        self.look()
        self._waiting = (*_on_its_way(loss.detach()), epoch)

    def look(self) -> None:
        """Wait for the last loss that was shown; raises :class:`Diverged` for it."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            value, event, epoch = waiting
            if event is not None:
                event.synchronize()
            _refuse(value, epoch, "The")

    def on_save_checkpoint(
        self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self.look()


def _on_its_way(loss: Tensor) -> tuple[Tensor, torch.cuda.Event | None]:
    if loss.device.type != "cuda":
        return loss.clone(), None
    value = torch.empty((), dtype=loss.dtype, pin_memory=True).copy_(loss, non_blocking=True)
    event = torch.cuda.Event()
    event.record()
    return value, event


def _refuse(loss: Tensor, epoch: int, beginning: str) -> None:
    if not torch.isfinite(loss):
        raise Diverged(
            f"The loss became {loss.item()} in epoch {epoch}. {beginning} checkpoint of the last completed "
            "epoch is intact. Lower the learning rate (model.weights.optimizer, model.alpha.optimizer; "
            "model.optimizer where nothing but weights is trained), or clip gradients (model.weights.clip, "
            "model.alpha.clip)."
        )
