"""Differentiable search: weights and architecture logits trained together (FBNet, arXiv 1812.03443; DARTS'
bilevel scheme, arXiv 1806.09055).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer

from dnas.costs import count
from dnas.device_tables import DeviceTables, load_device_tables
from dnas.memory import plan_passes
from dnas.memory.passes import Pass
from dnas.nn.supernet import Supernet
from dnas.runs import checkpoint as search_checkpoint
from dnas.search.gradient.devices import Across, JointLatency, WeightedMean
from dnas.search.gradient.masks import MaskStrategy, Sample
from dnas.search.gradient.objective import Objective
from dnas.search.gradient.relaxation import Expected, Relaxation
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency import load_table
from lightning_modules.accuracy import full_precision
from lightning_modules.callbacks import (
    AlphaWarmup,
    Anneal,
    AnnealLearningRates,
    ClipGradients,
    FiniteTraining,
    GracefulInterrupt,
    OnNaN,
    PlanMemory,
    RandomState,
    SearchFigures,
    SearchMonitor,
)
from lightning_modules.checks import (
    check_arguments,
    check_same_search,
)
from lightning_modules.data_protocols import Batch, datamodule_of, serve
from lightning_modules.provenance import describe_data, library_versions, save_plain_hyperparameters
from lightning_modules.saved_order import renumber_states
from lightning_modules.search_settings import Learner, Steps
from lightning_modules.supernet_training import Checkpointing, SupernetTraining

_ALTERNATING = Steps()


class DifferentiableSearch(SupernetTraining):
    """Search a space for architectures of low loss and latency.

    Args:
        space: shipped name (moga, fbnet) or YAML file; describes the deployed network.
        width: factor of the space's channels, to search another member of its family.
        resolution: side in pixels of the deployed network's images, the space's own by default; those that
            training sees have the data module's.
        table: latency table of that space, shipped name or file; for several devices a list of
            ``DEVICE=TABLE``, as in ``[pixel4=adreno640_tflite2.10, s10=mali_g76_tflite2.10]``.
        sharing: independent (a block per choice) or entangled (slices of one block; learns on small budgets).
        num_classes: classes of the data; taken from the data module on the command line.
        in_channels: channels of the images; taken from the data module on the command line.
        stem_stride: stride of the first convolution; 1 keeps small images from vanishing.
        objective: loss of the architecture (and of the weights, in single-level search).
        weights: masks, optimiser, learning rate and clipping of the weights.
        alpha: the same of alpha; its masks must train alpha.
        steps: who learns when, and the schedules.
        checkpointing: against running out of memory: keep only the inputs of choices (choice) or of layers
            (block) and compute the rest again in the backward pass; slower, with the same results. With
            data.batch_size auto, the plan to begin with.
        recalibration_batches: batches for batch-norm statistics before one-shot accuracy is measured.
        seed: decides the noise of the masks.
        across: how latencies of several devices are joined: WeightedMean (the default) or WorstCase, in
            :mod:`dnas.search.gradient.devices`.
        on_nan: stop, or rollback: dnas fit goes back once to the newest checkpoint, with lower rates.
        rollback_lr: factor of all learning rates after a rollback.
    """

    def __init__(
        self,
        space: str = "moga",
        table: str | list[str] = "adreno630_mace_calibrated",
        sharing: str = "independent",
        num_classes: int | None = None,
        in_channels: int | None = None,
        stem_stride: int | None = None,
        *,
        width: float = 1.0,
        resolution: int | None = None,
        objective: Objective,
        weights: Learner,
        alpha: Learner,
        steps: Steps = _ALTERNATING,
        checkpointing: Checkpointing = "none",
        recalibration_batches: int = 8,
        seed: int = 0,
        across: Across | None = None,
        on_nan: OnNaN = "stop",
        rollback_lr: float = 0.1,
    ) -> None:
        check_arguments(alpha.masks, steps, recalibration_batches)
        supernet = Supernet(
            SearchSpace.load(space).scale(width=width, resolution=resolution),
            sharing,
            num_classes=num_classes,
            in_channels=in_channels,
            stem_stride=stem_stride,
            checkpointing=checkpointing,
        )
        finite = FiniteTraining(on_nan, rollback_lr)
        super().__init__(supernet, weights.optimizer, recalibration_batches, seed, finite)
        save_plain_hyperparameters(self)
        self.tables = _load_tables(table, self.space)
        self.table = next(iter(self.tables.values()))
        joint = _join(self.tables, across)
        self.relaxation = Relaxation(self.space, count(self.space), self.table, seed, joint)
        self.objective, self.weights, self.alpha, self.steps = objective, weights, alpha, steps
        self.alpha_frozen, self.pending = False, [0, 0]
        self.tau, self.latency_scale = (schedule(0.0) for schedule in steps.schedules.values())
        self.monitor = SearchMonitor(self.relaxation)
        self.own_callbacks = [
            AlphaWarmup(steps.warmup_epochs),
            Anneal(steps.schedules, steps.schedule_per_epoch),
            AnnealLearningRates([weights.lr, alpha.lr], steps.schedule_per_epoch),
            ClipGradients([weights.clip, alpha.clip]),
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
        masks, steps = (self.weights.masks, self.alpha.masks), self.steps
        return plan_passes(self.space, *masks, bilevel=steps.bilevel, accumulate=steps.accumulate)

    def setup(self, stage: str) -> None:
        serve(self.trainer, "search", split_alpha=self.steps.bilevel, alternate=self.steps.alternate)

    def training_step(self, batch: Mapping[str, Batch], batch_idx: int) -> None:
        """One step on ``{"weights": (images, labels), "alpha": (images, labels)}``; either may be absent."""
        if not self.steps.bilevel:
            self._learn(batch["weights"], self.alpha.masks, (0,) if self.alpha_frozen else (0, 1), phase=0)
            return
        if "weights" in batch:
            self._learn(batch["weights"], self.weights.masks, (0,), phase=0)
        else:
            # The weights' phase of the epoch is over: what it accumulated must not wait for the next one.
            self._update(0)
        if "alpha" in batch and not self.alpha_frozen:
            self._learn(batch["alpha"], self.alpha.masks, (1,), phase=1)

    def _learn(self, batch: Batch, masks: MaskStrategy, moving: tuple[int, ...], phase: int) -> None:
        """Draw, forward and backward; update what moves (0: weights, 1: alpha) when enough is accumulated."""
        optimizers = self.optimizers()
        assert isinstance(optimizers, list)
        if len(moving) == 1:
            # Spares the backward pass the gradients that nobody takes.
            self.toggle_optimizer(optimizers[moving[0]])
        for sample in self.relaxation.draw(masks, self.tau, self.draws, phase):
            self.manual_backward(self._loss(batch, sample, costs=1 in moving) / self.steps.accumulate)
        if len(moving) == 1:
            self.untoggle_optimizer(optimizers[moving[0]])
        self.draws += 1
        for index in moving:
            self.pending[index] += 1
            if self.pending[index] >= self.steps.accumulate or self.trainer.is_last_batch:
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
        log = partial(self.log, on_step=False, on_epoch=True, batch_size=len(labels), sync_dist=True)
        log("alpha_ce" if costs and self.steps.bilevel else "train_ce", loss, prog_bar=True)
        if costs:
            loss = self.objective(loss, *self._costs(sample.mask), scale=self.latency_scale).total
            log("alpha_loss", loss)
        self.finite.watch(loss)
        self.cost.count(len(labels))
        return loss

    def _costs(self, mask: Tensor) -> Expected:
        """Costs of the mask that the forward pass used; for a target form with the expectation's value."""
        if self.objective.form.compares_with_target:
            return self.relaxation.centred(mask)
        return self.relaxation.expected(mask)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint[search_checkpoint.SECTION] = search_checkpoint.search_section(
            alpha=self.relaxation.alpha,
            tables=self._identities(),
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
        check_same_search(section, self.space, self._identities())
        renumber_states(checkpoint, self, self.configure_optimizers())
        self.draws = section["draws"]
        self.cost.resume(section["training"])

    def _identities(self) -> dict[str, dict[str, str]]:
        return {device: table.identity() for device, table in self.tables.items()}

    def configure_optimizers(self) -> list[Optimizer]:
        return [
            self.weight_optimizer(self.supernet.parameters()),
            self.alpha.optimizer(self.relaxation.parameters()),
        ]


def _load_tables(table: str | list[str], space: SearchSpace) -> DeviceTables:
    if not isinstance(table, str):
        return load_device_tables(table, space, load_table, option="model.table")
    loaded = load_table(table, space)
    return {loaded.name: loaded}


def _join(tables: DeviceTables, across: Across | None) -> JointLatency | None:
    if len(tables) > 1:
        return JointLatency(tables, across or WeightedMean())
    if across is not None:
        raise ValueError(
            "model.across joins the latencies of several devices, and model.table is the table of one: leave "
            "it out, or give a list of tables, as in [pixel4=TABLE, s10=TABLE]"
        )
    return None
