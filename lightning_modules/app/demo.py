"""``dnas demo``: both searches, on handwritten digits, in minutes.

From nothing to a derived and retrained mobile network, then to a one-shot supernet, its evolution with and
without the differentiable search as a beginning, a random baseline, and all of them compared. It runs the
public commands one after another and prints them: each can be repeated by hand.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import webbrowser
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from dnas.compare.command import main as compare
from dnas.derive.command import Candidate
from dnas.derive.command import main as derive
from dnas.refine.command import main as refine
from dnas.runs.checkpoint import SearchCheckpoint
from dnas.runs.checkpoint_file import read
from dnas.support.command import Command
from dnas.support.files import write_text
from latency import LatencyTable, load_table
from lightning_modules.app.lightning_command import run_lightning
from lightning_modules.app.run_folder import fresh_folder

# The evaluations of each evolution, and the epochs of its supernet: few enough for minutes.
POPULATION, GENERATIONS, ONE_SHOT_EPOCHS = 16, 6, 20


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
    finding: str
    seconds: dict[str, float]


class Stages:
    """Announce, run and time the commands."""

    def __init__(self, console: Console) -> None:
        self.console, self.seconds = console, dict[str, float]()

    def run(self, title: str, main: Callable[[list[str]], Any], command: list[str]) -> Any:
        """The result of ``dnas COMMAND``; Lightning's commands take their own name too."""
        self.console.rule(f"[bold]{title}", align="left")
        self.console.print("$ dnas " + " ".join(command), style="dim", highlight=False, soft_wrap=True)
        started = time.perf_counter()
        result = main(command if main is run_lightning else command[1:])
        self.seconds[title] = round(time.perf_counter() - started, 1)
        return result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A folder, and how long to train."""
    parser.add_argument(
        "--output", type=Path, default=Path("runs/demo"), help="where the demo makes its folder"
    )
    parser.add_argument(
        "--epochs", type=int, help="epochs of the trainings; fewer give a quick look, not a result"
    )


def run(settings: argparse.Namespace, console: Console) -> Summary:
    """Run the demo; results in a folder of its own below ``--output``."""
    folder = fresh_folder(settings.output)
    summary = both_searches(folder, console, settings.epochs)
    show(folder / "comparison" / "report.html")
    return summary


def both_searches(folder: Path, console: Console, epochs: int | None = None) -> Summary:
    """Search, derive, retrain, evolve and compare; everything lands in ``folder``."""
    stages, shorter = Stages(console), [] if epochs is None else ["--trainer.max_epochs", str(epochs)]
    fit = ["fit", "--config", "digits/search.yaml", "--run_folder", str(folder / "search"), *shorter]
    stages.run("search", run_lightning, fit)
    searched = str(folder / "search" / "checkpoints" / "last.ckpt")
    checkpoint = read(searched)
    table = load_table(checkpoint.table["name"], checkpoint.space)
    best, bounded = _derive(stages, searched, table, folder)
    top1 = _retrain(stages, folder)
    finding = _evolve(stages, searched, table, folder, shorter)
    summary = summarise(checkpoint, table, best, bounded, top1, finding, stages.seconds)
    write_text(folder / "summary.json", json.dumps(asdict(summary), indent=2) + "\n")
    link_latest(folder)
    print_summary(stages.console, summary, folder)
    return summary


def _derive(
    stages: Stages, searched: str, table: LatencyTable, folder: Path
) -> tuple[Candidate, list[Candidate]]:
    """The most probable network, and those of three latency budgets."""
    source = ["derive", "--checkpoint", searched]
    best: Candidate = stages.run("derive", derive, [*source, "--output", str(folder / "derived")])[0]
    bounds = ["--latency-below", *(f"{ms:.2f}" for ms in latency_budgets(best, table))]
    output = ["--output", str(folder / "budgets")]
    return best, stages.run("three latency budgets", derive, [*source, *bounds, *output])


def _retrain(stages: Stages, folder: Path) -> float:
    """Top-1 on the test split of the derived network, trained from scratch."""
    architecture = str(folder / "derived" / "architecture.json")
    train = ["--config", "digits/train.yaml", "--model.architecture", architecture]
    retrained = folder / "retrained"
    stages.run("retrain", run_lightning, ["fit", *train, "--run_folder", str(retrained)])
    weights = ["--ckpt_path", str(retrained / "checkpoints" / "last.ckpt")]
    test = ["test", *train, *weights, "--run_folder", str(folder / "tested")]
    cli = stages.run("test", run_lightning, test)
    top1: float = cli.trainer.callback_metrics["test_top1"].item()
    return top1


def _evolve(stages: Stages, searched: str, table: LatencyTable, folder: Path, shorter: list[str]) -> str:
    """A supernet, three searches of it, the comparison of all; returns its finding."""
    fit = ["fit", "--config", "digits/one_shot.yaml", "--run_folder", str(folder / "one_shot")]
    fit += shorter or ["--trainer.max_epochs", str(ONE_SHOT_EPOCHS)]
    stages.run("one-shot supernet", run_lightning, fit)
    supernet = str(folder / "one_shot" / "checkpoints" / "last.ckpt")
    common = ["refine", "--checkpoint", supernet, "--table", table.name]
    common += ["--population", str(POPULATION), "--generations", str(GENERATIONS)]
    common += ["--recalibration-batches", "2", "--cache", str(folder / "evaluations")]
    variants = {
        "NSGA-II seeded": ["--seed-from", searched],
        "NSGA-II": [],
        "random": ["--algorithm", "random"],
    }
    runs = [f"search={searched}"]
    for name, options in variants.items():
        output = folder / name.lower().replace(" ", "_")
        stages.run(name, refine, [*common, *options, "--output", str(output)])
        runs.append(f"{name}={output}")
    chosen = ["--table", table.name, "--checkpoint", supernet, "--output", str(folder / "comparison")]
    finding: str = stages.run("compare", compare, ["compare", "--run", *runs, *chosen]).finding
    return finding


def latency_budgets(best: Candidate, table: LatencyTable) -> list[float]:
    """Three budgets in ms, evenly between a network's latency and the lowest of its space.

    A short search may end at the fastest network: then they are between that and the slowest.
    """
    lowest = table.latency_ms(table.cheapest())
    highest = best.latency_ms if best.latency_ms > 1.05 * lowest else table.latency_ms(table.dearest())
    return [lowest + share * (highest - lowest) for share in (0.75, 0.5, 0.25)]


def summarise(
    checkpoint: SearchCheckpoint,
    table: LatencyTable,
    best: Candidate,
    bounded: list[Candidate],
    retrained_top1: float,
    finding: str,
    seconds: dict[str, float],
) -> Summary:
    """Collect the results of the stages."""
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
        finding=finding,
        seconds=seconds,
    )


def print_summary(console: Console, summary: Summary, folder: Path) -> None:
    """A table of what was found and where it lies."""
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
        "searches compared": summary.finding,
        "seconds": ", ".join(f"{name} {value:.0f}" for name, value in summary.seconds.items()),
        "architecture file": str(folder / "derived" / "architecture.json"),
        "figures": str(folder / "search" / "figures"),
        "report": str(folder / "comparison" / "report.html"),
    }
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table)


def show(report: Path) -> None:
    """Open the report in a browser where somebody sits before one."""
    desktop = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform != "linux"
    if sys.stdout.isatty() and desktop:
        webbrowser.open(report.resolve().as_uri())


def link_latest(folder: Path) -> None:
    """Point ``latest`` beside ``folder`` to it, where the file system has links."""
    fresh = folder.with_name(f".{folder.name}.link")
    try:
        fresh.symlink_to(folder.name, target_is_directory=True)
        fresh.replace(folder.with_name("latest"))
    except OSError as error:
        Console(stderr=True).print(f"No link 'latest' to {folder}: {error}", highlight=False)


main = Command(
    "dnas demo", "Search in both ways on handwritten digits, compare, retrain.", add_arguments, run
)
