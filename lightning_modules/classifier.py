"""Training one architecture, from scratch or from a supernet's weights: what it is really worth.

Images of a batch, and their labels, can be mixed: mixup (arXiv 1710.09412) and CutMix (arXiv 1905.04899).
"""

from __future__ import annotations

import math
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.cli import OptimizerCallable
from pytorch_lightning.utilities import rank_zero_info
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer
from torchvision.transforms import v2

from dnas.nn.network import Network
from dnas.runs.trained import inherit_weights
from dnas.search.gradient.schedules import Schedule
from dnas.space import zoo
from lightning_modules.accuracy import Accuracy, full_precision
from lightning_modules.callbacks import (
    AnnealLearningRates,
    FiniteTraining,
    GracefulInterrupt,
    OnNaN,
    RandomState,
)
from lightning_modules.checks import check_whole_epochs
from lightning_modules.data_protocols import Batch, Normalises, datamodule_of, serve
from lightning_modules.provenance import describe_data, save_plain_hyperparameters
from lightning_modules.saved_order import renumber_states
from lightning_modules.synchronised_norms import synchronise_norms


class Classifier(pl.LightningModule):
    """Train the network of an architecture on the whole training set.

    Args:
        architecture: an architecture file (from ``dnas derive``), or a published network's name (moga_a).
        num_classes: classes of the data; taken from the data module on the command line.
        in_channels: channels of the images; taken from the data module on the command line.
        stem_stride: stride of the first convolution; 1 keeps small images from vanishing.
        optimizer: optimiser of the weights.
        lr: factor of the learning rate as a schedule of progress.
        inherit: checkpoint of a supernet whose weights training begins with; None begins from scratch.
        label_smoothing: share of the target spread over all classes.
        mixup: add pairs of images and their labels, with weights from Beta(mixup, mixup); 0 for never.
        cutmix: paste a rectangle of another image, its share from Beta(cutmix, cutmix); 0 for never. With
            both, a coin decides in every step.
        drop_path: how often the last block's branch is left out, earlier ones' less (stochastic depth).
        decay_norms: False keeps the optimiser's weight decay off norms and biases.
        on_nan: stop, or rollback: dnas fit goes back once to the newest checkpoint, with lower rates.
        rollback_lr: factor of all learning rates after a rollback.

    Raises:
        ValueError: naming every argument that cannot be used.
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
        inherit: str | None = None,
        label_smoothing: float = 0.0,
        mixup: float = 0.0,
        cutmix: float = 0.0,
        drop_path: float = 0.0,
        decay_norms: bool = True,
        on_nan: OnNaN = "stop",
        rollback_lr: float = 0.1,
    ) -> None:
        super().__init__()
        shares = {"label_smoothing": label_smoothing, "drop_path": drop_path}
        problems = [f"{name} must be in [0, 1), got {x}" for name, x in shares.items() if not 0.0 <= x < 1.0]
        problems += mixing_problems(mixup=mixup, cutmix=cutmix)
        if problems:
            raise ValueError(f"Classifier: {'; '.join(problems)}.")
        save_plain_hyperparameters(self)
        self.arch = zoo.load_architecture(architecture)
        network = Network(
            self.arch, num_classes, in_channels=in_channels, stem_stride=stem_stride, drop_path=drop_path
        )
        self.network = network.to(memory_format=torch.channels_last)
        self.optimizer, self.lr, self.decay_norms = optimizer, lr, decay_norms
        self.inherit, self.label_smoothing = inherit, label_smoothing
        self.mix = Mixing(mixup, cutmix, network.classifier.out_features)
        self.finite = FiniteTraining(on_nan, rollback_lr)
        self.metrics = Accuracy(network.classifier.out_features)

    def configure_callbacks(self) -> list[pl.Callback]:
        check_whole_epochs(self.trainer)
        synchronise_norms(self.trainer)
        return [AnnealLearningRates([self.lr]), self.finite, RandomState(), GracefulInterrupt()]

    def setup(self, stage: str) -> None:
        serve(self.trainer, "plain", split_alpha=False)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # It brings weights, and the supernet may be gone by now.
        self.inherit = None
        renumber_states(checkpoint, self, [self.configure_optimizers()])

    def on_fit_start(self) -> None:
        if self.inherit is not None:
            rank_zero_info(inherit_weights(self.network, self.inherit))

    def forward(self, images: Tensor) -> Tensor:
        """(N, in_channels, H, W) images to (N, num_classes) logits."""
        return self.network(images.contiguous(memory_format=torch.channels_last))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        images, targets = self.mix(*batch)
        loss = F.cross_entropy(full_precision(self(images)), targets, label_smoothing=self.label_smoothing)
        self.finite.watch(loss)
        self.log(
            "train_ce",
            loss,
            on_step=False,
            on_epoch=True,
            prog_bar=True,
            batch_size=len(images),
            sync_dist=True,
        )
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
        data = datamodule_of(self.trainer)
        checkpoint["data"] = describe_data(data)
        if isinstance(data, Normalises) and data.normalisation is not None:
            parts = data.normalisation._asdict().items()
            checkpoint["normalisation"] = {part: list(values) for part, values in parts}

    def configure_optimizers(self) -> Optimizer:
        if self.decay_norms:
            return self.optimizer(self.network.parameters())
        weights = [each for each in self.network.parameters() if each.ndim > 1]
        others = [each for each in self.network.parameters() if each.ndim <= 1]
        return self.optimizer([{"params": weights}, {"params": others, "weight_decay": 0.0}])


class Mixing:
    """Mix every image of a batch with another one; with both ways, a coin decides in every step.

    Draws are from torch's global generator of the CPU, so no step waits for a GPU.

    Args:
        mixup: images are added, with weights from Beta(mixup, mixup); 0 for never.
        cutmix: a rectangle of another image is pasted, its share of the area from Beta(cutmix, cutmix); 0 for
            never.
        num_classes: of the labels.
    """

    def __init__(self, mixup: float, cutmix: float, num_classes: int) -> None:
        kinds = ((v2.MixUp, mixup), (v2.CutMix, cutmix))
        ways = [kind(alpha=alpha, num_classes=num_classes) for kind, alpha in kinds if alpha]
        self.mix = v2.RandomChoice(ways) if ways else None

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, H, W) images and (N,) labels to images and (N, classes) shares, or as they are if never."""
        if self.mix is None:
            return images, labels
        mixed: tuple[Tensor, Tensor] = self.mix(images, labels)
        return mixed


def mixing_problems(**parameters: float) -> list[str]:
    """What is wrong with parameters of Beta distributions, 0 for never."""
    return [
        f"{name} must be 0 or a finite number above 0, got {value}"
        for name, value in parameters.items()
        if not 0.0 <= value < math.inf
    ]
