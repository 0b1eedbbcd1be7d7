"""Gradient clipping that works under manual optimisation and under a gradient scaler."""

from __future__ import annotations

from collections.abc import Sequence

import pytorch_lightning as pl
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer


class ClipGradients(pl.Callback):
    """Clip the gradient norm of each optimiser's parameters.

    Lightning's own ``gradient_clip_val`` is refused with manual optimisation. This hook runs after the
    gradients have been unscaled (fp16) and accumulated, before the step.

    Args:
        norms: one maximal norm per optimiser, in the order of ``configure_optimizers``; None does not clip.
    """

    def __init__(self, norms: Sequence[float | None]) -> None:
        bad = [norm for norm in norms if norm is not None and not norm > 0]
        if bad:
            raise ValueError(f"gradient norms to clip at must be above 0, got {bad}.")
        self.norms = list(norms)

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        norm = self.norms[trainer.optimizers.index(optimizer)]
        if norm is not None:
            clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], norm)
