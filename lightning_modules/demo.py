"""``dnas demo``: from nothing to a derived and retrained mobile network, on handwritten digits, in minutes.

It runs the public commands one after another and prints them: each can be repeated by hand.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from dnas.derive import Candidate
from dnas.derive import main as derive
from dnas.files import write_text
from dnas.search.checkpoint import SearchCheckpoint
from dnas.search.checkpoint_file import read
from latency import LatencyTable, load_table
from lightning_modules.lightning_command import run_lightning
from lightning_modules.run_folder import fresh_folder


@dataclass(frozen=True)
class Summary:
    """What the demo found. Latencies are sums of the table, for the deployed network."""

    architecture: str
    latency_kind: str
    expected_latency_ms_at_start: float
    expected_latency_ms_at_end: float
    latency_ms: float
    params: int
    madds: int
    one_shot_top1: float
    retrained_top1: float
    budgets: list[dict[str, float]]
    seconds: dict[str, float]


class Stages:
    """Announce, run and time the commands."""

    def __init__(self) -> None:
        self.console, self.seconds = Console(), dict[str, float]()

    @contextmanager
    def stage(self, title: str, command: list[str]) -> Iterator[list[str]]:
        self.console.rule(f"[bold]{title}", align="left")
        self.console.print("$ dnas " + " ".join(command), style="dim", highlight=False, soft_wrap=True)
        started = time.perf_counter()
        yield command
        self.seconds[title] = round(time.perf_counter() - started, 1)


def main(argv: Sequence[str] | None = None) -> Summary:
    """Run the demo; results in a folder of its own below ``--output``."""
    parser = argparse.ArgumentParser(
        prog="dnas demo", description="Search, derive and retrain on handwritten digits."
    )
    parser.add_argument(
        "--output", type=Path, default=Path("runs/demo"), help="where the demo makes its folder"
    )
    parser.add_argument(
        "--epochs", type=int, help="epochs of the search; fewer give a quick look, not a result"
    )
    options = parser.parse_args(argv)
    return run(fresh_folder(options.output), options.epochs)


def run(folder: Path, epochs: int | None = None) -> Summary:
    """Search, derive without and with three latency bounds, retrain; everything lands in ``folder``."""
    stages = Stages()
    search = ["fit", "--config", "digits/search.yaml", "--run_folder", str(folder / "search")]
    search += [] if epochs is None else ["--trainer.max_epochs", str(epochs)]
    with stages.stage("search", search) as command:
        run_lightning(command)
    source = ["derive", "--checkpoint", str(folder / "search" / "checkpoints" / "last.ckpt")]
    with stages.stage("derive", [*source, "--output", str(folder / "derived")]) as command:
        best = derive(command[1:])[0]
    checkpoint = read(source[2])
    table = load_table(checkpoint.table["name"], checkpoint.space)
    bounds = ["--latency-below", *(f"{ms:.2f}" for ms in latency_budgets(best, table))]
    with stages.stage(
        "three latency budgets", [*source, *bounds, "--output", str(folder / "budgets")]
    ) as command:
        bounded = derive(command[1:])
    architecture = str(folder / "derived" / "architecture.json")
    train = ["--config", "digits/train.yaml", "--model.architecture", architecture]
    retrained = folder / "retrained"
    with stages.stage("retrain", ["fit", *train, "--run_folder", str(retrained)]) as command:
        run_lightning(command)
    weights = ["--ckpt_path", str(retrained / "checkpoints" / "last.ckpt")]
    with stages.stage("test", ["test", *train, *weights, "--run_folder", str(folder / "tested")]) as command:
        top1 = run_lightning(command).trainer.callback_metrics["test_top1"].item()
    summary = _summarise(checkpoint, table, best, bounded, top1, stages.seconds)
    write_text(folder / "summary.json", json.dumps(asdict(summary), indent=2) + "\n")
    link_latest(folder)
    _print(stages.console, summary, folder)
    return summary


def latency_budgets(best: Candidate, table: LatencyTable) -> list[float]:
    """Three budgets in ms, evenly between a network's latency and the lowest of its space."""
    lowest = table.latency_ms(table.cheapest())
    return [lowest + share * (best.latency_ms - lowest) for share in (0.75, 0.5, 0.25)]


def link_latest(folder: Path) -> None:
    """Point ``latest`` beside ``folder`` to it, where the file system has links."""
    fresh = folder.with_name(f".{folder.name}.link")
    try:
        fresh.symlink_to(folder.name, target_is_directory=True)
        fresh.replace(folder.with_name("latest"))
    except OSError as error:
        Console(stderr=True).print(f"No link 'latest' to {folder}: {error}", highlight=False)


def _summarise(
    checkpoint: SearchCheckpoint,
    table: LatencyTable,
    best: Candidate,
    bounded: list[Candidate],
    retrained_top1: float,
    seconds: dict[str, float],
) -> Summary:
    uniform = [row[:count].mean() for row, count in zip(table.ms, table.space.num_choices, strict=True)]
    return Summary(
        architecture=str(best.derived.architecture),
        latency_kind=table.kind,
        expected_latency_ms_at_start=float(sum(uniform) + table.fixed_ms),
        expected_latency_ms_at_end=checkpoint.history[-1]["expected_latency_ms"],
        latency_ms=best.latency_ms,
        params=best.params,
        madds=best.madds,
        one_shot_top1=best.evaluation.top1 if best.evaluation else float("nan"),
        retrained_top1=retrained_top1,
        budgets=[each.row() for each in bounded],
        seconds=seconds,
    )


def _print(console: Console, summary: Summary, folder: Path) -> None:
    before, after = summary.expected_latency_ms_at_start, summary.expected_latency_ms_at_end
    table = Table("", "", title="Found in this demo", show_header=False, title_justify="left")
    table.columns[1].overflow = "fold"
    rows = {
        "architecture": summary.architecture,
        f"{summary.latency_kind} latency": f"{summary.latency_ms:.2f} ms (deployed at 224 px)",
        "parameters": f"{summary.params:,} (with 1000 classes)",
        "expected latency during the search": f"{before:.2f} -> {after:.2f} ms",
        "one-shot accuracy, validation digits": f"{summary.one_shot_top1:.1%}",
        "retrained from scratch, test digits": f"{summary.retrained_top1:.1%}",
        **{f"at most {row['latency_ms']:.2f} ms": f"one-shot {row['top1']:.1%}" for row in summary.budgets},
        "seconds": ", ".join(f"{name} {value:.0f}" for name, value in summary.seconds.items()),
        "architecture file": str(folder / "derived" / "architecture.json"),
        "figures": str(folder / "search" / "figures"),
    }
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table)
