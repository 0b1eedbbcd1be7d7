"""What a training is doing, once per epoch; of a search: latency, size, entropy and one-shot accuracy."""

from __future__ import annotations

import math
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities import rank_zero_warn

from dnas.search.gradient.relaxation import Relaxation


class EpochHistory(pl.Callback):
    """Keep all epochs' metrics in checkpoints."""

    def __init__(self) -> None:
        self.history: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._record(trainer, {})

    def _record(self, trainer: pl.Trainer, metrics: dict[str, float]) -> None:
        logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.history.append({"epoch": float(trainer.current_epoch), **logged, **metrics})

    def state_dict(self) -> dict[str, Any]:
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history = list(state_dict["history"])


class SearchMonitor(EpochHistory):
    """Log the state of alpha after every epoch and keep all epochs' metrics in checkpoints.

    Args:
        relaxation: alpha and its costs.
        collapse_below: warn when a layer's entropy over its maximum falls below this in the first half of
            training.
    """

    def __init__(self, relaxation: Relaxation, collapse_below: float = 0.02) -> None:
        super().__init__()
        self.relaxation, self.collapse_below = relaxation, collapse_below
        self._warned = False

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        metrics = self.relaxation.describe() | _scheduled(trainer, module)
        module.log_dict(metrics)
        self._warn_on_collapse(trainer)
        self._record(trainer, metrics)

    def _warn_on_collapse(self, trainer: pl.Trainer) -> None:
        if self._warned or not trainer.max_epochs or trainer.current_epoch + 1 > trainer.max_epochs / 2:
            return
        rows = zip(self.relaxation.space.decisions, self.relaxation.layer_entropy().tolist(), strict=True)
        collapsed = [
            each.name
            for each, nats in rows
            if len(each.names) > 1 and nats < self.collapse_below * math.log(len(each.names))
        ]
        if collapsed:
            self._warned = True
            rank_zero_warn(
                f"alpha has all but decided {', '.join(collapsed)} in the first half of the search. A longer "
                "warm-up, a smaller learning rate of alpha or a weaker latency term keeps the choice open "
                "for longer."
            )


def _scheduled(trainer: pl.Trainer, module: pl.LightningModule) -> dict[str, float]:
    """What schedules set, as it was in the epoch's last step."""
    rates = zip(("weight_lr", "alpha_lr"), trainer.optimizers, strict=True)
    metrics = {name: optimizer.param_groups[0]["lr"] for name, optimizer in rates}
    return {**metrics, "tau": module.tau, "latency_scale": module.latency_scale}
