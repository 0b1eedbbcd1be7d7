"""What a training costs: seconds and images, kept in checkpoints for comparisons at equal cost."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytorch_lightning as pl


class TrainingCost(pl.Callback):
    """Seconds of training epochs without validation, and images that the module counts.

    Attributes:
        images: an image counts once for every path that it went through, forward and backward.
    """

    def __init__(self) -> None:
        self.images = 0
        self._processes = 1
        self._seconds = 0.0
        self._since: float | None = None

    @property
    def spent(self) -> dict[str, float]:
        """Seconds and images up to now."""
        running = 0.0 if self._since is None else time.perf_counter() - self._since
        return {"seconds": self._seconds + running, "images": self.images}

    def resume(self, spent: Mapping[str, float]) -> None:
        """Go on from what a checkpoint says was spent."""
        self._seconds, self.images = spent["seconds"], int(spent["images"])

    def count(self, images: int) -> None:
        """Take in the images that a path was trained with, in each of the processes."""
        self.images += images * self._processes

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._processes = trainer.world_size

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        # A training that goes on in the middle of an epoch sees no start of it.
        self._since = time.perf_counter()

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._since = time.perf_counter()

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._pause()

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if not trainer.sanity_checking:
            self._since = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._pause()

    def _pause(self) -> None:
        self._seconds, self._since = self.spent["seconds"], None
