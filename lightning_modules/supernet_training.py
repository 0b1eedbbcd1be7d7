"""What trainings of a supernet share: steps of their own, and candidates validated as they will be ranked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.cli import OptimizerCallable
from pytorch_lightning.utilities import rank_zero_warn

from dnas.nn.supernet import Supernet
from dnas.runs.evaluator import recalibrate
from dnas.space.architecture import Architecture
from lightning_modules.accuracy import Accuracy
from lightning_modules.callbacks import FiniteTraining, TrainingCost
from lightning_modules.checks import check_trainer
from lightning_modules.data_protocols import Batch, ServesRecalibration, datamodule_of
from lightning_modules.synchronised_norms import SynchronisedNorms, synchronise_norms

Checkpointing = Literal["none", "choice", "block"]


class SupernetTraining(pl.LightningModule, ABC):
    """Holds a supernet, its counters and the validation of candidates; a subclass adds ``own_callbacks``.

    Args:
        supernet: what is trained.
        weight_optimizer: optimiser of its weights.
        recalibration_batches: batches for batch-norm statistics before candidates are validated.
        seed: decides what is drawn.
        finite: watches its losses.
    """

    own_callbacks: list[pl.Callback]

    def __init__(
        self,
        supernet: Supernet,
        weight_optimizer: OptimizerCallable,
        recalibration_batches: int,
        seed: int,
        finite: FiniteTraining,
    ) -> None:
        super().__init__()
        if supernet.unshared:
            rank_zero_warn(
                f"Blocks of type {', '.join(supernet.unshared)} are no slices of a larger one: under "
                "entangled sharing each keeps weights of its own."
            )
        self.automatic_optimization = False
        self.supernet = supernet.to(memory_format=torch.channels_last)
        self.space, self.weight_optimizer = supernet.space, weight_optimizer
        self.recalibration_batches, self.seed, self.draws = recalibration_batches, seed, 0
        self.finite, self.cost = finite, TrainingCost()
        self.metrics = Accuracy(self.num_classes)

    @property
    def num_classes(self) -> int:
        """Classes of the data."""
        return self.supernet.classifier.out_features

    @abstractmethod
    def candidates(self) -> Sequence[Architecture]:
        """The architectures whose mean accuracy validation reports, at least one."""

    def configure_callbacks(self) -> list[pl.Callback]:
        check_trainer(self.trainer)
        synchronise_norms(self.trainer)
        return self.own_callbacks

    def on_validation_epoch_start(self) -> None:
        """One-shot accuracy is measured as candidates will be ranked: with batch norms of their own."""
        data = datamodule_of(self.trainer)
        networks = [self.supernet.extract(architecture) for architecture in self.candidates()]
        if isinstance(data, ServesRecalibration) and self.recalibration_batches:
            for network in networks:
                # All processes see all of these batches.
                SynchronisedNorms().revert(network)
                batches = map(self.trainer.precision_plugin.convert_input, data.recalibration_dataloader())
                recalibrate(network, batches, self.recalibration_batches)
        # Bound methods, not modules: their weights are no parameters of this one.
        self.validated = [network.eval().__call__ for network in networks]

    on_test_epoch_start = on_validation_epoch_start

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Mean over the candidates; logged as val_top1, val_top5, val_ce."""
        self._evaluate(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """The same on the test split; logged as test_top1, test_top5, test_ce."""
        self._evaluate(batch, "test")

    def _evaluate(self, batch: Batch, split: str) -> None:
        images, labels = batch
        images = images.contiguous(memory_format=torch.channels_last)
        logits = torch.cat([network(images) for network in self.validated])
        self.metrics.log_batch(self, logits, labels.repeat(len(self.validated)), split)
