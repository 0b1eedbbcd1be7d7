"""Keeping torch's random state in checkpoints, so that dropout continues where it stopped."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch


class RandomState(pl.Callback):
    """Save torch's CPU and CUDA generators and restore them before the first resumed batch.

    Everything else that is random here (masks, order and augmentation of images) is a function of seeds and
    positions and needs no state. Each process restores the state of rank 0 when there are several.
    """

    def __init__(self) -> None:
        self._restored: dict[str, Any] | None = None

    def on_save_checkpoint(
        self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if self._restored is not None:
            # Not one batch was done since this was read.
            checkpoint["random_state"] = self._restored
            return
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        checkpoint["random_state"] = {"cpu": torch.get_rng_state(), "cuda": cuda}

    def on_load_checkpoint(
        self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._restored = checkpoint.get("random_state")

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        state, self._restored = self._restored, None
        if state is None:
            return
        torch.set_rng_state(state["cpu"].cpu())
        if len(state["cuda"]) == torch.cuda.device_count() > 0:
            torch.cuda.set_rng_state_all([each.cpu() for each in state["cuda"]])
