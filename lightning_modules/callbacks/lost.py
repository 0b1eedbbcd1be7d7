"""A process of a training that is gone ends the others within seconds, with one message."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from multiprocessing import parent_process
from pathlib import Path
from subprocess import Popen
from typing import Any, NoReturn

import pytorch_lightning as pl
from lightning_fabric.strategies.launchers.subprocess_script import _ChildProcessObserver
from pytorch_lightning.strategies.launchers import _SubprocessScriptLauncher
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
        # Made in the process that trains: one that is spawned gets a copy of this.
        self._done: threading.Event | None = None
        self._watcher: threading.Thread | None = None

    def setup(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        launcher = trainer.strategy.launcher
        children = launcher.procs if isinstance(launcher, _SubprocessScriptLauncher) else []
        started = trainer.world_size > 1 and not children and trainer.local_rank > 0
        if children or (started and "TORCHELASTIC_RUN_ID" not in os.environ):
            self._done, folder = threading.Event(), Path(trainer.default_root_dir)
            arguments = (self._done, children, os.getppid(), trainer.local_rank, trainer.world_size, folder)
            self._watcher = threading.Thread(target=self._watch, args=arguments, daemon=True)
            self._watcher.start()
            _let_it_speak_first()

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        if isinstance(exception, distributed.DistError) or "gloo" in str(exception):
            # The connection broke. The watcher, if there is one, knows which process is gone.
            if self._watcher is not None:
                self._watcher.join(10 * SECONDS)
            # Of spawned processes torch says in the first one which is gone.
            folder, spawned = Path(trainer.default_root_dir), parent_process() is not None
            _end([], "" if spawned else gone(None, trainer.world_size, "its connection broke", folder))

    def teardown(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        if self._done is not None:
            self._done.set()

    @staticmethod
    def _watch(
        done: threading.Event, children: list[Popen[Any]], parent: int, rank: int, world: int, folder: Path
    ) -> None:
        while not done.wait(SECONDS):
            # One that ended with a status has said why, and the first one ends for the same reason.
            for number, child in enumerate(children, start=1):
                if (child.poll() or 0) < 0:
                    _end(children, gone(number, world, signal.Signals(-child.returncode).name, folder))
            if not children and os.getppid() != parent:
                # One of the others is enough to say so.
                _end([], gone(0, world, "it has left its processes", folder) if rank == 1 else "")


def _let_it_speak_first() -> None:
    """Lightning's observer, which kills this process without a word, waits until the watcher has spoken."""
    for thread in threading.enumerate():
        if isinstance(thread, _ChildProcessObserver):
            thread._terminate_all = partial(_later, thread._terminate_all)  # type: ignore[method-assign]


def _later(act: Callable[[], None]) -> None:
    time.sleep(4 * SECONDS)
    act()


def gone(number: int | None, world: int | None, why: str, folder: Path) -> str:
    """The message; processes count from 0, None is any other than this one. Their number may be unknown."""
    which = "Another process" if number is None else f"Process {number}"
    which = f"{which} of {world}" if world else which
    message = f"{which} is gone ({why})."
    if any((folder / "checkpoints").glob("*.ckpt")):
        return f"{message} What is saved is kept. Go on with: {resuming.again('dnas fit', folder)}"
    return f"{message} Nothing was saved yet: begin anew, in another folder."


def _end(children: list[Popen[Any]], message: str) -> NoReturn:
    for child in children:
        child.kill()
    if message:
        print(f"dnas fit: {message}", file=sys.stderr, flush=True)
    # The main thread waits in a library, perhaps for good; what is on disk is whole.
    os._exit(1)
