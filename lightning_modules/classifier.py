"""Training one architecture from scratch: what a searched network is really worth."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer

from dnas import zoo
from dnas.nn.network import Network
from dnas.search.schedules import Schedule
from lightning_modules.accuracy import Accuracy
from lightning_modules.callbacks import AnnealLearningRates, FiniteLoss, GracefulInterrupt, RandomState
from lightning_modules.provenance import save_plain_hyperparameters

Batch = tuple[Tensor, Tensor]


class Classifier(pl.LightningModule):
    """Train the network of an architecture on the whole training set.

    Args:
        architecture: an architecture file (from ``dnas derive``), or a published network's name (moga_a).
        num_classes: classes of the data; taken from the data module on the command line.
        in_channels: channels of the images; taken from the data module on the command line.
        stem_stride: stride of the first convolution; 1 keeps small images from vanishing.
        optimizer: optimiser of the weights.
        lr: factor of the learning rate as a schedule of progress.
        label_smoothing: share of the target spread over all classes.
    """

    def __init__(
        self,
        architecture: str,
        num_classes: int | None = None,
        in_channels: int | None = None,
        stem_stride: int | None = None,
        *,
        optimizer: OptimizerCallable,
        lr: Schedule | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0.0 <= label_smoothing < 1.0:
            raise ValueError(f"Classifier: label_smoothing must be in [0, 1), got {label_smoothing}.")
        save_plain_hyperparameters(self)
        self.arch = zoo.load_architecture(architecture)
        network = Network(self.arch, num_classes, in_channels=in_channels, stem_stride=stem_stride)
        self.network = network.to(memory_format=torch.channels_last)
        self.optimizer, self.lr, self.label_smoothing = optimizer, lr, label_smoothing
        self.finite = FiniteLoss()
        self.metrics = Accuracy(network.classifier.out_features)

    def configure_callbacks(self) -> list[pl.Callback]:
        return [AnnealLearningRates([self.lr]), self.finite, RandomState(), GracefulInterrupt()]

    def setup(self, stage: str) -> None:
        serve = getattr(self.trainer.datamodule, "serve", None)  # type: ignore[attr-defined]
        if serve is not None:
            serve("plain", split_alpha=False)

    def forward(self, images: Tensor) -> Tensor:
        """(N, in_channels, H, W) images to (N, num_classes) logits."""
        return self.network(images.contiguous(memory_format=torch.channels_last))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        images, labels = batch
        loss = F.cross_entropy(self(images).float(), labels, label_smoothing=self.label_smoothing)
        self.finite.watch(loss, self.current_epoch)
        self.log("train_ce", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(labels))
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Logged as val_top1, val_top5, val_ce."""
        self._evaluate(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Logged as test_top1, test_top5, test_ce."""
        self._evaluate(batch, "test")

    def _evaluate(self, batch: Batch, split: str) -> None:
        images, labels = batch
        logits = self(images)
        self.metrics.log_batch(self, logits, labels, split)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["architecture"] = self.arch.to_dict()

    def configure_optimizers(self) -> Optimizer:
        return self.optimizer(self.network.parameters())
