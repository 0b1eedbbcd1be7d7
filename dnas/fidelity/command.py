"""``python -m dnas.fidelity``: does a supernet rank architectures as training them alone does?"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from dnas import blocks
from dnas.fidelity.audit import Audit, audit
from dnas.fidelity.report import show, write
from dnas.fidelity.settings import Settings
from dnas.fidelity.source import Tell
from dnas.fidelity.standalone import Trainer
from dnas.space import Over
from dnas.support.command import Command
from dnas.support.devices import DEVICES
from dnas.support.files import only_one
from dnas.support.processes import broadcast, rank
from dnas.support.resuming import remember
from latency import load_table

EPILOG = """An audit that was killed continues when the same command is given again, and trains nothing twice.
Give more --architectures, or another --checkpoint, and only what is new is trained or evaluated.
Several processes share trainings and evaluations: torchrun --nproc-per-node 4 -m dnas.fidelity ..."""


DESCRIPTION = (
    "Correlate the ranks that architectures have in a trained supernet with those of their "
    "accuracy when trained alone, and put trivial predictors beside: parameters, multiply-adds, depth, "
    "latency."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    blocks.add_option(parser)
    add = parser.add_argument
    add(
        "--checkpoint",
        dest="checkpoints",
        required=True,
        action="extend",
        nargs="+",
        metavar="[NAME=]SUPERNET",
        help="checkpoints of supernets of one space, to be compared on the same architectures",
    )
    add("--output", required=True, type=Path, help="folder to write to, and to continue in")
    add("--train-config", metavar="CONFIG", help="train every architecture with it (digits/train.yaml)")
    add(
        "--accuracies",
        type=Path,
        metavar="CSV",
        help="instead of training: columns architecture, top1 and perhaps seed",
    )
    add(
        "--architectures",
        type=int,
        metavar="N",
        help="how many, drawn uniformly (24 to train, all that are known)",
    )
    add(
        "--draw-over",
        choices=get_args(Over),
        default="architectures",
        help="what the draw is uniform over: architectures (default), of which several may build the same "
        "network, or different networks; no network is drawn twice",
    )
    add("--seed", type=int, default=0, help="of the draw and the bootstrap; trainings have the config's (0)")
    add("--epochs", type=int, metavar="E", help="of every training, instead of the config's")
    add(
        "--set",
        dest="overrides",
        action="extend",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="other options of the config, as data.batch_size=32",
    )
    add("--table", help="latency table, name or file, whose latency is a predictor too")
    add("--recalibration-batches", type=int, default=8, metavar="N", help="for batch-norm statistics (8)")
    add("--device", default="auto", help=f"for one-shot evaluation: {', '.join(DEVICES)} (auto)")


def run(options: argparse.Namespace, console: Console) -> Audit:
    """Train, evaluate, correlate, write and print; in every process that torchrun started.

    Raises:
        ValueError: unusable settings, supernets or accuracies.
    """
    settings = Settings(**vars(options))
    with only_one(settings.output, process=rank()):
        broadcast(None)  # The first one has the folder.
        if rank() == 0:
            remember(settings.output, "dnas fidelity")
        with _progress(Console(stderr=True)) as tell:
            found = audit(settings, tell, _trainer(settings), load_table=load_table)
        if rank() == 0:
            write(found)
            show(found, console)
    return found


def _trainer(settings: Settings) -> Trainer | None:
    """Lightning's where something is to be trained, else none."""
    if settings.train_config is None:
        return None
    # Here the program is put together: no other module of dnas knows Lightning's side, and none waits for it.
    from lightning_modules.app.stand_alone import StandAloneTrainer

    return StandAloneTrainer()


@contextmanager
def _progress(console: Console) -> Iterator[Tell]:
    """A bar of what is being done; of several processes only the first one shows it."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=rank() > 0) as bar:
        line = bar.add_task("Reading", total=None)
        yield lambda what, done, of: bar.update(line, description=what, completed=done, total=of)


main = Command("dnas fidelity", DESCRIPTION, add_arguments, run, EPILOG, resumes=True, shared=True)
