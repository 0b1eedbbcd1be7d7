"""Refusing, early and in one sentence, what the search cannot work with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Timer
from pytorch_lightning.strategies import DDPStrategy, SingleDeviceStrategy, Strategy

from dnas.runs.checkpoint import ONE_SHOT, SEARCH
from dnas.search.gradient.masks import MaskStrategy
from dnas.space import SearchSpace
from lightning_modules.search_settings import Steps

_DDP = "ddp_find_unused_parameters_true"


def check_arguments(alpha_masks: MaskStrategy, steps: Steps, recalibration_batches: int) -> None:
    """Refuse what a search cannot be made with.

    Raises:
        ValueError: naming every such argument of :class:`lightning_modules.search.DifferentiableSearch`.
    """
    problems = []
    if not alpha_masks.trains_alpha:
        problems.append(
            f"alpha.masks: {type(alpha_masks).__name__} does not depend on alpha, which could never learn"
        )
    problems += [f"steps.{each}" for each in steps.problems()]
    if recalibration_batches < 0:
        problems.append(f"recalibration_batches must be at least 0, got {recalibration_batches}")
    if problems:
        raise ValueError("DifferentiableSearch: " + "; ".join(problems))


def check_trainer(trainer: pl.Trainer) -> None:
    """Refuse trainer flags that cannot work with the search, naming those to use instead.

    Raises:
        ValueError: naming every such flag.
    """
    check_whole_epochs(trainer)
    problems = _strategy_problems(trainer.strategy)
    if trainer.gradient_clip_val is not None:
        problems.append("trainer.gradient_clip_val: use model.weights.clip and model.alpha.clip")
    if trainer.accumulate_grad_batches != 1:
        problems.append("trainer.accumulate_grad_batches: use model.steps.accumulate")
    if trainer.precision in ("16-true", "bf16-true"):
        problems.append(
            f"trainer.precision {trainer.precision}, in which Gumbel noise overflows and small updates of "
            "alpha vanish: use bf16-mixed or 16-mixed, which keep alpha in float32"
        )
    if problems:
        raise ValueError(
            "The search steps two optimisers by itself and runs a part of its weights in every step, so it "
            f"cannot take {'; '.join(problems)}."
        )


def _strategy_problems(strategy: Strategy) -> list[str]:
    if isinstance(strategy, SingleDeviceStrategy):
        return []
    if not isinstance(strategy, DDPStrategy):
        return [f"trainer.strategy {type(strategy).__name__}: use one device, or {_DDP}"]
    # Without it DDP waits for gradients of the choices that were not drawn, and fails in the second step.
    if not strategy._ddp_kwargs.get("find_unused_parameters"):
        return [f"trainer.strategy ddp: use {_DDP}"]
    return []


def check_whole_epochs(trainer: pl.Trainer) -> None:
    """Refuse limits that end a training within an epoch, and counts of nothing.

    Lightning counts the epoch in which it stops as a whole one, and saves it so: a training that is resumed
    from there leaves out the rest of it.

    Raises:
        ValueError: naming every such flag, and what to use instead.
    """
    # Lightning divides by them.
    counts = ("check_val_every_n_epoch", "accumulate_grad_batches")
    given = {name: getattr(trainer, name) for name in counts}
    wrong = {name: number for name, number in given.items() if number is not None and number < 1}
    if wrong:
        raise ValueError(
            "; ".join(f"trainer.{name} must be at least 1, got {n}" for name, n in wrong.items())
        )
    problems = []
    if trainer.max_steps != -1 and not trainer.fast_dev_run:  # type: ignore[attr-defined]
        problems.append("trainer.max_steps (which counts those of every optimiser): use trainer.max_epochs")
    if any(isinstance(callback, Timer) for callback in trainer.callbacks):  # type: ignore[attr-defined]
        problems.append(
            "trainer.max_time: send SIGUSR1 when the time is over, as 'timeout --signal=USR1 2h dnas fit' "
            "does, and go on with --resume"
        )
    if problems:
        raise ValueError(
            "A training that stops within an epoch and is resumed would leave out the rest of that epoch, so "
            f"it cannot take {'; '.join(problems)}."
        )


def check_one_shot(
    masks: MaskStrategy, label_smoothing: float, recalibration_batches: int, validation_architectures: int
) -> None:
    """Refuse what a one-shot supernet cannot be trained with.

    Raises:
        ValueError: naming every such argument of :class:`lightning_modules.one_shot.OneShotSupernet`.
    """
    problems = []
    if masks.trains_alpha:
        problems.append(
            f"masks: {type(masks).__name__} follows alpha, which a one-shot supernet has not; use "
            "dnas.search.gradient.masks.StrictlyFair or dnas.search.gradient.masks.UniformPath"
        )
    if not 0.0 <= label_smoothing < 1.0:
        problems.append(f"label_smoothing must be in [0, 1), got {label_smoothing}")
    if recalibration_batches < 0:
        problems.append(f"recalibration_batches must be at least 0, got {recalibration_batches}")
    if validation_architectures < 1:
        problems.append(f"validation_architectures must be at least 1, got {validation_architectures}")
    if problems:
        raise ValueError("OneShotSupernet: " + "; ".join(problems))


def check_same_supernet(section: Mapping[str, Any], space: SearchSpace) -> None:
    """Refuse to resume one-shot training from a checkpoint of something else.

    Raises:
        ValueError: the checkpoint is not a one-shot supernet's, or of another space.
    """
    if section.get("format") != ONE_SHOT:
        raise ValueError("The checkpoint is not of a one-shot supernet but of something else.")
    if SearchSpace.from_dict(section["space"]) != space:
        raise ValueError(
            f"Cannot resume from this checkpoint: its space is another {section['space']['name']}, this "
            f"training has {space.name}."
        )


def check_same_search(
    section: Mapping[str, Any], space: SearchSpace, tables: Mapping[str, Mapping[str, Any]]
) -> None:
    """Refuse to resume a search from a checkpoint of another one.

    Args:
        tables: what is known of the table of each device.

    Raises:
        ValueError: the checkpoint is not a search's, or of another space or latency table.
    """
    if section.get("format") != SEARCH:
        raise ValueError(
            "The checkpoint is not of a differentiable search: it was written by something else."
        )
    problems = []
    if SearchSpace.from_dict(section["space"]) != space:
        problems.append(f"its space is another {section['space']['name']}, this search has {space.name}")
    used = section.get("tables") or {"": section["table"]}
    now = tables if len(tables) > 1 else {"": next(iter(tables.values()))}
    # In order: it decides whose milliseconds the joint latency is in.
    if [(device, each["sha256"]) for device, each in used.items()] != [
        (device, each["sha256"]) for device, each in now.items()
    ]:
        problems.append(f"it used the latency table {_listed(used)}, this search has {_listed(now)}")
    if problems:
        raise ValueError("Cannot resume from this checkpoint: " + "; ".join(problems) + ".")


def _listed(tables: Mapping[str, Mapping[str, Any]]) -> str:
    named = {device: table["name"] for device, table in tables.items()}
    return ", ".join(f"{device}={name}" if device else name for device, name in named.items())
