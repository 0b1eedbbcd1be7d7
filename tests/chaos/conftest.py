"""Commands that are killed at random moments, and go on.

``DNAS_CHAOS`` is how often each stage is killed (3), ``DNAS_CHAOS_SEED`` decides the moments (0).
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

KILLS = int(os.environ.get("DNAS_CHAOS", "3"))
SEED = os.environ.get("DNAS_CHAOS_SEED", "0")
# Of one process; every command here takes seconds.
LONGEST = 300.0


def _run(arguments: Sequence[str], folder: Path, log: Path) -> None:
    """In a process of its own: a command as its user gives it."""
    from lightning_modules.app.cli import main

    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(folder)
    try:
        main(list(arguments))
    except SystemExit as error:
        print(error, file=sys.stderr)
        raise


@dataclass
class Chaos:
    """Runs a command that writes into a folder, kills it, and goes on with it until it has come to its end.

    Attributes:
        kills: moments, in seconds after the start, at which a process really was killed.
    """

    folder: Path
    dice: random.Random
    kills: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Started with everything imported: otherwise most kills would hit imports.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(
            ["lightning_modules.app.lightning_command", "lightning_modules.data", "dnas.refine.command",
             "dnas.fidelity.command", "lightning_modules.app.stand_alone", "lightning_modules.search",
             "lightning_modules.one_shot", "lightning_modules.classifier", "latency.__main__"]
        )  # fmt: skip

    def whole(self, command: Sequence[str]) -> float:
        """Run undisturbed; returns the seconds that it took."""
        started = time.monotonic()
        status = self._until(command, LONGEST)
        assert status == 0, self.said()
        return time.monotonic() - started

    def disturbed(self, command: Sequence[str], remembers: Path, seconds: float) -> int:
        """Run, killed at moments drawn from so many seconds until it ends; returns how often it was killed.

        Args:
            remembers: the folder that ``--resume`` takes, once it holds how the command was called.
        """
        before = len(self.kills)
        while True:
            enough = len(self.kills) >= KILLS
            # Beyond its seconds, too: it has the start to do again, and what was not saved.
            moment = LONGEST if enough else self.dice.uniform(0, 1.5 * seconds)
            goes_on = (remembers / "command.json").is_file()
            status = self._until(self._resuming(command, remembers) if goes_on else command, moment)
            if status == 0:
                return len(self.kills) - before
            assert status == -signal.SIGKILL, f"killed after {self.kills}: {self.said()}"
            self.kills.append(round(moment, 2))

    def said(self) -> str:
        """What the latest process printed."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def _resuming(self, command: Sequence[str], remembers: Path) -> list[str]:
        names = command[: 1 + (command[0] == "latency")]
        return [*names, "--resume", str(remembers)]

    def _until(self, command: Sequence[str], seconds: float) -> int:
        """The exit status of a process that is killed after so many seconds."""
        process: Any = self._context.Process(target=_run, args=(command, self.folder, self.folder / "log"))
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
        return int(process.exitcode)


@pytest.fixture
def chaos(tmp_path: Path, request: pytest.FixtureRequest) -> Chaos:
    return Chaos(tmp_path, random.Random(f"{SEED} {request.node.name}"))


@pytest.fixture
def survives(chaos: Chaos, request: pytest.FixtureRequest) -> Callable[..., None]:
    """Asserts that a command ends as if nothing had happened, however often it was killed.

    ``command(folder)`` is the command that works in a folder, ``result(folder)`` what must be equal.
    """

    def check(
        command: Callable[[Path], list[str]],
        result: Callable[[Path], Any],
        remembers: Callable[[Path], Path] = lambda folder: folder,
    ) -> None:
        # The first one also waits for the server, and for what is read for the first time.
        chaos.whole(command(chaos.folder / "first"))
        seconds = chaos.whole(command(chaos.folder / "whole"))
        wanted, runs = result(chaos.folder / "whole"), 0
        while len(chaos.kills) < KILLS:
            folder = chaos.folder / f"run{runs}"
            chaos.disturbed(command(folder), remembers(folder), seconds)
            assert result(folder) == wanted, f"killed after {chaos.kills}"
            runs += 1
        print(f"| {request.node.name} | {len(chaos.kills)} | {runs} | {seconds:.1f} |")

    return check
