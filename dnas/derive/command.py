"""``python -m dnas.derive``: architectures from a search checkpoint, their costs and one-shot accuracy."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from dnas import blocks
from dnas.costs import Costs, LatencyCosts, count
from dnas.derive.text import architecture_table, candidates_table
from dnas.device_tables import (
    DeviceTables,
    limit_argument,
    limits_by_device,
    load_device_tables,
    table_source,
)
from dnas.report.search_figures import write_candidate_figures, write_search_figures
from dnas.runs.checkpoint import SearchCheckpoint
from dnas.runs.checkpoint_file import read
from dnas.runs.datamodules import DataUnavailable
from dnas.runs.evaluator import Evaluation, OneShotEvaluator
from dnas.search.gradient.derivation import Derived, most_probable, sample
from dnas.search.gradient.masks import probabilities
from dnas.search.knapsack import Bound
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
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
    by_device_ms: Mapping[str, float]  # of several devices, the first one included

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

    def device_row(self) -> dict[str, float]:
        """Further columns where there are several devices."""
        return {f"latency_ms_{device}": ms for device, ms in self.by_device_ms.items()}


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
    parser.add_argument(
        "--table",
        nargs="+",
        metavar="TABLE",
        help="another latency table (name or file) than the one the search used; several, as in "
        "pixel4=TABLE s10=TABLE, for several devices",
    )
    parser.add_argument(
        "--latency-below",
        type=limit_argument,
        nargs="+",
        metavar="MS",
        help="latency of at most MS; several give one network each. For several devices: pixel4=7 s10=12, or "
        "MS for all, give one network within all of them",
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
    tables, costs = load_tables(checkpoint, options.table)
    table = next(iter(tables.values()))
    derived = _choose(checkpoint, tables, costs, options)
    evaluations, note = _evaluate(checkpoint, derived, skip=options.no_accuracy)
    candidates = [
        Candidate(
            d,
            table.latency_ms(d.architecture),
            costs.params_of(d.architecture),
            costs.madds_of(d.architecture),
            e,
            _by_device(tables, d.architecture),
        )
        for d, e in zip(derived, evaluations, strict=True)
    ]
    provenance = _provenance(checkpoint, tables, options)
    _remove_earlier(options.output)
    for index, candidate in enumerate(candidates):
        _write(candidate, table, {"accuracy_note": note, **provenance}, options.output, first=index == 0)
    write_text(options.output / "candidates.csv", _csv(candidates))
    _draw(candidates, checkpoint, table.kind, options.output)
    notes = [f"One-shot accuracy: {note}.", *_described(tables), *same_networks(derived)]
    found = len(derived) - len(_limit_names(options, tables))
    if found < options.sample:
        notes.append(f"Samples: {found} of {options.sample}; alpha and the bounds give no further ones.")
    _print(console, candidates, table, costs, notes, options.output)
    return candidates


def _check_options(options: argparse.Namespace) -> None:
    problems = []
    for bound in options.latency_below or ():
        if isinstance(bound, float) and not (np.isfinite(bound) and bound > 0):
            problems.append(f"--latency-below must be a number of milliseconds above 0, got {bound}")
    if options.params_above is not None and not (
        np.isfinite(options.params_above) and options.params_above >= 0
    ):
        problems.append(f"--params-above must be a number of parameters, got {options.params_above}")
    if options.sample < 0:
        problems.append(f"--sample must not be negative, got {options.sample}")
    limits = options.latency_below or ()
    if len(set(limits)) < len(limits):
        problems.append(f"--latency-below: the same limit twice ({' '.join(map(str, limits))})")
    if problems:
        raise ValueError("; ".join(problems))
    if options.output.exists() and not options.output.is_dir():
        raise FileExistsError(f"--output {options.output} is a file: give a folder to write to.")
    if (options.output / "architecture.json").exists() and not options.overwrite:
        raise FileExistsError(
            f"{options.output} already holds a derivation. Choose another --output, or add --overwrite."
        )


def _limit_names(options: argparse.Namespace, tables: DeviceTables) -> list[str]:
    """Of the networks that are derived besides samples."""
    if options.latency_below and len(tables) == 1:
        (device,) = tables
        limits = [limits_by_device([ms], [device], "--latency-below") for ms in options.latency_below]
        return [f"latency_below_{each[device]:.10g}ms" for each in limits]
    return ["argmax" if options.latency_below is None and options.params_above is None else "bounded"]


def load_tables(checkpoint: SearchCheckpoint, others: Sequence[str] | None) -> tuple[DeviceTables, Costs]:
    """The latency tables that the search used, by device, or the ``others``, and the counts of its space.

    Raises:
        ValueError: a table cannot be loaded, does not fit, or has changed since the search.
    """
    space = checkpoint.space
    if others:
        return load_device_tables(others, space, load_table), count(space)
    if not checkpoint.tables:
        table, costs = load_costs(checkpoint, None)
        return {table.name: table}, costs
    sources = zip(checkpoint.tables.items(), map(table_source, checkpoint.table_sources), strict=True)
    return {device: _unchanged(used, source, space) for (device, used), source in sources}, count(space)


def load_costs(checkpoint: SearchCheckpoint, other: str | None) -> tuple[LatencyTable, Costs]:
    """The one latency table that the search used, or the ``other`` one, and the counts of its space.

    Raises:
        ValueError: as :func:`load_tables`, or the search was for several devices.
    """
    if other is not None:
        return load_table(other, checkpoint.space), count(checkpoint.space)
    if checkpoint.tables:
        raise ValueError(
            f"The search was for several devices, {', '.join(checkpoint.tables)}, and here there can be one: "
            "give its latency table with --table."
        )
    used = _unchanged(checkpoint.table, checkpoint.table_source, checkpoint.space)
    return used, count(checkpoint.space)


def _unchanged(known: Mapping[str, Any], source: str, space: SearchSpace) -> LatencyTable:
    used = f"The search used the latency table {known['name']} from {source!r}"
    try:
        table = load_table(source, space)
    except TableError as error:
        raise ValueError(f"{used}, which cannot be loaded; give its file with --table.\n{error}") from error
    if table.sha256 != known["sha256"]:
        raise ValueError(
            f"{used}, which has another content now (sha256 {known['sha256'][:12]}... then, "
            f"{table.sha256[:12]}... now). Give the old file, or this one on purpose, with --table."
        )
    return table


def _choose(
    checkpoint: SearchCheckpoint, tables: DeviceTables, costs: Costs, options: argparse.Namespace
) -> list[Derived]:
    space, alpha = checkpoint.space, checkpoint.alpha
    lower = []
    if options.params_above is not None:
        lower = [
            Bound(
                "parameters", costs.params.astype(float), options.params_above, "at_least", costs.fixed_params
            )
        ]
    limits = [[*_upper(given, tables), *lower] for given in _together(options.latency_below, tables)]
    names = _limit_names(options, tables)
    chosen = [most_probable(space, alpha, bounds, name) for bounds, name in zip(limits, names, strict=True)]
    loosest = max(limits, key=lambda bounds: bounds[0].limit if bounds else 0.0)
    generator = np.random.default_rng(options.seed)
    return chosen + sample(space, alpha, options.sample, generator, loosest, options.uniform)


def _together(limits: Sequence[float | str] | None, tables: DeviceTables) -> list[Sequence[float | str]]:
    """Which limits one network keeps: of one device each by itself, of several devices all."""
    return [[each] for each in limits] if limits and len(tables) == 1 else [limits or ()]


def _upper(limits: Sequence[float | str], tables: DeviceTables) -> list[Bound]:
    by_device = limits_by_device(limits, list(tables), "--latency-below")
    several = len(tables) > 1
    return [
        Bound(f"latency on {device}" if several else "latency", table.ms, ms, "at_most", table.fixed_ms, "ms")
        for device, ms in by_device.items()
        for table in [tables[device]]
    ]


def _by_device(tables: DeviceTables, architecture: Architecture) -> dict[str, float]:
    if len(tables) == 1:
        return {}
    return {device: table.latency_ms(architecture) for device, table in tables.items()}


def _described(tables: DeviceTables) -> list[str]:
    if len(tables) == 1:
        return [f"Latency: {table.describe()}" for table in tables.values()]
    return [f"Latency of {device}: {table.describe()}" for device, table in tables.items()]


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
    checkpoint: SearchCheckpoint, tables: DeviceTables, options: argparse.Namespace
) -> dict[str, Any]:
    table = next(iter(tables.values()))
    several = {device: each.identity() for device, each in tables.items()} if len(tables) > 1 else None
    bounds = {"latency_below_ms": options.latency_below, "params_above": options.params_above}
    return {
        "table": table.identity(),
        "table_description": table.describe(),
        **({} if several is None else {"tables": several}),
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
    candidate: Candidate, table: LatencyCosts, provenance: dict[str, Any], output: Path, first: bool
) -> None:
    arch, evaluation = candidate.derived.architecture, candidate.evaluation
    extra = {
        "derivation": {"method": candidate.derived.name, "probability": candidate.derived.probability},
        "costs": {
            "latency_ms": candidate.latency_ms,
            "latency_kind": table.kind,
            **({"latency_ms_by_device": candidate.by_device_ms} if candidate.by_device_ms else {}),
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
    rows = [
        {**each.row(), **each.device_row(), "architecture": str(each.derived.architecture)}
        for each in candidates
    ]
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _print(
    console: Console,
    candidates: list[Candidate],
    table: LatencyCosts,
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
    for each in candidates:
        if each.by_device_ms:
            shown = ", ".join(f"{ms:.2f} ms on {device}" for device, ms in each.by_device_ms.items())
            console.print(f"{each.derived.name}: {shown}", highlight=False, markup=False)
    for note in notes:
        console.print(note, highlight=False, markup=False)
    console.print(f"Wrote {output / 'architecture.json'}", highlight=False, soft_wrap=True)


main = Command("dnas derive", DESCRIPTION, add_arguments, run)
