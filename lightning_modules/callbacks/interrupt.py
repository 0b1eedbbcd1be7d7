"""Ctrl-C that loses nothing: finish the step, save a checkpoint, say how to go on."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities import rank_zero_info


class GracefulInterrupt(pl.Callback):
    """Turn the first Ctrl-C into a checkpoint between two steps; a second one stops at once.

    The checkpoint is ``checkpoints/interrupted.ckpt`` in the run's folder. Training resumed from it continues
    with the next batch and ends bit-identical to a run that was never interrupted. Gradients are not saved:
    with gradient accumulation the batches of the present optimiser step are finished first. With several
    processes all stop at the same batch, whichever of them the signal reached.
    """

    def __init__(self) -> None:
        self._requested = False
        self._consistent = False
        self._previous: Any = None

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._requested = self._consistent = False
        # Only the main thread may install handlers; elsewhere (notebooks' workers) Ctrl-C keeps its meaning.
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._request)

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self._requested:
            raise KeyboardInterrupt
        self._requested = True
        rank_zero_info("\nStopping after this step (Ctrl-C again stops at once, without a checkpoint) ...")

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        # Here the previous batch counts as completed and nothing of the next one has happened.
        if any(getattr(module, "pending", ())):
            return
        requested = self._requested
        if trainer.world_size > 1:
            requested = trainer.strategy.reduce_boolean_decision(requested, all=False)
        if requested:
            self._consistent = True
            raise KeyboardInterrupt

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        if isinstance(exception, KeyboardInterrupt) and self._consistent:
            path = Path(trainer.default_root_dir) / "checkpoints" / "interrupted.ckpt"
            trainer.save_checkpoint(path)
            rank_zero_info(f"Saved {path}\nGo on with the same command and --ckpt_path {path}")
        self._restore()

    def teardown(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        self._restore()

    def _restore(self) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
            self._previous = None
