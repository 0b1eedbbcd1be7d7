"""Bytes and messages of a training step among several processes: a model, its check, and what it predicts.

    python benchmarks/scaling.py                  # 1, 2, 3 processes of this machine, then the tables
    python benchmarks/scaling.py --processes 0 --bandwidth 25 --latency 10 --step 150 400

The model counts parameters and buffers of the trainings themselves, as torch's DistributedDataParallel sends
them (docs/scaling.md). The check trains with gloo on this machine's CPU; a communication hook counts what DDP
hands over. Predicted efficiencies rest on assumptions that are options: bandwidth, latency, time of a step.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import platform
import socket
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from rich.console import Console
from rich.table import Table
from torch import distributed, nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.optim import SGD, Adam

from dnas.search.gradient.masks import MaskStrategy, StrictlyFair, TwoPath, UniformPath
from dnas.search.gradient.objective import AdditiveLatency, Objective
from lightning_modules.classifier import Classifier
from lightning_modules.data import Digits
from lightning_modules.one_shot import OneShotSupernet
from lightning_modules.search import DifferentiableSearch
from lightning_modules.search_settings import Learner, Steps

MIB = 2**20
# Of torch's DDP: the first bucket, and the others.
BUCKETS = (MIB, 25 * MIB)
GPUS = (1, 2, 4, 8, 16, 32, 64)


class Traffic(NamedTuple):
    """What a process hands over in a step: bytes and messages of all-reduces, and of broadcasts."""

    reduced: int
    reductions: int
    broadcast: int
    broadcasts: int

    def seconds(self, processes: int, bandwidth: float, latency: float) -> float:
        """Rings send 2 (W - 1) / W of the bytes, in 2 (W - 1) rounds; trees broadcast in log2 W rounds.

        bandwidth in bytes per second, latency in seconds.
        """
        ring = 2 * (processes - 1) / processes * self.reduced / bandwidth
        ring += 2 * (processes - 1) * self.reductions * latency
        rounds = math.ceil(math.log2(processes))
        return ring + rounds * (self.broadcasts * latency) + (processes > 1) * self.broadcast / bandwidth


def traffic(module: nn.Module, backwards: int, unused: bool) -> Traffic:
    """Of a step with so many backward passes; every one sends all gradients.

    Without its own optimisation (searches, supernets) Lightning has DDP broadcast no buffers.

    Args:
        unused: DDP looks for unused parameters, and sends besides an int32 for each that says who used it.
    """
    parameters, buffers = list(module.parameters()), list(module.buffers())
    gradients = sum(each.nbytes for each in parameters)
    sparse = [False] * len(parameters)
    count = len(distributed._compute_bucket_assignment_by_size(parameters, list(BUCKETS), sparse)[0])
    used = 4 * len(parameters) if unused else 0
    # Once a step every process asks the others whether it is to stop (callbacks/interrupt.py).
    asked = 4
    if isinstance(module, pl.LightningModule) and not module.automatic_optimization:
        # Lightning then has DDP leave buffers as they are.
        buffers = []
    return Traffic(
        reduced=backwards * (gradients + used) + asked,
        reductions=backwards * (count + unused) + 1,
        broadcast=sum(each.nbytes for each in buffers),
        broadcasts=len({each.dtype for each in buffers}),
    )


class Counted(pl.Callback):
    """Counts what DDP hands over, and times steps, from the third on."""

    def __init__(self, path: str) -> None:
        self.path, self.times = path, list[float]()
        self.bytes = self.messages = self.broadcast = 0

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.world_size > 1:
            # A lambda, as torch compares annotations with classes and ours are text.
            trainer.strategy.model.register_comm_hook(None, lambda _, bucket: self._count(bucket))
            self._send, distributed._broadcast_coalesced = distributed._broadcast_coalesced, self._broadcast

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.fit_loop.epoch_loop.batch_idx == 2:
            self.bytes = self.messages = self.broadcast = 0
        self._since = time.perf_counter()

    def on_train_batch_end(self, *_: Any) -> None:
        self.times.append(time.perf_counter() - self._since)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.world_size > 1:
            distributed._broadcast_coalesced = self._send
        times = self.times[2:]
        content = [each / len(times) for each in (self.bytes, self.messages, self.broadcast)]
        torch.save([*content, statistics.median(times)], f"{self.path}.{os.environ.get('RANK', 0)}")

    def _count(self, bucket: distributed.GradBucket) -> torch.futures.Future[torch.Tensor]:
        self.bytes += bucket.buffer().nbytes
        self.messages += 1
        return allreduce_hook(None, bucket)  # type: ignore[arg-type]

    def _broadcast(self, group: Any, tensors: list[torch.Tensor], *others: Any) -> None:
        self.broadcast += sum(each.nbytes for each in tensors)
        self._send(group, tensors, *others)


class Training(NamedTuple):
    """A training, the backward passes of its step, and whether parts of it have no gradient."""

    make: Callable[[], pl.LightningModule]
    backwards: int
    unused: bool = True


def trainings(classes: int, stem_stride: int | None) -> dict[str, Training]:
    """The full-width MoGA space."""
    sgd, adam = partial(SGD, lr=0.01, momentum=0.9), partial(Adam, lr=0.01)
    facts = {"num_classes": classes, "in_channels": 3, "stem_stride": stem_stride}

    def search(sharing: str) -> pl.LightningModule:
        return DifferentiableSearch(
            "moga",
            sharing=sharing,
            objective=Objective(AdditiveLatency(weight_per_ms=0.1)),
            weights=Learner(masks=UniformPath(), optimizer=sgd),
            alpha=Learner(masks=TwoPath(), optimizer=adam),
            steps=Steps(warmup_epochs=0),
            **facts,
        )

    def one_shot(masks: MaskStrategy) -> pl.LightningModule:
        return OneShotSupernet("moga", sharing="independent", masks=masks, optimizer=sgd, **facts)

    return {
        "search, entangled": Training(partial(search, "entangled"), 2),
        "search, independent": Training(partial(search, "independent"), 2),
        "one-shot, one path": Training(partial(one_shot, UniformPath()), 1),
        "one-shot, strictly fair": Training(partial(one_shot, StrictlyFair()), 12),
        "training MoGA-A": Training(lambda: Classifier("moga_a", optimizer=sgd, **facts), 1, unused=False),
    }


def main() -> None:
    options = _parser().parse_args()
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    console = Console(width=140)
    if options.processes:
        console.print(checked(options))
    modules = trainings(1000, None)
    kinds = {name: traffic(each.make(), each.backwards, each.unused) for name, each in modules.items()}
    table = Table("training", title="A step's traffic, 1000 classes, from each process")
    for heading in ("all-reduced MB", "messages", "broadcast MB", "messages"):
        table.add_column(heading, justify="right")
    for name, each in kinds.items():
        row = (f"{each.reduced / 1e6:.1f}", f"{each.reductions}", f"{each.broadcast / 1e6:.2f}")
        table.add_row(name, *row, f"{each.broadcasts}")
    console.print(table)
    for step_ms in options.step:
        console.print(predicted(kinds, step_ms, options))


def predicted(kinds: dict[str, Traffic], step_ms: float, options: argparse.Namespace) -> Table:
    """Efficiency with the same images per GPU, none of the traffic hidden behind the backward pass."""
    assumed = f"{options.bandwidth:g} GB/s, {options.latency:g} us, a step of {step_ms:g} ms on one GPU"
    table = Table("training", title=f"Predicted efficiency in %, ASSUMING {assumed}")
    for gpus in GPUS:
        table.add_column(f"{gpus}", justify="right")
    for name, each in kinds.items():
        costs = [1e3 * each.seconds(gpus, 1e9 * options.bandwidth, 1e-6 * options.latency) for gpus in GPUS]
        table.add_row(name, *(f"{100 * step_ms / (step_ms + cost):.0f}" for cost in costs))
    return table


def checked(options: argparse.Namespace) -> Table:
    """Counted bytes and messages beside the model's; times of steps, images per process alike."""
    machine = f"{os.cpu_count()} cores, {platform.machine()}, gloo, torch {torch.__version__}"
    title = f"16 px, {options.batch} images per process, median of {options.steps} steps; {machine}"
    table = Table("training", title=title)
    for heading in ("processes", "MB model", "MB counted", "buckets", "counted", "broadcast", "counted"):
        table.add_column(heading, justify="right")
    for heading in ("ms alone", "ms model", "ms"):
        table.add_column(heading, justify="right")
    links = {
        processes: _forked(processes, _link, options) if processes > 1 else [0.0, 1.0]
        for processes in range(1, options.processes + 1)
    }
    for name, training in trainings(10, 1).items():
        if options.only and not any(text in name for text in options.only):
            continue
        model = traffic(training.make(), training.backwards, training.unused)
        for processes in links:
            count, messages, broadcast, seconds = _forked(processes, partial(_train, name, True), options)
            alone = seconds
            if processes > 1:
                # As many at a time share the cores and the memory, but nothing else.
                *_, alone = _forked(processes, partial(_train, name, False), options)
            # The hook does not see the flags of unused parameters, nor whether to stop.
            bare = traffic(training.make(), training.backwards, False)
            latency, bandwidth = links[processes]
            expected = alone + model.seconds(processes, bandwidth, latency)
            table.add_row(
                name,
                f"{processes}",
                *((f"{(bare.reduced - 4) / 1e6:.2f}", f"{count / 1e6:.2f}") if processes > 1 else ("", "")),
                *((f"{bare.reductions - 1}", f"{messages:g}") if processes > 1 else ("", "")),
                *((f"{model.broadcast / 1e6:.3f}", f"{broadcast / 1e6:.3f}") if processes > 1 else ("", "")),
                f"{1e3 * alone:.0f}",
                f"{1e3 * expected:.0f}",
                f"{1e3 * seconds:.0f}",
            )
    return table


def _train(name: str, together: bool, path: str, processes: int, options: argparse.Namespace) -> None:
    training, processes = trainings(10, 1)[name], processes if together else 1
    strategy = "ddp_find_unused_parameters_true" if training.unused else "ddp"
    torch.manual_seed(0)
    trainer = pl.Trainer(
        default_root_dir=str(Path(path).parent),
        num_sanity_val_steps=0,
        accelerator="cpu",
        devices=processes,
        strategy=strategy if processes > 1 else "auto",
        max_epochs=1,
        limit_train_batches=2 + options.steps,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Counted(path)],
    )
    trainer.fit(training.make(), datamodule=Digits(resolution=16, batch_size=options.batch))


def _link(path: str, processes: int, options: argparse.Namespace) -> None:
    """Latency in seconds and bandwidth in bytes per second of gloo between processes of this machine."""
    distributed.init_process_group("gloo")

    def timed(numbers: int, times: int) -> float:
        tensor, seconds = torch.zeros(numbers), list[float]()
        for _ in range(times):
            distributed.barrier()
            started = time.perf_counter()
            distributed.all_reduce(tensor)
            seconds.append(time.perf_counter() - started)
        return statistics.median(seconds)

    small, large = timed(1, 50), timed(8 * MIB, 7)
    ring = 2 * (processes - 1)
    bandwidth = ring / processes * 32 * MIB / max(large - small, 1e-9)
    if distributed.get_rank() == 0:
        torch.save([small / ring, bandwidth], f"{path}.0")
    distributed.destroy_process_group()


def _forked(processes: int, work: Callable[..., None], options: argparse.Namespace) -> list[float]:
    """What the first process found; all are forks of this one, which has imported everything."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        path, children = f"{folder}/counted", []
        for rank in range(processes):
            if child := os.fork():
                children.append(child)
                continue
            status = 1
            try:
                if processes > 1:
                    names = {"RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": 0, "WORLD_SIZE": processes}
                    names |= {"LOCAL_WORLD_SIZE": processes, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
                    names |= {"TORCHELASTIC_RUN_ID": "scaling"}
                    os.environ.update({name: str(value) for name, value in names.items()})
                torch.set_num_threads(1)
                work(path, processes, options)
                status = 0
            except Exception as error:
                print(f"process {rank}: {error!r}", file=sys.stderr)
            finally:
                os._exit(status)
        statuses = [os.waitpid(child, 0)[1] for child in children]
        if any(statuses):
            raise SystemExit("A process failed.")
        found: list[float] = torch.load(f"{path}.0")
        return found


def _parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    result.add_argument("--processes", type=int, default=3, help="check with 1 to so many; 0 for no check")
    result.add_argument("--batch", type=int, default=16, help="images per step and process of the check")
    result.add_argument("--steps", type=int, default=7, help="timed steps of the check")
    result.add_argument("--only", nargs="+", metavar="TEXT", help="trainings with one of these in the name")
    result.add_argument("--bandwidth", type=float, default=10.0, help="assumed, GB/s out of every GPU")
    result.add_argument("--latency", type=float, default=20.0, help="assumed, us per round of a message")
    result.add_argument(
        "--step", type=float, nargs="+", default=[100.0, 400.0], help="assumed, ms of a step on one GPU"
    )
    return result


if __name__ == "__main__":
    main()
