"""One-shot training of a supernet, for evolution: strictly fair (FairNAS, arXiv 1907.01845) or uniform
single paths (SPOS, arXiv 1904.00420).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer

from dnas.memory import plan_passes
from dnas.memory.passes import Pass
from dnas.nn.supernet import Supernet
from dnas.runs import checkpoint as supernet_checkpoint
from dnas.search.gradient.masks import MaskStrategy, Sample, StrictlyFair, generator_at
from dnas.search.gradient.schedules import Schedule
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from lightning_modules.accuracy import full_precision
from lightning_modules.callbacks import (
    AnnealLearningRates,
    ClipGradients,
    EpochHistory,
    FiniteTraining,
    GracefulInterrupt,
    OnNaN,
    PlanMemory,
    RandomState,
)
from lightning_modules.checks import check_one_shot, check_same_supernet
from lightning_modules.data_protocols import Batch, datamodule_of, serve
from lightning_modules.provenance import describe_data, library_versions, save_plain_hyperparameters
from lightning_modules.saved_order import renumber_states
from lightning_modules.supernet_training import Checkpointing, SupernetTraining


class OneShotSupernet(SupernetTraining):
    """Train all architectures of a space at once; ``dnas refine`` searches among them afterwards.

    Args:
        space: shipped name (moga, fbnet) or YAML file; describes the deployed network.
        width: factor of the space's channels, to search another member of its family.
        resolution: side in pixels of the deployed network's images, the space's own by default; those that
            training sees have the data module's.
        sharing: independent (a block per choice: MoGA, FairNAS) or entangled (slices of one block; learns on
            small budgets).
        num_classes: classes of the data; taken from the data module on the command line.
        in_channels: channels of the images; taken from the data module on the command line.
        stem_stride: stride of the first convolution; 1 keeps small images from vanishing.
        masks: which paths a step trains. StrictlyFair runs one path per choice, sums their gradients and
            updates once; UniformPath runs one path.
        optimizer: optimiser of the weights. Weights that no path of a step used have no gradient and stay.
        lr: factor of the learning rate as a schedule of progress.
        schedule_per_epoch: hold scheduled values constant within an epoch.
        label_smoothing: share of the target spread over all classes.
        clip: maximal gradient norm.
        checkpointing: against running out of memory, as for the differentiable search.
        recalibration_batches: batches for batch-norm statistics before architectures are validated.
        validation_architectures: random architectures whose mean accuracy validation reports.
        seed: decides the paths, and the architectures of the validation.
        on_nan: stop, or rollback: dnas fit goes back once to the newest checkpoint, with lower rates.
        rollback_lr: factor of all learning rates after a rollback.
    """

    def __init__(
        self,
        space: str = "moga",
        sharing: str = "independent",
        num_classes: int | None = None,
        in_channels: int | None = None,
        stem_stride: int | None = None,
        *,
        width: float = 1.0,
        resolution: int | None = None,
        masks: MaskStrategy,
        optimizer: OptimizerCallable,
        lr: Schedule | None = None,
        schedule_per_epoch: bool = False,
        label_smoothing: float = 0.0,
        clip: float | None = None,
        checkpointing: Checkpointing = "none",
        recalibration_batches: int = 8,
        validation_architectures: int = 4,
        seed: int = 0,
        on_nan: OnNaN = "stop",
        rollback_lr: float = 0.1,
    ) -> None:
        check_one_shot(masks, label_smoothing, recalibration_batches, validation_architectures)
        supernet = Supernet(
            SearchSpace.load(space).scale(width=width, resolution=resolution),
            sharing,
            num_classes=num_classes,
            in_channels=in_channels,
            stem_stride=stem_stride,
            checkpointing=checkpointing,
        )
        finite = FiniteTraining(on_nan, rollback_lr)
        super().__init__(supernet, optimizer, recalibration_batches, seed, finite)
        save_plain_hyperparameters(self)
        self.masks, self.label_smoothing = masks, label_smoothing
        # How often every choice was trained, (D, C); of a strictly fair training equal within a row.
        self.updates = np.zeros((len(self.space), self.space.max_choices), dtype=np.int64)
        generator = np.random.default_rng(seed)
        self.samples = [Architecture.random(self.space, generator) for _ in range(validation_architectures)]
        self.monitor = EpochHistory()
        self.own_callbacks = [
            AnnealLearningRates([lr], schedule_per_epoch),
            ClipGradients([clip]),
            PlanMemory(),
            self.finite,
            self.cost,
            self.monitor,
            RandomState(),
            GracefulInterrupt(),
        ]

    def candidates(self) -> Sequence[Architecture]:
        return self.samples

    def passes(self) -> Sequence[Pass]:
        """The forward and backward passes of a step, for the planner of memory."""
        return plan_passes(self.space, self.masks, None, bilevel=False)

    def setup(self, stage: str) -> None:
        serve(self.trainer, "plain", split_alpha=False)

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """One update, with the gradients of all paths that the strategy draws for a step."""
        optimizer = self.optimizers()
        assert isinstance(optimizer, pl.core.optimizer.LightningOptimizer)
        samples = self._draw()
        for sample in samples:
            self.manual_backward(self._loss(batch, sample))
        optimizer.step()
        optimizer.zero_grad()
        self._count(samples)

    def _draw(self) -> tuple[Sample, ...]:
        # The masks are those of alpha = 0, on the CPU: only which paths run matters.
        alpha, valid = torch.zeros(self.updates.shape), torch.from_numpy(self.space.valid)
        return self.masks.draw(alpha, tau=1.0, generator=generator_at(self.seed, 0, self.draws), valid=valid)

    def _loss(self, batch: Batch, sample: Sample) -> Tensor:
        images, labels = batch
        images = images.contiguous(memory_format=torch.channels_last)
        assert sample.active is not None
        # The path itself instead of its one-hot mask: nothing is multiplied by 1.
        logits = self.supernet(images, torch.tensor([choice for (choice,) in sample.active]))
        loss = F.cross_entropy(full_precision(logits), labels, label_smoothing=self.label_smoothing)
        self.log(
            "train_ce",
            loss,
            on_step=False,
            on_epoch=True,
            prog_bar=True,
            batch_size=len(labels),
            sync_dist=True,
        )
        self.finite.watch(loss)
        self.cost.count(len(labels))
        return loss

    def _count(self, samples: Sequence[Sample]) -> None:
        """Count updates of choices; of strictly fair sampling the counts must be equal (FairNAS, eq. 3)."""
        self.draws += 1
        for sample in samples:
            assert sample.active is not None
            for counts, active in zip(self.updates, sample.active, strict=True):
                counts[list(active)] += 1
        if isinstance(self.masks, StrictlyFair):
            for decision, counts in zip(self.space.decisions, self.updates, strict=True):
                if len(set(counts[: len(decision.names)].tolist())) > 1:
                    raise RuntimeError(
                        f"Strict fairness is broken in {decision.name}: updates {counts.tolist()}."
                    )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint[supernet_checkpoint.SECTION] = supernet_checkpoint.section(
            supernet=self.supernet,
            seed=self.seed,
            draws=self.draws,
            versions=library_versions(),
            data=describe_data(datamodule_of(self.trainer)),
            history=self.monitor.history,
            training=self.cost.spent,
        ) | {"updates": self.updates.tolist()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        section = checkpoint.get(supernet_checkpoint.SECTION, {})
        check_same_supernet(section, self.space)
        renumber_states(checkpoint, self, [self.configure_optimizers()])
        self.draws, self.updates = section["draws"], np.array(section["updates"], dtype=np.int64)
        self.cost.resume(section["training"])

    def configure_optimizers(self) -> Optimizer:
        return self.weight_optimizer(self.supernet.parameters())
