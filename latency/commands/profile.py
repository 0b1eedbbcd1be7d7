"""``latency profile``: which choices, layers and attributes decide the latency on a device.

Given accuracies it proposes a smaller space for the device; given latencies of whole networks instead of a
table it first fits a table to them. docs/latency_profile.md explains everything that is written.
"""

from __future__ import annotations

import argparse
import shlex
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from dnas.report.style import save_figure
from dnas.space import SearchSpace
from dnas.support.files import write_text
from latency.analysis.profile import cells, figures, from_networks, reduction, report
from latency.analysis.profile.effects import Effects, check_confidence, fit_effects
from latency.analysis.profile.samples import ACCURACY, LATENCY, read_samples
from latency.analysis.profile.variance import variance_shares
from latency.commands.options import add_space
from latency.table import LatencyTable, load_table
from latency.table.errors import TableError

TABLE, EFFECTS, REDUCTION = "table.csv", "effects.csv", "reduction.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A table or measurements, a space, a folder, and what the statistics need."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--table", help="name of a shipped table, or a .csv file")
    source.add_argument(
        "--measurements",
        metavar="FILE",
        help="instead of a table: CSV with columns architecture,latency_ms of whole networks",
    )
    add_space(parser)
    parser.add_argument("--output", metavar="DIR", required=True, help="folder for files and figures")
    parser.add_argument("--networks", type=int, default=100, help="random networks per choice (100)")
    parser.add_argument("--seed", type=int, default=0, help="of everything random (0)")
    parser.add_argument(
        "--accuracies",
        metavar="FILE",
        help="CSV with columns architecture,accuracy (or top1): proposes a reduced space",
    )
    parser.add_argument(
        "--confidence", type=float, default=0.95, help="of every interval and comparison (0.95)"
    )
    parser.add_argument(
        "--margin",
        type=float,
        default=reduction.MARGIN,
        help=f"accuracy, as a fraction, that a dropped choice may cost ({reduction.MARGIN})",
    )
    parser.add_argument("--header", metavar="FILE", help="with --measurements: YAML (device, ...)")
    parser.add_argument("--folds", type=int, default=10, help="with --measurements: of cross-validation (10)")


def run(arguments: argparse.Namespace, console: Console) -> None:
    """Read everything before anything is written; print what matters of it."""
    space, output = SearchSpace.load(arguments.space), Path(arguments.output)
    _check(arguments)
    accuracy = _accuracy(arguments, space, console) if arguments.accuracies else None
    table = (
        _fitted(arguments, space, console) if arguments.measurements else load_table(arguments.table, space)
    )
    console.print(table.describe(), soft_wrap=True)
    _profile(table, arguments, console)
    if accuracy is not None:
        _reduce(table, accuracy, arguments, console)
    else:
        console.print("no reduced space: which choices bring no accuracy is known only with --accuracies")
        if (output / REDUCTION).is_file():
            console.print(f"{output / REDUCTION} is of an earlier run", soft_wrap=True)
    console.print(f"wrote {output}", soft_wrap=True)


def _check(arguments: argparse.Namespace) -> None:
    cells.check_networks(arguments.networks)
    check_confidence(arguments.confidence)
    reduction.check_margin(arguments.margin)
    if arguments.header and not arguments.measurements:
        raise TableError("--header describes --measurements; a table has its own header.")


def _accuracy(arguments: argparse.Namespace, space: SearchSpace, console: Console) -> Effects:
    samples = read_samples(arguments.accuracies, space, ACCURACY)
    accuracy = fit_effects(samples.genomes, samples.values, space)
    console.print(
        f"accuracy of {len(samples.values)} networks ({samples.rows} rows): an additive model of the blocks "
        f"explains {accuracy.explained:.0%} of its variance, residual {100 * accuracy.noise:.2f} %",
        soft_wrap=True,
    )
    return accuracy


def _fitted(arguments: argparse.Namespace, space: SearchSpace, console: Console) -> LatencyTable:
    """The table of whole networks' measurements, written and read back."""
    samples = read_samples(arguments.measurements, space, LATENCY)
    fit = from_networks.fit_networks(samples, space, arguments.folds, arguments.seed)
    file = Path(arguments.measurements).name
    facts = {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "source": f"end-to-end latencies in {file}",
        **from_networks.header_facts(arguments.header),
    }
    options = f"--measurements {shlex.quote(file)} --space {shlex.quote(Path(arguments.space).name)}"
    path = Path(arguments.output) / TABLE
    from_networks.write_table(path, fit, facts, f"python -m latency profile {options}")
    table = load_table(path, space)
    rows = report.effect_rows(fit.effects, table, arguments.confidence)
    report.write_rows(path.with_name(EFFECTS), rows)
    console.print(
        f"table fitted to {len(samples.values)} networks ({samples.rows} rows): residual noise "
        f"{fit.effects.noise:.3g} ms, {fit.folds}-fold cross-validation {fit.mape:.1%} mean, "
        f"{fit.max_error:.1%} max error; assumption: {from_networks.CONVENTION}",
    )
    return table


def _profile(table: LatencyTable, arguments: argparse.Namespace, console: Console) -> None:
    output, generator = Path(arguments.output), np.random.default_rng(arguments.seed)
    against = cells.reference(table, arguments.networks, generator)
    found = list(
        track(
            cells.profile_cells(table, arguments.networks, against, generator),
            "Random networks",
            total=sum(table.space.num_choices),
            console=Console(stderr=True),
            transient=True,
        )
    )
    shares = variance_shares(table)
    report.write_rows(output / "profile.csv", report.profile_rows(found))
    report.write_rows(output / "variance.csv", report.variance_rows(shares))
    save_figure(figures.shift_heatmap(table), output / "shifts.png")
    save_figure(figures.variance_bars(shares, table.kind), output / "variance.png")
    console.print(
        f"\nrandom networks: {against.mean_ms:.2f} ms mean, {against.std_ms:.2f} ms standard deviation "
        f"(exactly {np.sqrt(shares.total_ms2):.2f})\n",
        report.layers(table, shares),
        "",
        report.extremes(found),
        "",
        sep="\n",
    )


def _reduce(table: LatencyTable, accuracy: Effects, arguments: argparse.Namespace, console: Console) -> None:
    verdicts = reduction.reduce_space(table, accuracy, arguments.confidence, arguments.margin)
    reduced = reduction.reduced_space(table, verdicts)
    output = Path(arguments.output)
    report.write_rows(output / REDUCTION, report.reduction_rows(verdicts))
    path = write_text(output / f"{reduced.name}.yaml", reduction.yaml_text(reduced))
    console.print(
        report.dropped(verdicts),
        f"{path}: {sum(reduced.num_choices)} of {sum(table.space.num_choices)} choices, "
        f"{reduced.size:,} of {table.space.size:,} architectures",
        sep="\n",
        soft_wrap=True,
    )
