"""Commands of this library that a benchmark runs one after the other, or in lanes beside each other."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from dnas.runs.checkpoint_file import read_supernet


@dataclass(frozen=True)
class Commands:
    """Commands whose runs and logs lie in ``output``.

    lanes: how many the caller runs at a time, each with its share of the cores.
    data: options of every training.
    """

    output: Path
    lanes: int
    data: tuple[str, ...]

    def fit(self, config: str, name: str, epochs: int, *options: str) -> Path:
        """Train, or continue to; returns the last checkpoint. Every attempt has a folder of its own."""
        attempts = sorted((self.output / name).glob("attempt_*"))
        checkpoints = [path / "checkpoints" / "last.ckpt" for path in attempts]
        written = [path for path in checkpoints if path.is_file()]
        if written and read_supernet(written[-1]).epoch + 1 >= epochs:
            return written[-1]
        attempt = self.output / name / f"attempt_{len(attempts):02}"
        resume = [f"--ckpt_path={written[-1]}"] if written else []
        flags = [f"--trainer.max_epochs={epochs}", "--trainer.accelerator=auto", *options, *resume]
        self.dnas(name, "fit", f"--config={config}", *self.data, *flags, f"--run_folder={attempt}")
        return attempt / "checkpoints" / "last.ckpt"

    def dnas(self, name: str, *arguments: str, alone: bool = False) -> None:
        """Run a command; its output goes to NAME.log. With ``alone`` it has all cores."""
        line, log = "dnas " + shlex.join(arguments), self.output / f"{name}.log"
        print(f"$ {line}", flush=True)
        started = time.perf_counter()
        threads = max(1, (os.cpu_count() or 1) // (1 if alone else self.lanes))
        self.output.mkdir(parents=True, exist_ok=True)
        with log.open("a") as file:
            command = [sys.executable, "-m", "lightning_modules.app.cli", *arguments]
            environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
            ended = subprocess.run(command, env=environment, stdout=file, stderr=file, check=False)
        if ended.returncode:
            sys.exit(f"{line}\nended with {ended.returncode}: see {log}")
        print(f"  {name}: {time.perf_counter() - started:.0f} s", flush=True)


def cifar10(resolution: int) -> tuple[str, ...]:
    """Options of CIFAR-10 in $DNAS_DATA, or of one to be fetched into data/."""
    root = os.environ.get("DNAS_DATA")
    where = f"--data.root={Path(root) / 'cifar10'}" if root else "--data.download=true"
    return where, f"--data.resolution={resolution}", "--data.batch_size=128"
