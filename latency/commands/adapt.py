"""A table of a phone that nobody measured by kernel: tables of known phones, corrected by 10 to 20 timings.

Time whole networks on the new phone, of the space or of the zoo, end to end; the tables say what their
kernels take on known phones. Every entry is predicted, with an error bar (docs/latency_adapt.md).
"""

from __future__ import annotations

import argparse
import shlex
from datetime import datetime, timezone
from pathlib import Path

from rich.console import Console

from dnas import blocks
from dnas.space import SearchSpace
from latency.commands.options import DEFAULT_SPACE
from latency.sources.adapted import report
from latency.sources.adapted.adaptation import adaptation
from latency.sources.adapted.adapted_table import write_table
from latency.sources.adapted.known import KnownPhones
from latency.sources.adapted.timings import LEAST_TIMINGS, read_timings
from latency.table import TableError, facts, load_table
from latency.table.table_file import read_file, shipped_files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Known phones, timings of the new one, a file to write."""
    parser.add_argument(
        "--from",
        dest="tables",
        metavar="TABLE",
        nargs="+",
        required=True,
        help="tables of known phones, for one space: shipped names or .csv files, better three or more",
    )
    parser.add_argument(
        "--measurements",
        metavar="FILE.csv",
        type=Path,
        required=True,
        help="columns architecture (choice names, an architecture file, or the name of a network of the zoo) "
        f"and latency_ms; at least {LEAST_TIMINGS}, better 20",
    )
    parser.add_argument(
        "--space",
        help=f"name or .yaml file (default: that of the .csv files, {DEFAULT_SPACE} for shipped tables)",
    )
    blocks.add_option(parser)
    parser.add_argument(
        "--header",
        metavar="FACTS.yaml",
        type=Path,
        help=f"of the new phone, any of {', '.join(facts.FACTS)} (default: unknown, and the date of today)",
    )
    parser.add_argument("--output", metavar="FILE", required=True, help="the .csv file to write")


def run(arguments: argparse.Namespace, console: Console) -> None:
    """Print what the new phone is made of and how far it is off; write its table and read it back."""
    stated = facts.read(arguments.header) if arguments.header else {}
    name = arguments.space or _space(arguments.tables)
    known = KnownPhones.load(arguments.tables, SearchSpace.load(name))
    adapted = adaptation(known, read_timings(arguments.measurements, known.space))
    console.print(report.networks(adapted), "")
    console.print(report.phones(adapted), report.kinds(adapted), sep="\n", soft_wrap=True)
    file = arguments.measurements.name
    described = {
        "name": Path(arguments.output).stem,
        "date": datetime.now(timezone.utc).date().isoformat(),
        "source": f"end-to-end latencies in {file}",
        **stated,
    }
    given = " ".join(shlex.quote(Path(each).name) for each in arguments.tables)
    options = f"--measurements {shlex.quote(file)} --space {shlex.quote(Path(name).name)}"
    path = write_table(
        arguments.output, adapted, described, f"python -m latency adapt --from {given} {options}"
    )
    table = load_table(path, known.space)
    for weak_spot in table.provenance["validation"].get("weak_spots", []):
        console.print(f"weak spot: {weak_spot}", soft_wrap=True)
    console.print(f"wrote {path}: {table.describe()}", soft_wrap=True)


def _space(tables: list[str]) -> str:
    """The space that the .csv files name, or else the default one if all shipped tables have it."""
    ships_for: dict[str, set[str]] = {}
    for name, space in shipped_files():
        ships_for.setdefault(name, set()).add(space)
    files = {name: str(read_file(name).header.get("space")) for name in tables if name not in ships_for}
    spaces = sorted(set(files.values()))
    if len(spaces) > 1:
        listing = ", ".join(f"{name} for {space}" for name, space in files.items())
        raise TableError(f"The tables are for different spaces ({listing}). Give tables for one space.")
    if spaces:
        return spaces[0]
    common = set.intersection(*(ships_for[name] for name in tables))
    if DEFAULT_SPACE not in common:
        raise TableError(f"Not all of {', '.join(tables)} ship for {DEFAULT_SPACE}: give --space.")
    return DEFAULT_SPACE
