"""A signal, or the clock, that loses nothing: finish the step, save a checkpoint, say how to go on."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from pathlib import Path
from signal import Signals
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities import rank_zero_info

from dnas.support import resuming
from dnas.support.stopping import Stopped, install, restore

INTERRUPTED = "interrupted.ckpt"
MOMENT = "moment.ckpt"


class BetweenSteps(pl.Callback, ABC):
    """Knows when a checkpoint of the middle of an epoch can be continued bit for bit.

    Gradients are not saved: with gradient accumulation the batches of the present optimiser step are finished
    first. With several processes all act at the same batch, whichever of them asks.
    """

    @staticmethod
    def save(trainer: pl.Trainer, name: str) -> Path:
        """Write ``checkpoints/NAME`` in the run's folder; all processes call this. Returns its path."""
        path = Path(trainer.default_root_dir) / "checkpoints" / name
        loop, extra = trainer.fit_loop.epoch_loop, int(trainer.accumulate_grad_batches == 1)
        # Lightning adds this step when it goes on in the middle of an epoch: there it expects a checkpoint of
        # a batch's end, before the step was counted.
        loop._batches_that_stepped -= extra
        try:
            trainer.save_checkpoint(path)
        finally:
            loop._batches_that_stepped += extra
        return path

    @abstractmethod
    def wanted(self) -> bool:
        """Whether this process asks for a checkpoint now."""

    @abstractmethod
    def act(self, trainer: pl.Trainer) -> None:
        """Called between two steps, in all processes, where one of them asked."""

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        # Here the previous batch counts as completed and nothing of the next one has happened.
        if any(getattr(module, "pending", ())) or batch_idx % trainer.accumulate_grad_batches:
            return
        wanted = self.wanted()
        if trainer.world_size > 1:
            wanted = trainer.strategy.reduce_boolean_decision(wanted, all=False)
        if wanted:
            self.act(trainer)


class GracefulInterrupt(BetweenSteps):
    """Turn the first SIGINT (Ctrl-C), SIGTERM or SIGUSR1 into a checkpoint; a second one ends the process.

    The checkpoint is ``checkpoints/interrupted.ckpt`` in the run's folder. Training resumed from it continues
    with the next batch and ends bit-identical to a run that was never interrupted. The process ends by
    :class:`dnas.support.stopping.Stopped`.
    """

    def __init__(self) -> None:
        self._requested: Signals | None = None
        self._stopped: Stopped | None = None
        self._previous: dict[Signals, object] = {}

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._requested = self._stopped = None
        # After Lightning has installed its own handlers, which neither save nor stop (SIGTERM), or queue a
        # job again that would begin in another folder (SLURM's SIGUSR1).
        self._previous = install(self._request)

    def _request(self, received: Signals) -> None:
        self._requested = received
        rank_zero_info(f"\n{received.name}: stopping after this step; a second signal ends this at once ...")

    def wanted(self) -> bool:
        return self._requested is not None

    def act(self, trainer: pl.Trainer) -> None:
        # Another process may have been asked, and this one not.
        self._stopped = Stopped(self._requested or Signals.SIGTERM)
        raise self._stopped

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        if exception is self._stopped and self._stopped is not None:
            end = go_on(trainer.default_root_dir) or "."
            self._stopped.note = f"Saved {self.save(trainer, INTERRUPTED)}{end}"
        self._restore()

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._restore()
        if self._requested is not None:
            # Asked for after the last batch: what there was to do is done, what follows is not.
            raise Stopped(
                self._requested, f"The training had come to its end{go_on(trainer.default_root_dir) or '.'}"
            )

    def teardown(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        self._restore()

    def _restore(self) -> None:
        restore(self._previous)
        self._previous = {}


def go_on(folder: str | Path | None) -> str:
    """The end of a sentence of what is kept, where a command can go on with it in that folder."""
    if folder is None or not Path(folder, resuming.FILE).is_file():
        return ""
    return f". Go on with: {resuming.again('dnas fit', folder)}"


class CheckpointEvery(BetweenSteps):
    """Save ``checkpoints/moment.ckpt`` every so many minutes, in the middle of an epoch, too.

    What a machine that vanishes takes along is at most so much. The file can be continued bit for bit.

    Args:
        minutes: above 0.

    Raises:
        ValueError: they are not.
    """

    def __init__(self, minutes: float) -> None:
        if not minutes > 0:
            raise ValueError(f"checkpoint_minutes must be above 0, got {minutes}")
        self._seconds = 60 * minutes
        self._saved = time.monotonic()

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._saved = time.monotonic()

    def wanted(self) -> bool:
        return time.monotonic() - self._saved >= self._seconds

    def act(self, trainer: pl.Trainer) -> None:
        self.save(trainer, MOMENT)
        self._saved = time.monotonic()
