"""A process of a training that is gone ends the others within seconds, with one message."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
from pathlib import Path
from subprocess import Popen
from typing import Any, NoReturn

import pytorch_lightning as pl
from torch import distributed

from dnas.support import resuming

SECONDS = 0.5


class EndWithOthers(pl.Callback):
    """Watch, in a thread, the processes that Lightning started for a training, and in those the first one.

    The others of a group wait in a collective operation for one that a signal killed (SIGKILL, as the kernel
    does without memory), on a GPU for minutes. Lightning's own observer kills its own process without a word.
    Processes that torchrun or srun starts are theirs to watch.
    """

    def __init__(self) -> None:
        self._done = threading.Event()
        self._watcher: threading.Thread | None = None

    def setup(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        children = list(getattr(trainer.strategy.launcher, "procs", ()))
        started = trainer.world_size > 1 and not children and trainer.local_rank > 0
        if children or (started and "TORCHELASTIC_RUN_ID" not in os.environ):
            self._done.clear()
            folder = Path(trainer.default_root_dir)
            arguments = (children, os.getppid(), trainer.local_rank, trainer.world_size, folder)
            self._watcher = threading.Thread(target=self._watch, args=arguments, daemon=True)
            self._watcher.start()

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        if isinstance(exception, distributed.DistError) or "gloo" in str(exception):
            # The connection broke. The watcher, if there is one, knows which process is gone.
            if self._watcher is not None:
                self._watcher.join(10 * SECONDS)
            _end([], gone(None, trainer.world_size, _first_line(exception), Path(trainer.default_root_dir)))

    def teardown(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        self._done.set()

    def _watch(self, children: list[Popen[Any]], parent: int, rank: int, world: int, folder: Path) -> None:
        while not self._done.wait(SECONDS):
            # One that ended with a status has said why, and the first one ends for the same reason.
            for number, child in enumerate(children, start=1):
                if (child.poll() or 0) < 0:
                    _end(children, gone(number, world, signal.Signals(-child.returncode).name, folder))
            if not children and os.getppid() != parent:
                # One of the others is enough to say so.
                _end([], gone(0, world, "it has left its processes", folder) if rank == 1 else "")


def gone(number: int | None, world: int, why: str, folder: Path) -> str:
    """The message; processes count from 0, None is any other than this one."""
    which = "another process" if number is None else f"process {number}"
    message, place = f"dnas fit: {which} of {world} is gone ({why}).", shlex.quote(str(folder))
    if any((folder / "checkpoints").glob("*.ckpt")):
        return f"{message} What is saved is kept. Go on with: dnas fit {resuming.FLAG} {place}"
    return f"{message} Nothing was saved yet: begin anew, in another folder."


def _first_line(exception: BaseException) -> str:
    return str(exception).strip().partition("\n")[0]


def _end(children: list[Popen[Any]], message: str) -> NoReturn:
    for child in children:
        child.kill()
    if message:
        print(message, file=sys.stderr, flush=True)
    # The main thread waits in a library, perhaps for good; what is on disk is whole.
    os._exit(1)
