"""Stopping a training that diverged, before a checkpoint holds what is not a number."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor

from lightning_modules.callbacks.not_finite import bad_images, bad_state

OnNaN = Literal["stop", "rollback"]
_LOWER = (
    "Lower the learning rate (model.weights.optimizer, model.alpha.optimizer; model.optimizer where nothing "
    "but weights is trained), or clip gradients (model.weights.clip, model.alpha.clip)."
)


class Diverged(ArithmeticError):
    """Loss, alpha, weights, statistics or images are not finite any more.

    Attributes:
        folder: of the run; its newest checkpoint is the last good state.
        rolls_back: training shall go on from there, with lower learning rates.
        curable: these may help: no image is the cause, and they have not been lowered before.
    """

    def __init__(self, message: str, folder: Path, rolls_back: bool = False, curable: bool = False) -> None:
        super().__init__(message)
        self.folder, self.rolls_back, self.curable = folder, rolls_back, curable


class _Step(NamedTuple):
    """A training step: where it is, and what it learns from."""

    epoch: int
    batch_idx: int
    batch: Any


class FiniteTraining(pl.Callback):
    """Refuses what is not finite: the loss and alpha in every step, everything before it is saved.

    The module shows every loss. A CPU's is looked at before it is learnt from. To ask a GPU for it would make
    the host wait in every step, so there it is looked at one step later, and always before a checkpoint is
    written. Weights, statistics of batch norms and states of optimisers are looked at when a checkpoint is
    written, which thus never holds NaN, and to find the cause of a bad loss; so are images.

    Args:
        on_nan: what ``dnas fit`` does: "stop" ends with a message; "rollback" goes back to the newest
            checkpoint once, with lower learning rates, and stops if it happens again.
        rollback_lr: factor of all learning rates after a rollback, above 0 and below 1.
        later: types of devices whose losses are looked at one step later.

    Raises:
        ValueError: an unknown ``on_nan``, or another ``rollback_lr``.
    """

    def __init__(
        self, on_nan: OnNaN = "stop", rollback_lr: float = 0.1, later: Collection[str] = ("cuda",)
    ) -> None:
        if on_nan not in ("stop", "rollback"):
            raise ValueError(f"on_nan must be stop or rollback, got {on_nan!r}")
        if not 0.0 < rollback_lr < 1.0:
            raise ValueError(f"rollback_lr must be above 0 and below 1, got {rollback_lr}")
        self.on_nan, self.rollback_lr, self.later = on_nan, rollback_lr, later
        self._lower = self._rolled_back = False
        self._trainer: pl.Trainer | None = None
        self._step = _Step(0, 0, None)
        self._waiting: tuple[Tensor, torch.cuda.Event | None, _Step] | None = None

    def lower_rates(self) -> None:
        """Make the next fit the one that follows a rollback: its learning rates are those of its checkpoint
        times ``rollback_lr``, and it does not roll back again.
        """
        self._lower = True

    def watch(self, loss: Tensor) -> None:
        """Take in the scalar loss of this step; raises :class:`Diverged` for it, or for the one before."""
        if loss.device.type not in self.later:
            self._refuse(loss, self._step, learnt=False)
            return
        self.look()
        self._waiting = (*_on_its_way(loss.detach()), self._step)

    def look(self) -> None:
        """Wait for the last loss that was shown; raises :class:`Diverged` for it."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            value, event, step = waiting
            if event is not None:
                event.synchronize()
            self._refuse(value, step, learnt=True)

    def setup(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        self._trainer, self._waiting = trainer, None
        if stage == "fit" and self.on_nan == "rollback" and trainer.world_size > 1:
            raise ValueError(
                f"on_nan rollback begins the fit anew in its process, which {trainer.world_size} processes "
                "cannot do together: use one device, or on_nan stop and dnas fit --resume."
            )

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self._lower:
            self._lower, self._rolled_back = False, True
            # Schedules multiply initial_lr. Both are saved with the optimisers.
            for group in (group for optimizer in trainer.optimizers for group in optimizer.param_groups):
                for rate in {"lr", "initial_lr"} & group.keys():
                    group[rate] *= self.rollback_lr

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._step = _Step(trainer.current_epoch, batch_idx, batch)
        # So small that a CPU is not slowed; a GPU's makes the loss NaN, which is watched.
        relaxation = getattr(module, "relaxation", None)
        if relaxation is None or module.device.type != "cpu":
            return
        if not relaxation.alpha.isfinite().all():
            self._raise(self._step, f"{bad_state(module)}. {_LOWER}")

    def on_save_checkpoint(
        self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self.look()
        if bad := bad_state(module, trainer.optimizers):
            self._raise(self._step, f"{bad}, found before a checkpoint was written. {_LOWER}")

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._step = self._step._replace(batch=None)

    def state_dict(self) -> dict[str, Any]:
        return {"rolled_back": self._rolled_back}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._rolled_back = state_dict["rolled_back"]

    def _refuse(self, loss: Tensor, step: _Step, learnt: bool) -> None:
        if torch.isfinite(loss):
            return
        happened = f"the loss became {loss.item()}. "
        happened += "" if learnt else "The weights were not updated with it. "
        module = None if self._trainer is None else self._trainer.lightning_module
        if module is None:
            self._raise(step, happened + _LOWER)
        elif images := bad_images(self._trainer, *step):
            self._raise(step, f"{happened}Images are the cause: {images}.", curable=False)
        elif (bad := bad_state(module)) is not None:
            self._raise(step, f"{happened}First of what is not finite: {bad}. {_LOWER}")
        self._raise(step, f"{happened}Images, weights and statistics are finite. {_LOWER}")

    def _raise(self, step: _Step, text: str, curable: bool = True) -> None:
        again = " Learning rates had been lowered already, after an earlier time."
        curable = curable and not self._rolled_back
        raise Diverged(
            f"Epoch {step.epoch}, batch {step.batch_idx}: {text}{again if self._rolled_back else ''}",
            Path("." if self._trainer is None else self._trainer.default_root_dir),
            rolls_back=curable and self.on_nan == "rollback",
            curable=curable,
        )


def _on_its_way(loss: Tensor) -> tuple[Tensor, torch.cuda.Event | None]:
    if loss.device.type != "cuda":
        return loss.clone(), None
    value = torch.empty((), dtype=loss.dtype, pin_memory=True).copy_(loss, non_blocking=True)
    event = torch.cuda.Event()
    event.record()
    return value, event
