"""Does anything grow while a search or a refinement runs for long?

    python benchmarks/soak.py --minutes 30 [--only fit]

runs ``dnas fit`` (a small supernet on handwritten digits, one data worker, a checkpoint after each epoch, all
figures) and then ``dnas refine`` (populations of 24 in a supernet of 4^10 architectures), each for --minutes
in a process of its own, stopped with SIGTERM. A thread samples memory in use (RSS), open file handles,
threads, child processes and the objects that Python's garbage collector knows. The table has the first sample
after the warm-up, the last one, and the slope per hour of a line fitted through all samples.
"""

from __future__ import annotations

import argparse
import csv
import gc
import multiprocessing
import os
import platform
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import yaml
from rich.console import Console
from rich.table import Table

from dnas.space import SearchSpace
from latency.sources.calibrated.calibrated_table import build_calibrated
from latency.sources.calibrated.model import CalibratedModel
from lightning_modules.app.cli import main as dnas

SPACE = {
    "format": "dnas-space/1",
    "name": "soak",
    "description": "ten layers of four choices",
    "resolution": 16,
    "num_classes": 10,
    "stem": [{"type": "conv", "out": 8, "kernel": 3, "stride": 1, "activation": "relu"}],
    "choices": {
        "E1K3": {"expansion": 1, "kernel": 3},
        "E2K3": {"expansion": 2, "kernel": 3},
        "E2K5": {"expansion": 2, "kernel": 5},
        "E3K5": {"expansion": 3, "kernel": 5},
    },
    "layers": [
        {"out": 8 + 4 * (n // 4), "stride": 1 + (n in (2, 6)), "activation": "relu"} for n in range(10)
    ],
    "head": [{"type": "pool"}],
}
QUIET = ("--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false")


class Sample(NamedTuple):
    """What a process holds; memory in MB."""

    seconds: float
    rss_mb: float
    handles: int
    threads: int
    children: int
    objects: int


def main() -> None:
    options = _parser().parse_args()
    console = Console(width=120)
    with tempfile.TemporaryDirectory() as folder:
        made = prepare(Path(folder))
        for name, arguments in commands(made).items():
            if options.only in (None, name):
                console.print(report(name, soak(name, arguments, options)), done(made))
    console.print(f"Python {platform.python_version()}, torch {torch.__version__}, {platform.machine()}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=15, help="of each command (15)")
    parser.add_argument("--warmup", type=float, default=2, help="minutes until the first sample (2)")
    parser.add_argument("--every", type=float, default=10, help="seconds between samples (10)")
    parser.add_argument("--only", choices=("fit", "refine"), help="one of them")
    return parser


def prepare(folder: Path) -> Path:
    """Space, table, and a supernet to refine in."""
    (folder / "space.yaml").write_text(yaml.safe_dump(SPACE), encoding="utf-8")
    space = SearchSpace.load(folder / "space.yaml")
    build_calibrated(CalibratedModel.load("adreno630_mace"), space, folder / "table.csv")
    supernet = ["fit", "--config=digits/one_shot.yaml", f"--model.space={folder / 'space.yaml'}", *QUIET]
    dnas([*supernet, "--trainer.max_epochs=2", f"--run_folder={folder / 'supernet'}"])
    return folder


def commands(folder: Path) -> dict[str, list[str]]:
    """Arguments of what is watched, by name; neither ends within days."""
    fit = ["fit", "--config=digits/search.yaml", *QUIET, f"--run_folder={folder / 'fit'}"]
    fit += [f"--model.space={folder / 'space.yaml'}", f"--model.table={folder / 'table.csv'}"]
    fit += [
        "--trainer.max_epochs=1000000",
        "--trainer.limit_train_batches=4",
        "--trainer.limit_val_batches=1",
    ]
    fit += ["--data.num_workers=1", "--data.batch_size=32", "--model.steps.warmup_epochs=1"]
    refine = ["refine", "--checkpoint", str(folder / "supernet" / "checkpoints" / "last.ckpt")]
    refine += ["--table", str(folder / "table.csv"), "--output", str(folder / "refine")]
    refine += ["--population", "24", "--generations", "100000", "--recalibration-batches", "1"]
    return {"fit": fit, "refine": refine}


def soak(name: str, arguments: list[str], options: argparse.Namespace) -> list[Sample]:
    """Run a command in a process of its own; its samples."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_watched, args=(arguments, options, sender))
    process.start()
    sender.close()
    samples: list[Sample] = []
    try:
        while True:
            samples.append(receiver.recv())
            print(f"{name}: {samples[-1]}", file=sys.stderr, flush=True)
    except EOFError:
        process.join()
    if len(samples) < 2 or process.exitcode != 128 + signal.SIGTERM:
        raise SystemExit(f"dnas {name} ended with status {process.exitcode} and {len(samples)} samples.")
    return samples


def _watched(
    arguments: list[str], options: argparse.Namespace, sender: multiprocessing.connection.Connection
) -> None:
    begin = time.monotonic()

    def watch() -> None:
        time.sleep(60 * options.warmup)
        while time.monotonic() - begin < 60 * options.minutes:
            sender.send(sample(time.monotonic() - begin))
            time.sleep(options.every)
        sender.send(sample(time.monotonic() - begin))
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
    dnas(arguments)


def sample(seconds: float) -> Sample:
    """Of this process, from Linux's /proc."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    tasks = list(Path("/proc/self/task").iterdir())
    children = sum(len(_read(task / "children").split()) for task in tasks)
    objects = len(gc.get_objects())
    return Sample(
        seconds,
        pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        len(os.listdir("/proc/self/fd")),
        len(tasks),
        children,
        objects,
    )


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # a thread that has ended meanwhile
        return ""


def done(folder: Path) -> str:
    """How much was trained and evaluated until now."""
    metrics = folder / "fit" / "metrics.csv"
    rows = list(csv.DictReader(metrics.open(encoding="utf-8"))) if metrics.is_file() else []
    files = (folder / "refine").glob("evaluations-*.jsonl")
    lines = sum(bool(line) for path in files for line in path.read_bytes().splitlines())
    return (
        f"{max((int(row['epoch']) for row in rows), default=0)} epochs of fit, {lines} evaluations of refine"
    )


def report(name: str, samples: list[Sample]) -> Table:
    """Each measure before, after, at most, and its slope."""
    table = Table("measure", title=f"dnas {name}, {samples[-1].seconds / 60:.0f} minutes")
    headings: dict[str, Callable[[np.ndarray], float]] = {
        f"at {samples[0].seconds:.0f} s": lambda values: values[0],
        "at the end": lambda values: values[-1],
        "least": np.min,
        "most": np.max,
        "slope per hour": lambda values: np.polyfit(hours, values, 1)[0],
    }
    for heading in headings:
        table.add_column(heading, justify="right")
    hours = np.array([each.seconds for each in samples]) / 3600
    for field in Sample._fields[1:]:
        values = np.array([getattr(each, field) for each in samples], dtype=float)
        table.add_row(field, *(f"{find(values):,.1f}" for find in headings.values()))
    return table


if __name__ == "__main__":
    main()
