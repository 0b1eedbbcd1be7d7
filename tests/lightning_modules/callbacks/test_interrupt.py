"""Ctrl-C outside of training loops and threads; what it saves is in test_search_resume.py."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dnas.support.stopping import Stopped
from lightning_modules.callbacks import GracefulInterrupt


def trainer(world_size: int = 1, others: bool = False, accumulate: int = 1) -> Any:
    strategy = SimpleNamespace(reduce_boolean_decision=lambda own, all: own or others)
    return SimpleNamespace(
        world_size=world_size, strategy=strategy, default_root_dir=".", accumulate_grad_batches=accumulate
    )


def start(callback: GracefulInterrupt, trainer: Any, pending: list[int], batch_idx: int = 0) -> None:
    module: Any = SimpleNamespace(pending=pending)
    callback.on_train_batch_start(trainer, module, None, batch_idx)


@pytest.fixture
def callback() -> Any:
    callback = GracefulInterrupt()
    callback.on_train_start(trainer(), None)  # type: ignore[arg-type]
    yield callback
    callback.teardown(trainer(), None, "fit")  # type: ignore[arg-type]


def test_it_waits_for_a_completed_optimiser_step(callback: GracefulInterrupt) -> None:
    start(callback, trainer(), [0, 0])
    os.kill(os.getpid(), signal.SIGINT)
    start(callback, trainer(), [1, 0])
    start(callback, trainer(), [0, 1])
    with pytest.raises(Stopped):
        start(callback, trainer(), [0, 0])


def test_it_waits_for_the_batches_that_the_trainer_accumulates(callback: GracefulInterrupt) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    start(callback, trainer(accumulate=2), [], batch_idx=1)
    with pytest.raises(Stopped, match="SIGTERM"):
        start(callback, trainer(accumulate=2), [], batch_idx=2)


@pytest.mark.parametrize(("command", "note"), [(False, r"\.$"), (True, r"\. Go on with: dnas fit --resume ")])
def test_a_signal_after_the_last_batch_ends_what_follows_the_training(
    command: bool, note: str, callback: GracefulInterrupt, tmp_path: Path
) -> None:
    if command:
        (tmp_path / "command.json").touch()
    ended = trainer()
    ended.default_root_dir = str(tmp_path)
    os.kill(os.getpid(), signal.SIGUSR1)
    with pytest.raises(Stopped, match=r"SIGUSR1\. The training had come to its end" + note):
        callback.on_train_end(ended, None)  # type: ignore[arg-type]


def test_all_processes_stop_when_one_is_asked_to(callback: GracefulInterrupt) -> None:
    start(callback, trainer(world_size=2), [0, 0])
    with pytest.raises(Stopped):
        start(callback, trainer(world_size=2, others=True), [0, 0])


def test_a_new_fit_forgets_the_last_ones_interrupt(callback: GracefulInterrupt) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    callback.teardown(trainer(), None, "fit")  # type: ignore[arg-type]
    callback.on_train_start(trainer(), None)  # type: ignore[arg-type]
    start(callback, trainer(), [0, 0])


def test_other_threads_install_nothing() -> None:
    before, callback = signal.getsignal(signal.SIGINT), GracefulInterrupt()
    thread = threading.Thread(target=callback.on_train_start, args=(trainer(), None))
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) is before
