"""``latency check``: published latencies beside the table's, or else what its header says of its errors."""

from __future__ import annotations

import argparse

from rich.console import Console

from latency.commands import terminal
from latency.commands.options import add_table, load
from latency.sources.calibrated import report
from latency.sources.calibrated.check import compare, published_model, refit
from latency.sources.calibrated.model import CalibratedModel
from latency.table import LatencyTable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A table and its space."""
    add_table(parser)


def run(arguments: argparse.Namespace, console: Console) -> None:
    """Print published networks, errors, the ranking and what had to be assumed; or the validation figures."""
    table = load(arguments.table, arguments.space)
    console.print(table.describe(), "", sep="\n")
    model = published_model(table)
    if model is None:
        console.print("Nothing is published for this table; what its header says of itself:", "", sep="\n")
        terminal.print_validation(table, console)
    else:
        _print_published(table, model, console)


def _print_published(table: LatencyTable, model: CalibratedModel, console: Console) -> None:
    rows = compare(table, model)
    console.print(report.comparison(rows), "", report.errors(refit(model)), sep="\n")
    console.print(report.ranking(rows))
    assumptions = [row.assumption for row in rows if row.assumption]
    weak_spots = table.provenance.get("validation", {}).get("weak_spots", [])
    for assumption in (*assumptions, *weak_spots):
        console.print(f"assumption: {assumption}")
