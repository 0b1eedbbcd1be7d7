"""Refusing, early and in one sentence, what the search cannot work with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from dnas.space import SearchSpace


class SearchDiverged(ArithmeticError):
    """The loss is not a number any more."""


def check_trainer(trainer: pl.Trainer) -> None:
    """Refuse trainer flags that do nothing under manual optimisation, naming ours.

    Raises:
        ValueError: naming every such flag.
    """
    problems = []
    if trainer.gradient_clip_val is not None:
        problems.append("trainer.gradient_clip_val: use model.clip_weights and model.clip_alpha")
    if trainer.accumulate_grad_batches != 1:
        problems.append("trainer.accumulate_grad_batches: use model.accumulate")
    if problems:
        raise ValueError(
            "The search steps two optimisers by itself, so it cannot take " + "; ".join(problems) + "."
        )


def check_precision(alpha: Tensor) -> None:
    """Alpha must stay in full precision (mixed precision keeps it so); raises ValueError."""
    if alpha.dtype not in (torch.float32, torch.float64):
        raise ValueError(
            f"alpha would be held in {alpha.dtype}, in which Gumbel noise overflows and small updates vanish: "
            "use trainer.precision bf16-mixed or 16-mixed instead of a true half precision."
        )


def check_finite(loss: Tensor, module: pl.LightningModule) -> None:
    """Stop a diverged training before it spoils the weights.

    Raises:
        SearchDiverged: with the position, and what to change.
    """
    if not torch.isfinite(loss):
        raise SearchDiverged(
            f"The loss became {loss.item()} in epoch {module.current_epoch}. The weights were not updated with it; "
            "the checkpoint of the last completed epoch is intact. Lower the learning rate (model.weight_optimizer, "
            "model.alpha_optimizer), or clip gradients (model.clip_weights, model.clip_alpha)."
        )


def check_same_search(section: Mapping[str, Any], space: SearchSpace, table: Mapping[str, Any]) -> None:
    """Refuse to resume a search from a checkpoint of another one.

    Raises:
        ValueError: the checkpoint is not a search's, or of another space or latency table.
    """
    if not section:
        raise ValueError("The checkpoint is not of a differentiable search: it has no section 'dnas'.")
    problems = []
    if SearchSpace.from_dict(section["space"]) != space:
        problems.append(f"its space is another {section['space']['name']}, this search has {space.name}")
    if section["table"]["sha256"] != table["sha256"]:
        problems.append(
            f"it used the latency table {section['table']['name']}, this search has {table['name']}"
        )
    if problems:
        raise ValueError("Cannot resume from this checkpoint: " + "; ".join(problems) + ".")
