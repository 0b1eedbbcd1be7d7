"""``python -m dnas.compare``: search methods side by side, under one latency table and one evaluator."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from dnas import blocks
from dnas.compare.assemble import assemble, with_devices
from dnas.compare.evaluated import read_evaluated
from dnas.compare.figures import write_comparison_figures
from dnas.compare.files import RunError
from dnas.compare.fronts import make_box, sweep
from dnas.compare.judging import (
    Judge,
    Terms,
    choose_judge,
    choose_quality,
    known_evaluations,
    unknown_architectures,
    worst_loss,
)
from dnas.compare.model import Comparison
from dnas.compare.outside import beside, inside, outside_notes, split_runs
from dnas.compare.page import write_report
from dnas.compare.reading import published, read_source, read_sources
from dnas.compare.source import Source, Sources
from dnas.compare.tables import csv_files, devices_table, outside_table, summary_table
from dnas.costs import LatencyCosts, count
from dnas.device_tables import load_device_tables, table_source
from dnas.refine.population import PopulationEvaluator
from dnas.runs.checkpoint import SupernetCheckpoint
from dnas.runs.checkpoint_file import read_supernet
from dnas.runs.evaluator import Evaluation
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from dnas.support.command import Command
from dnas.support.devices import torch_device
from dnas.support.files import only_one, write_text
from dnas.support.processes import broadcast, rank
from dnas.support.resuming import remember
from latency import load_table

ZOO = "published"
RESULT = "comparison.json"
NAME = "dnas compare"

DESCRIPTION = (
    "Compare searches: one latency table costs all networks, one supernet gives all "
    "accuracies. The same NAME several times is one method with several seeds."
)

EPILOG = """A comparison that was killed evaluates nothing twice when the same command is given again.
Several processes share the evaluations: torchrun --nproc-per-node 4 -m -- dnas.compare ..."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    blocks.add_option(parser)
    parser.add_argument(
        "--run",
        required=True,
        action="extend",
        nargs="+",
        metavar="NAME=PATH",
        help="an output folder of 'dnas refine' or 'dnas derive', a search checkpoint, an architecture file, "
        "or the name of a zoo network; that name alone also for one outside the space, listed with its "
        "published accuracy",
    )
    parser.add_argument(
        "--table",
        required=True,
        nargs="+",
        metavar="TABLE",
        help="latency table (name or file); several, as in pixel4=TABLE s10=TABLE, compare these devices "
        "too; all else is under the first",
    )
    parser.add_argument("--output", required=True, type=Path, help="folder to write to")
    parser.add_argument(
        "--checkpoint",
        metavar="SUPERNET",
        help="evaluates what was not evaluated by it yet (default: the supernet that all refinements share)",
    )
    parser.add_argument(
        "--budgets", type=float, nargs="+", default=[], metavar="MS", help="latency budgets (default: five)"
    )
    parser.add_argument(
        "--alpha-bounds",
        type=int,
        default=12,
        metavar="N",
        help="bounds on latency under which a search checkpoint's networks are derived (default 12)",
    )
    parser.add_argument("--no-zoo", action="store_true", help="leave out the published networks of the space")
    parser.add_argument(
        "--no-figures", action="store_true", help="no PNG and SVG files; the report has its figures anyway"
    )
    parser.add_argument("--title", default="", help="of the report")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an earlier comparison in the output folder"
    )


def run(options: argparse.Namespace, console: Console) -> Comparison:
    """Read, evaluate, compare, write and print; in every process that torchrun started.

    Raises:
        ValueError: unusable options or runs, or runs that cannot be compared.
        FileExistsError: the folder already holds a comparison, or another run works in it.
    """
    _check_options(options)
    runs, names = split_runs(options.run)
    sources = read_sources(runs)
    space = next(iter(sources.values()))[0].space
    tables = load_device_tables(options.table, space, load_table)
    table = next(iter(tables.values()))
    source, members = table_source(options.table[0]), inside(names, space)
    outside = beside([name for name in names if name not in members], source, load_table)
    sources = _completed(_with_zoo(sources, members), table, options)
    quality = choose_quality(sources)
    judge = choose_judge(sources, options.checkpoint)
    costs = count(space)
    box = make_box(table, costs, worst_loss(sources) if quality == "loss" else None)
    terms = Terms(table, costs, quality, box, judge.key)
    known = known_evaluations(sources, judge.key)
    unknown = unknown_architectures(sources, known)
    everything = read_evaluated(sources, judge.key) if len(tables) > 1 else {}
    supernet = _supernet(unknown, judge, space)
    with _alone(options.output):
        evaluations = known | _evaluate(unknown, supernet, judge, options.output)
        everything |= evaluations
        evaluator = judge.describe(everything.values())
        comparison = assemble(sources, evaluations, known, terms, evaluator, options.budgets, options.title)
        notes = (*comparison.notes, *outside_notes(outside))
        comparison = replace(comparison, outside=outside, notes=notes)
        if len(tables) > 1:
            comparison = with_devices(comparison, tables, sources, everything, terms)
        if rank() == 0:
            _write(comparison, options.output, figures=not options.no_figures)
            _print(console, comparison, options.output)
    return comparison


@contextmanager
def _alone(output: Path) -> Iterator[None]:
    """Have the folder, to continue in."""
    with only_one(output, process=rank()):
        # Nothing is written before all processes have looked into the folder, and the first one has it.
        broadcast(None)
        if rank() == 0:
            remember(output, NAME)
        yield


def _check_options(options: argparse.Namespace) -> None:
    problems = []
    if not all(math.isfinite(ms) and ms > 0 for ms in options.budgets):
        problems.append(f"--budgets must be milliseconds above 0, got {_listed(options.budgets)}")
    if len(set(options.budgets)) < len(options.budgets):
        problems.append(f"--budgets: the same budget twice ({_listed(options.budgets)})")
    if options.alpha_bounds < 1:
        problems.append(f"--alpha-bounds must be at least 1, got {options.alpha_bounds}")
    if not options.no_zoo and any(run.partition("=")[0] == ZOO for run in options.run):
        problems.append(f"--run {ZOO}=...: that name is the zoo's; choose another, or add --no-zoo")
    if problems:
        raise ValueError("; ".join(problems))
    if options.output.exists() and not options.output.is_dir():
        raise FileExistsError(f"--output {options.output} is a file: give a folder to write to.")
    if (options.output / RESULT).exists() and not options.overwrite:
        raise FileExistsError(
            f"{options.output} already holds a comparison. Choose another --output, or give the command "
            "itself with --overwrite."
        )


def _listed(numbers: Sequence[float]) -> str:
    return " ".join(f"{number:g}" for number in numbers)


def _with_zoo(sources: Sources, names: Sequence[str]) -> Sources:
    """With networks of the zoo that are in the space, every one a method of its own name."""
    taken = [name for name in names if name in sources]
    if taken:
        raise RunError(f"--run {', '.join(taken)}: that NAME is a run's already; give it another one.")
    return {**sources, **{name: (read_source(name),) for name in names}}


def _completed(sources: Sources, table: LatencyCosts, options: argparse.Namespace) -> Sources:
    """With the networks that follow from alpha, and with the zoo."""
    complete: Sources = {
        name: tuple(_swept(run, table, options.alpha_bounds) for run in runs)
        for name, runs in sources.items()
    }
    zoo = () if options.no_zoo else published(table.space)
    return {**complete, ZOO: zoo} if zoo else complete


def _swept(run: Source, table: LatencyCosts, limits: int) -> Source:
    return run if run.alpha is None else replace(run, found=sweep(run.space, run.alpha, table, limits))


def _supernet(
    architectures: Sequence[Architecture], judge: Judge, space: SearchSpace
) -> SupernetCheckpoint | None:
    """What evaluates architectures that no run measured; None if there are none."""
    if not architectures:
        return None
    if judge.path is None:
        raise RunError(
            f"{len(architectures)} architecture(s), {architectures[0]} the first, were not evaluated by the "
            f"supernet {judge.file} (sha256 {judge.key.sha256[:12]}...). Give its file with --checkpoint "
            "(--no-zoo leaves out the published networks)."
        )
    checkpoint = read_supernet(judge.path)
    if checkpoint.space != space:
        raise RunError(f"{judge.path} is a supernet of the space {checkpoint.space.name}, not {space.name}.")
    return checkpoint


def _evaluate(
    architectures: Sequence[Architecture], supernet: SupernetCheckpoint | None, judge: Judge, folder: Path
) -> dict[Architecture, Evaluation]:
    """One-shot evaluations, kept in ``folder``."""
    if supernet is None:
        return {}
    evaluate_all = PopulationEvaluator.of_checkpoint(
        supernet, judge.key.recalibration_batches, torch_device(), folder
    )
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=rank() > 0) as bar:
        line = bar.add_task("One-shot accuracy", total=None)
        records = evaluate_all(
            np.array([each.indices for each in architectures]),
            lambda done, of: bar.update(line, completed=done, total=of),
        )
    return {each: record.evaluation for each, record in zip(architectures, records, strict=True)}


def _write(comparison: Comparison, output: Path, figures: bool) -> None:
    """Tables, figures and report first: where comparison.json is, all is there."""
    for name, content in csv_files(comparison).items():
        write_text(output / name, content)
    write_report(comparison, output)
    if figures:
        with Console(stderr=True).status("Drawing ..."):
            write_comparison_figures(comparison, output)
    write_text(output / RESULT, json.dumps(comparison.to_dict(), indent=1, allow_nan=False) + "\n")


def _print(console: Console, comparison: Comparison, output: Path) -> None:
    console.print(summary_table(comparison))
    if comparison.outside:
        console.print(outside_table(comparison))
    findings = [comparison.finding]
    if comparison.devices is not None:
        console.print(devices_table(comparison.devices))
        findings.append(comparison.devices.finding)
    for line in (*findings, *comparison.notes):
        console.print(line, highlight=False, markup=False)
    console.print(f"Wrote {output / 'report.html'}", highlight=False, soft_wrap=True)


main = Command(NAME, DESCRIPTION, add_arguments, run, EPILOG, resumes=True, shared=True)
