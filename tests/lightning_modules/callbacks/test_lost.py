"""A killed process of a real training ends the others, and a stopped one stops them, with one message."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_modules.callbacks.lost import gone


def until(condition: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def children_of(process: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


# Lightning's observer looks every five seconds; here before the watcher, which must still come first.
HASTE = """\
import pytorch_lightning as pl
from lightning_fabric.strategies.launchers.subprocess_script import _ChildProcessObserver

_ChildProcessObserver.__init__.__defaults__ = (0.05,)

class Haste(pl.Callback):
    pass
"""


def lives(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads /proc")
@pytest.mark.parametrize(
    ("number", "sent", "status"), [(0, "SIGKILL", -9), (1, "SIGKILL", 1), (1, "SIGTERM", 143)]
)
def test_the_others_end_too(
    number: int, sent: str, status: int, tiny_flags: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    more = ["--trainer.strategy=ddp_find_unused_parameters_true", "--trainer.devices=2"]
    more += ["--trainer.max_epochs=100000", "--trainer.limit_val_batches=0", "--run_folder=run"]
    (tmp_path / "haste.py").write_text(HASTE)
    more += ["--trainer.callbacks+=haste.Haste"]
    environment["PYTHONPATH"] += f"{os.pathsep}{tmp_path}"
    with open(tmp_path / "errors", "w") as errors:
        first = subprocess.Popen(
            [sys.executable, "-m", "lightning_modules.app.cli", *tiny_flags, *more],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
    second = None
    try:
        until(lambda: list((tmp_path / "run").glob("checkpoints/*.ckpt")) or first.poll() is not None)
        (second,) = children_of(first.pid)
        os.kill((first.pid, second)[number], signal.Signals[sent])
        assert first.wait(60) == status
        until(lambda: not lives(second), 60)
    finally:
        first.kill()
        if second is not None and lives(second):
            os.kill(second, signal.SIGKILL)
    said = (tmp_path / "errors").read_text()
    assert "Traceback" not in said
    (line,) = [line for line in said.splitlines() if line.startswith("dnas fit:")]
    assert ("stopped by SIGTERM" if sent == "SIGTERM" else f"Process {number} of 2 is gone") in line
    assert "Go on with: dnas fit --resume " in line
    assert (tmp_path / line.split()[-1]).resolve() == tmp_path / "run"


def test_without_a_checkpoint_there_is_nothing_to_go_on_from(tmp_path: Path) -> None:
    assert gone(1, 2, "SIGKILL", tmp_path).endswith("Nothing was saved yet: begin anew, in another folder.")
    assert gone(None, 2, "closed", tmp_path).startswith("Another process of 2 is gone (closed).")
