"""``python -m dnas.derive``: architectures from a search checkpoint, their costs and one-shot accuracy."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from dnas import blocks
from dnas.costs import Costs, count
from dnas.derive.text import architecture_table, candidates_table
from dnas.report.search_figures import write_candidate_figures, write_search_figures
from dnas.runs.checkpoint import SearchCheckpoint
from dnas.runs.checkpoint_file import read
from dnas.runs.evaluator import DataUnavailable, Evaluation, OneShotEvaluator
from dnas.search.gradient.derivation import Derived, most_probable, sample
from dnas.search.gradient.masks import probabilities
from dnas.search.knapsack import Bound
from dnas.space.networks import count_text
from dnas.support.command import Command
from dnas.support.files import write_text
from latency import LatencyTable, TableError, load_table


@dataclass(frozen=True)
class Candidate:
    """A derived architecture with everything that is told about it."""

    derived: Derived
    latency_ms: float
    params: int
    madds: int
    evaluation: Evaluation | None

    def row(self) -> dict[str, Any]:
        """For tables: one cell per column, accuracy as a fraction."""
        top1 = self.evaluation.top1 if self.evaluation else None
        return {
            "name": self.derived.name,
            "latency_ms": self.latency_ms,
            "params": self.params,
            "madds": self.madds,
            "probability": self.derived.probability,
            "top1": top1,
        }


DESCRIPTION = (
    "Derive architectures from a search checkpoint. Without bounds: the most probable one. "
    "With bounds: the most probable one that keeps them, solved exactly; infeasible bounds end with what "
    "is attainable."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    blocks.add_option(parser)
    parser.add_argument(
        "--checkpoint", required=True, help="checkpoint of a search (runs/.../checkpoints/last.ckpt)"
    )
    parser.add_argument("--output", required=True, type=Path, help="folder to write to")
    parser.add_argument("--table", help="another latency table (name or file) than the one the search used")
    parser.add_argument(
        "--latency-below",
        type=float,
        nargs="+",
        metavar="MS",
        help="latency of at most MS; several give one network each",
    )
    parser.add_argument("--params-above", type=float, metavar="N", help="at least N parameters")
    parser.add_argument(
        "--sample", type=int, default=0, metavar="N", help="also N distinct draws from softmax(alpha)"
    )
    parser.add_argument(
        "--uniform",
        action="store_true",
        help="draw the samples with every choice equally likely",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the samples (default 0)")
    parser.add_argument("--no-accuracy", action="store_true", help="do not measure one-shot accuracy")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an earlier derivation in the output folder"
    )


def run(options: argparse.Namespace, console: Console) -> list[Candidate]:
    """Derive, evaluate, write and print.

    Raises:
        ValueError: unusable options, checkpoint or table, or infeasible bounds.
        FileExistsError: the folder already holds a derivation.
    """
    _check_options(options)
    checkpoint = read(options.checkpoint)
    table, costs = load_costs(checkpoint, options.table)
    derived = _choose(checkpoint, table, costs, options)
    evaluations, note = _evaluate(checkpoint, derived, skip=options.no_accuracy)
    candidates = [
        Candidate(
            d,
            table.latency_ms(d.architecture),
            costs.params_of(d.architecture),
            costs.madds_of(d.architecture),
            e,
        )
        for d, e in zip(derived, evaluations, strict=True)
    ]
    provenance = _provenance(checkpoint, table, options)
    _remove_earlier(options.output)
    for index, candidate in enumerate(candidates):
        _write(candidate, table, {"accuracy_note": note, **provenance}, options.output, first=index == 0)
    write_text(options.output / "candidates.csv", _csv(candidates))
    _draw(candidates, checkpoint, table.kind, options.output)
    notes = [f"One-shot accuracy: {note}.", f"Latency: {table.describe()}", *same_networks(derived)]
    found = len(derived) - max(1, len(options.latency_below or ()))
    if found < options.sample:
        notes.append(f"Samples: {found} of {options.sample}; alpha and the bounds give no further ones.")
    _print(console, candidates, table, costs, notes, options.output)
    return candidates


def _check_options(options: argparse.Namespace) -> None:
    problems = []
    for bound in options.latency_below or ():
        if not (np.isfinite(bound) and bound > 0):
            problems.append(f"--latency-below must be a number of milliseconds above 0, got {bound}")
    if options.params_above is not None and not (
        np.isfinite(options.params_above) and options.params_above >= 0
    ):
        problems.append(f"--params-above must be a number of parameters, got {options.params_above}")
    if options.sample < 0:
        problems.append(f"--sample must not be negative, got {options.sample}")
    names = _limit_names(options)
    if len(set(names)) < len(names):
        problems.append(f"--latency-below: the same limit twice ({' '.join(names)})")
    if problems:
        raise ValueError("; ".join(problems))
    if options.output.exists() and not options.output.is_dir():
        raise FileExistsError(f"--output {options.output} is a file: give a folder to write to.")
    if (options.output / "architecture.json").exists() and not options.overwrite:
        raise FileExistsError(
            f"{options.output} already holds a derivation. Choose another --output, or add --overwrite."
        )


def _limit_names(options: argparse.Namespace) -> list[str]:
    return [f"latency_below_{ms:.10g}ms" for ms in options.latency_below or ()]


def load_costs(checkpoint: SearchCheckpoint, other: str | None) -> tuple[LatencyTable, Costs]:
    """The latency table that the search used, or the ``other`` one, and the counts of its space.

    Raises:
        ValueError: the table cannot be loaded, does not fit, or has changed since the search.
    """
    if other:
        return load_table(other, checkpoint.space), count(checkpoint.space)
    used = f"The search used the latency table {checkpoint.table['name']} from {checkpoint.table_source!r}"
    try:
        table = load_table(checkpoint.table_source, checkpoint.space)
    except TableError as error:
        raise ValueError(f"{used}, which cannot be loaded; give its file with --table.\n{error}") from error
    if table.sha256 != checkpoint.table["sha256"]:
        raise ValueError(
            f"{used}, which has another content now (sha256 {checkpoint.table['sha256'][:12]}... then, "
            f"{table.sha256[:12]}... now). Give the old file, or this one on purpose, with --table."
        )
    return table, count(checkpoint.space)


def _choose(
    checkpoint: SearchCheckpoint, table: LatencyTable, costs: Costs, options: argparse.Namespace
) -> list[Derived]:
    space, alpha = checkpoint.space, checkpoint.alpha
    lower = []
    if options.params_above is not None:
        lower = [
            Bound(
                "parameters", costs.params.astype(float), options.params_above, "at_least", costs.fixed_params
            )
        ]
    limits = [
        [Bound("latency", table.ms, ms, "at_most", table.fixed_ms, "ms"), *lower]
        for ms in options.latency_below or ()
    ]
    names = _limit_names(options)
    if not limits:
        limits, names = [lower], ["bounded" if lower else "argmax"]
    chosen = [most_probable(space, alpha, bounds, name) for bounds, name in zip(limits, names, strict=True)]
    loosest = max(limits, key=lambda bounds: bounds[0].limit if bounds else 0.0)
    generator = np.random.default_rng(options.seed)
    return chosen + sample(space, alpha, options.sample, generator, loosest, options.uniform)


def _evaluate(
    checkpoint: SearchCheckpoint, derived: list[Derived], skip: bool
) -> tuple[list[Evaluation | None], str]:
    nothing: list[Evaluation | None] = [None] * len(derived)
    if skip:
        return nothing, "not measured (--no-accuracy)"
    try:
        evaluator = OneShotEvaluator(checkpoint.build_supernet(), checkpoint.data)
    except DataUnavailable as error:
        return nothing, f"not measured: {error}"
    bar = track(derived, "One-shot accuracy", console=Console(stderr=True), transient=True)
    return [
        evaluator(each.architecture) for each in bar
    ], "validation split, inherited weights, recalibrated batch norms"


def same_networks(derived: Sequence[Derived]) -> list[str]:
    """A note where several of the architectures build the same network."""
    distinct = len({each.architecture.canonical() for each in derived})
    return [f"{count_text(len(derived), distinct)}."] if distinct < len(derived) else []


def _provenance(
    checkpoint: SearchCheckpoint, table: LatencyTable, options: argparse.Namespace
) -> dict[str, Any]:
    bounds = {"latency_below_ms": options.latency_below, "params_above": options.params_above}
    return {
        "table": table.identity(),
        "table_description": table.describe(),
        "checkpoint": {
            "file": Path(options.checkpoint).name,
            "sha256": checkpoint.sha256,
            "epoch": checkpoint.epoch,
        },
        "search_seed": checkpoint.seed,
        "sample_seed": options.seed,
        "sampled_uniformly": options.uniform,
        "bounds": {name: value for name, value in bounds.items() if value is not None},
        "versions": dict(checkpoint.versions),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def _remove_earlier(output: Path) -> None:
    """Remove the networks of an earlier derivation, which would be taken for results of this one."""
    listing = output / "candidates.csv"
    if listing.is_file():
        with listing.open(encoding="utf-8", newline="") as stream:
            names = [row["name"] for row in csv.DictReader(stream) if row.get("name")]
        for name in (*(f"{Path(name).name}.json" for name in names), "accuracy_latency.png"):
            (output / name).unlink(missing_ok=True)


def _write(
    candidate: Candidate, table: LatencyTable, provenance: dict[str, Any], output: Path, first: bool
) -> None:
    arch, evaluation = candidate.derived.architecture, candidate.evaluation
    extra = {
        "derivation": {"method": candidate.derived.name, "probability": candidate.derived.probability},
        "costs": {
            "latency_ms": candidate.latency_ms,
            "latency_kind": table.kind,
            "params": candidate.params,
            "madds": candidate.madds,
            "resolution": arch.space.resolution,
            "num_classes": arch.space.num_classes,
        },
        "one_shot_accuracy": evaluation._asdict() if evaluation else None,
        "provenance": provenance,
    }
    for name in [candidate.derived.name, *(["architecture"] if first else [])]:
        arch.save(output / f"{name}.json", extra)


def _draw(candidates: list[Candidate], checkpoint: SearchCheckpoint, latency_kind: str, output: Path) -> None:
    chosen = candidates[0].derived.architecture
    shares = probabilities(checkpoint.alpha, torch.from_numpy(checkpoint.space.valid)).numpy()
    write_search_figures(output, checkpoint.history, shares, chosen, latency_kind)
    write_candidate_figures(output, [each.row() for each in candidates], chosen, latency_kind)


def _csv(candidates: list[Candidate]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, [*candidates[0].row(), "architecture"], lineterminator="\n")
    writer.writeheader()
    writer.writerows({**each.row(), "architecture": str(each.derived.architecture)} for each in candidates)
    return stream.getvalue()


def _print(
    console: Console,
    candidates: list[Candidate],
    table: LatencyTable,
    costs: Costs,
    notes: Sequence[str],
    output: Path,
) -> None:
    first = candidates[0].derived.architecture
    layers = table.ms[np.arange(len(first.space)), np.array(first.indices)]
    console.print(
        architecture_table(first, costs, layers, fixed_latency_ms=table.fixed_ms, latency_kind=table.kind)
    )
    console.print(candidates_table([each.row() for each in candidates], latency_kind=table.kind))
    for note in notes:
        console.print(note, highlight=False, markup=False)
    console.print(f"Wrote {output / 'architecture.json'}", highlight=False, soft_wrap=True)


main = Command("dnas derive", DESCRIPTION, add_arguments, run)
