"""Differentiable search: weights and architecture logits trained together (FBNet, arXiv 1812.03443; DARTS'
bilevel scheme, arXiv 1806.09055).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from pytorch_lightning.cli import OptimizerCallable
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer

from dnas.costs import count
from dnas.memory import plan_passes
from dnas.memory.passes import Pass
from dnas.nn.supernet import Supernet
from dnas.runs import checkpoint as search_checkpoint
from dnas.search.gradient.masks import MaskStrategy, Sample
from dnas.search.gradient.objective import Objective, centred
from dnas.search.gradient.relaxation import Expected, Relaxation
from dnas.search.gradient.schedules import Constant, Schedule
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency import load_table
from lightning_modules.callbacks import (
    AlphaWarmup,
    Anneal,
    AnnealLearningRates,
    ClipGradients,
    GracefulInterrupt,
    PlanMemory,
    RandomState,
    SearchFigures,
    SearchMonitor,
)
from lightning_modules.checks import (
    check_arguments,
    check_same_search,
)
from lightning_modules.data_protocols import Alternate, Batch, datamodule_of, serve
from lightning_modules.provenance import describe_data, library_versions, save_plain_hyperparameters
from lightning_modules.supernet_training import Checkpointing, SupernetTraining, full_precision


class DifferentiableSearch(SupernetTraining):
    """Search a space for architectures of low loss and latency.

    Args:
        space: shipped name (moga, fbnet) or YAML file; describes the deployed network.
        table: latency table of that space, shipped name or file.
        sharing: independent (a block per choice) or entangled (slices of one block; learns on small budgets).
        num_classes: classes of the data; taken from the data module on the command line.
        in_channels: channels of the images; taken from the data module on the command line.
        stem_stride: stride of the first convolution; 1 keeps small images from vanishing.
        objective: loss of the architecture (and of the weights, in single-level search).
        weight_masks: how masks are drawn when the weights learn.
        alpha_masks: how masks are drawn when alpha learns; must train alpha.
        weight_optimizer: optimiser of the weights.
        alpha_optimizer: optimiser of alpha.
        bilevel: True: alpha learns from the alpha split, weights from the weights split. False: one loss, one
            batch.
        alternate: bilevel search alternates per step, or per epoch (FBNet: all weights steps, then all alpha
            steps).
        warmup_epochs: epochs before alpha moves.
        tau: temperature of the masks as a schedule of progress.
        latency_scale: strength of all cost terms as a schedule of progress.
        weight_lr: factor of the weights' learning rate as a schedule of progress.
        alpha_lr: factor of alpha's learning rate as a schedule of progress.
        schedule_per_epoch: hold scheduled values constant within an epoch, as FBNet does.
        accumulate: batches whose gradients are averaged into one optimiser step.
        clip_weights: maximal gradient norm of the weights.
        clip_alpha: maximal gradient norm of alpha.
        checkpointing: against running out of memory: keep only the inputs of choices (choice) or of layers
            (block) and compute the rest again in the backward pass; slower, with the same results. With
            data.batch_size auto, the plan to begin with.
        recalibration_batches: batches for batch-norm statistics before one-shot accuracy is measured.
        seed: decides the noise of the masks.
    """

    def __init__(
        self,
        space: str = "moga",
        table: str = "adreno630_mace_calibrated",
        sharing: str = "independent",
        num_classes: int | None = None,
        in_channels: int | None = None,
        stem_stride: int | None = None,
        *,
        objective: Objective,
        weight_masks: MaskStrategy,
        alpha_masks: MaskStrategy,
        weight_optimizer: OptimizerCallable,
        alpha_optimizer: OptimizerCallable,
        bilevel: bool = True,
        alternate: Alternate = "step",
        warmup_epochs: int = 0,
        tau: Schedule | float = 1.0,
        latency_scale: Schedule | float = 1.0,
        weight_lr: Schedule | None = None,
        alpha_lr: Schedule | None = None,
        schedule_per_epoch: bool = False,
        accumulate: int = 1,
        clip_weights: float | None = None,
        clip_alpha: float | None = None,
        recalibration_batches: int = 8,
        checkpointing: Checkpointing = "none",
        seed: int = 0,
    ) -> None:
        schedules = {"tau": _schedule(tau), "latency_scale": _schedule(latency_scale)}
        check_arguments(alpha_masks, accumulate, warmup_epochs, recalibration_batches, schedules)
        supernet = Supernet(
            SearchSpace.load(space),
            sharing,
            num_classes=num_classes,
            in_channels=in_channels,
            stem_stride=stem_stride,
            checkpointing=checkpointing,
        )
        super().__init__(supernet, weight_optimizer, recalibration_batches, seed)
        save_plain_hyperparameters(self)
        self.table = load_table(table, self.space)
        self.relaxation = Relaxation(self.space, count(self.space), self.table, seed)
        self.objective, self.weight_masks, self.alpha_masks = objective, weight_masks, alpha_masks
        self.alpha_optimizer = alpha_optimizer
        self.bilevel, self.alternate, self.accumulate = bilevel, alternate, accumulate
        self.alpha_frozen, self.pending = False, [0, 0]
        self.tau, self.latency_scale = schedules["tau"](0.0), schedules["latency_scale"](0.0)
        self.monitor = SearchMonitor(self.relaxation)
        self.own_callbacks = [
            AlphaWarmup(warmup_epochs),
            Anneal(schedules, schedule_per_epoch),
            AnnealLearningRates([weight_lr, alpha_lr], schedule_per_epoch),
            ClipGradients([clip_weights, clip_alpha]),
            self.monitor,
            SearchFigures(self.monitor, self.table.kind, objective.target_ms),
            PlanMemory(),
            self.finite,
            self.cost,
            RandomState(),
            GracefulInterrupt(),
        ]

    def candidates(self) -> Sequence[Architecture]:
        """The argmax network."""
        return [self.relaxation.best()]

    def passes(self) -> Sequence[Pass]:
        """The forward and backward passes of a step, for the planner of memory."""
        masks = self.weight_masks, self.alpha_masks
        return plan_passes(self.space, *masks, bilevel=self.bilevel, accumulate=self.accumulate)

    def setup(self, stage: str) -> None:
        serve(self.trainer, "search", split_alpha=self.bilevel, alternate=self.alternate)

    def training_step(self, batch: Mapping[str, Batch], batch_idx: int) -> None:
        """One step on ``{"weights": (images, labels), "alpha": (images, labels)}``; either may be absent."""
        if not self.bilevel:
            self._learn(batch["weights"], self.alpha_masks, (0,) if self.alpha_frozen else (0, 1), phase=0)
            return
        if "weights" in batch:
            self._learn(batch["weights"], self.weight_masks, (0,), phase=0)
        else:
            # The weights' phase of the epoch is over: what it accumulated must not wait for the next one.
            self._update(0)
        if "alpha" in batch and not self.alpha_frozen:
            self._learn(batch["alpha"], self.alpha_masks, (1,), phase=1)

    def _learn(self, batch: Batch, masks: MaskStrategy, moving: tuple[int, ...], phase: int) -> None:
        """Draw, forward and backward; update what moves (0: weights, 1: alpha) when enough is accumulated."""
        optimizers = self.optimizers()
        assert isinstance(optimizers, list)
        if len(moving) == 1:
            # Spares the backward pass the gradients that nobody takes.
            self.toggle_optimizer(optimizers[moving[0]])
        for sample in self.relaxation.draw(masks, self.tau, self.draws, phase):
            self.manual_backward(self._loss(batch, sample, costs=1 in moving) / self.accumulate)
        if len(moving) == 1:
            self.untoggle_optimizer(optimizers[moving[0]])
        self.draws += 1
        for index in moving:
            self.pending[index] += 1
            if self.pending[index] >= self.accumulate or self.trainer.is_last_batch:
                self._update(index)

    def _update(self, index: int) -> None:
        if self.pending[index]:
            optimizer = self.optimizers()[index]  # type: ignore[index]
            optimizer.step()
            optimizer.zero_grad()
            self.pending[index] = 0

    def _loss(self, batch: Batch, sample: Sample, costs: bool) -> Tensor:
        images, labels = batch
        logits = self.supernet(images.contiguous(memory_format=torch.channels_last), *sample)
        loss = F.cross_entropy(full_precision(logits), labels)
        log = partial(self.log, on_step=False, on_epoch=True, batch_size=len(labels))
        log("alpha_ce" if costs and self.bilevel else "train_ce", loss, prog_bar=True)
        if costs:
            loss = self.objective(loss, *self._costs(sample.mask), scale=self.latency_scale).total
            log("alpha_loss", loss)
        self.finite.watch(loss, self.current_epoch)
        self.cost.count(len(labels))
        return loss

    def _costs(self, mask: Tensor) -> Expected:
        """Costs of the mask that the forward pass used; for a target form with the expectation's value."""
        costs = self.relaxation.expected(mask)
        if not self.objective.form.compares_with_target:
            return costs
        mean = self.relaxation.expected(self.relaxation.probabilities())
        return costs._replace(latency_ms=centred(costs.latency_ms, mean.latency_ms))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint[search_checkpoint.SECTION] = search_checkpoint.search_section(
            alpha=self.relaxation.alpha,
            table=self.table.identity(),
            supernet=self.supernet,
            seed=self.seed,
            draws=self.draws,
            versions=library_versions(),
            data=describe_data(datamodule_of(self.trainer)),
            history=self.monitor.history,
            training=self.cost.spent,
        )

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        section = checkpoint.get(search_checkpoint.SECTION, {})
        check_same_search(section, self.space, self.table.identity())
        self.draws = section["draws"]
        self.cost.resume(section["training"])

    def configure_optimizers(self) -> list[Optimizer]:
        return [
            self.weight_optimizer(self.supernet.parameters()),
            self.alpha_optimizer(self.relaxation.parameters()),
        ]


def _schedule(value: Schedule | float) -> Schedule:
    return value if isinstance(value, Schedule) else Constant(value)
