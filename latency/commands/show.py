"""``latency show``: what a table says of itself, the range of every layer, and what a network consists of."""

from __future__ import annotations

import argparse

from rich.console import Console

from latency.architectures import resolve
from latency.commands import terminal
from latency.commands.options import add_table, load
from latency.table import LatencyTable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A table, its space, and perhaps a network."""
    add_table(parser)
    parser.add_argument(
        "--architecture",
        metavar="ARCH",
        help="print one network part by part: choice names in quotes, an architecture file, a zoo name",
    )
    parser.add_argument(
        "--level",
        type=float,
        default=0.9,
        help="probability of its interval (default: %(default)s)",
    )


def run(arguments: argparse.Namespace, console: Console) -> None:
    """Print header, layers and the range of whole networks, or one network part by part."""
    table = load(arguments.table, arguments.space)
    if arguments.architecture is not None:
        _print_network(table, arguments.architecture, arguments.level, console)
        return
    console.print(table.describe(), terminal.header(table), "", terminal.layers(table), sep="\n")
    fixed = f"stem {table.stem_ms:.3f}, head {table.head_ms:.3f}, overhead {table.overhead_ms:.3f}"
    fastest, slowest = table.latency_ms(table.cheapest()), table.latency_ms(table.dearest())
    console.print(
        f"\nfixed part {table.fixed_ms:.3f} ms ({fixed}); networks from {fastest:.2f} to {slowest:.2f} ms"
    )
    console.print(str(table.coverage()), "", sep="\n")
    terminal.print_validation(table, console)


def _print_network(table: LatencyTable, text: str, level: float, console: Console) -> None:
    architecture = resolve(text, table.space)
    low, high = table.latency_interval(architecture, level)
    console.print(table.describe(), str(architecture), "", terminal.breakdown(table, architecture), sep="\n")
    kinds = table.kernel_shares(architecture)
    account = terminal.kinds(kinds) if kinds else "The table does not know kernel kinds."
    console.print("", account, "", sep="\n")
    console.print(
        f"{table.latency_ms(architecture):.2f} ms, between {low:.2f} and {high:.2f} ms with probability "
        f"{level:g} if the stated errors hold and are normal"
    )
