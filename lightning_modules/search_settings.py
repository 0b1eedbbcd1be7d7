"""The settings of a differentiable search that belong together, each a block of its config."""

from __future__ import annotations

from dataclasses import dataclass

from pytorch_lightning.cli import OptimizerCallable

from dnas.search.gradient.masks import MaskStrategy
from dnas.search.gradient.schedules import Constant, Schedule
from lightning_modules.data_protocols import Alternate


@dataclass(frozen=True)
class Learner:
    """How the weights learn, or alpha.

    Args:
        masks: how masks are drawn when they learn.
        optimizer: their optimiser.
        lr: factor of its learning rate as a schedule of progress.
        clip: maximal norm of their gradient.
    """

    masks: MaskStrategy
    optimizer: OptimizerCallable
    lr: Schedule | None = None
    clip: float | None = None


@dataclass(frozen=True)
class Steps:
    """Who learns when, and what changes on the way.

    Args:
        bilevel: True: alpha learns from the alpha split, weights from the weights split. False: one loss, one
            batch.
        alternate: bilevel search alternates per step, or per epoch (FBNet: all weights steps, then all alpha
            steps).
        warmup_epochs: epochs before alpha moves.
        accumulate: batches whose gradients are averaged into one optimiser step.
        tau: temperature of the masks as a schedule of progress.
        latency_scale: strength of all cost terms as a schedule of progress.
        schedule_per_epoch: hold scheduled values constant within an epoch, as FBNet does.
    """

    bilevel: bool = True
    alternate: Alternate = "step"
    warmup_epochs: int = 0
    accumulate: int = 1
    tau: Schedule | float = 1.0
    latency_scale: Schedule | float = 1.0
    schedule_per_epoch: bool = False

    @property
    def schedules(self) -> dict[str, Schedule]:
        """Of ``tau`` and of ``latency_scale``."""
        values = {"tau": self.tau, "latency_scale": self.latency_scale}
        return {name: x if isinstance(x, Schedule) else Constant(x) for name, x in values.items()}

    def problems(self) -> list[str]:
        """Everything that no search can be made with."""
        at_least = {"accumulate": (self.accumulate, 1), "warmup_epochs": (self.warmup_epochs, 0)}
        problems = [
            f"{name} must be at least {least}, got {value}"
            for name, (value, least) in at_least.items()
            if value < least
        ]
        ends = {name: min(schedule(0.0), schedule(1.0)) for name, schedule in self.schedules.items()}
        if not ends["tau"] > 0:
            problems.append(f"tau must stay above 0, got {ends['tau']}")
        if not ends["latency_scale"] >= 0:
            problems.append(f"latency_scale must not become negative, got {ends['latency_scale']}")
        return problems
