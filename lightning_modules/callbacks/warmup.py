"""Training the weights alone for some epochs before the architecture moves (FBNet, ProxylessNAS)."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl


class AlphaWarmup(pl.Callback):
    """Freeze alpha during the first epochs by setting ``module.alpha_frozen``.

    Args:
        epochs: number of epochs in which only the weights learn.
    """

    def __init__(self, epochs: int) -> None:
        if epochs < 0:
            raise ValueError(f"warm-up epochs must not be negative, got {epochs}.")
        self.epochs = epochs

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        # Not at the start of an epoch: a training that goes on in the middle of one sees none.
        module.alpha_frozen = trainer.current_epoch < self.epochs  # type: ignore[assignment]
