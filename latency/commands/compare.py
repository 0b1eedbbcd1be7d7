"""``latency compare``: do devices rank networks alike, and which choices do they see differently?

docs/latency_profile.md explains everything that is written.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console

from dnas.report.style import save_figure
from dnas.space import SearchSpace
from latency.analysis.compare import figures, report
from latency.analysis.compare.devices import DeviceComparison, assumptions, compare_devices
from latency.analysis.profile.report import write_rows
from latency.commands.options import add_space
from latency.table import load_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Tables, their space, a folder, and how many random networks."""
    parser.add_argument(
        "tables", metavar="TABLE", nargs="+", help="names of shipped tables, or .csv files; two or more"
    )
    add_space(parser)
    parser.add_argument("--output", metavar="DIR", required=True, help="folder for files and figures")
    parser.add_argument("--networks", type=int, default=1000, help="random networks (1000)")
    parser.add_argument("--seed", type=int, default=0, help="of the random networks (0)")


def run(arguments: argparse.Namespace, console: Console) -> None:
    """Write the comparison, and print it."""
    space, output = SearchSpace.load(arguments.space), Path(arguments.output)
    tables = [load_table(name, space) for name in arguments.tables]
    generator = np.random.default_rng(arguments.seed)
    comparison = compare_devices(tables, arguments.networks, generator)
    _write(comparison, output)
    for table in tables:
        console.print(table.describe(), soft_wrap=True)
    console.print(
        "", report.rank_correlation(comparison), f"over {arguments.networks} random networks", sep="\n"
    )
    if comparison.named_ms:
        console.print("", report.published_networks(comparison), sep="\n")
    console.print(
        "\nchoices that differ most, ms over the layer's mean:",
        report.differing_choices(comparison),
        sep="\n",
    )
    _print_kernels(comparison, console)
    console.print(f"\nwrote {output}", soft_wrap=True)


def _print_kernels(comparison: DeviceComparison, console: Console) -> None:
    for label, networks in comparison.kernels_ms.items():
        if networks:
            console.print("", f"kernels of {label}:", report.kernel_shares(networks), sep="\n")
        else:
            console.print("", f"kernels of {label}: its table does not know them", sep="\n")
    names = [name for networks in comparison.kernels_ms.values() for name in networks]
    if assumed := assumptions(names):
        console.print(f"assumption: {assumed}")


def _write(comparison: DeviceComparison, output: Path) -> None:
    write_rows(output / "compare.csv", report.choice_rows(comparison))
    write_rows(output / "tau.csv", report.tau_rows(comparison))
    save_figure(figures.scatter(comparison), output / "scatter.png")
    kernels = figures.kernel_bars(comparison)
    if kernels is not None:
        write_rows(output / "kernels.csv", report.kernel_rows(comparison))
        save_figure(kernels, output / "kernels.png")
