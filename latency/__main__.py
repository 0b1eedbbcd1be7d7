"""``python -m latency``: list, show, build, check and sign latency tables."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from dnas.space import SearchSpace
from dnas.space_file import SpaceError
from latency import check, shipped, show
from latency.build_calibrated import build_calibrated
from latency.calibrated import CalibratedModel
from latency.errors import TableError, raise_all
from latency.table import LatencyTable, load_table
from latency.table_file import read_file, seal, shipped_tables


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with ``argv`` (default: the process's arguments); returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments, Console(highlight=False, markup=False))
    except (TableError, SpaceError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _list(arguments: argparse.Namespace, console: Console) -> None:
    console.print(show.list_of_tables([read_file(name) for name in shipped_tables()]))


def _show(arguments: argparse.Namespace, console: Console) -> None:
    table = _load(arguments)
    console.print(table.describe(), show.header(table), "", show.layers(table), sep="\n")
    fixed = f"stem {table.stem_ms:.3f}, head {table.head_ms:.3f}, overhead {table.overhead_ms:.3f}"
    fastest, slowest = table.latency_ms(table.cheapest()), table.latency_ms(table.dearest())
    console.print(
        f"\nfixed part {table.fixed_ms:.3f} ms ({fixed}); networks from {fastest:.2f} to {slowest:.2f} ms"
    )


def _check(arguments: argparse.Namespace, console: Console) -> None:
    table = _load(arguments)
    rows = check.compare(table)
    console.print(table.describe(), "", show.comparison(rows), "", show.ranking(rows), sep="\n")
    for row in rows:
        if row.assumption:
            console.print(f"assumption: {row.assumption}")


def _build_calibrated(arguments: argparse.Namespace, console: Console) -> None:
    space = SearchSpace.load(arguments.space)
    path = build_calibrated(CalibratedModel.load(arguments.model), space, arguments.output)
    table = load_table(path, space)
    console.print(
        f"wrote {path}: {table.ms[space.valid].size} entries, sha256 {table.sha256[:12]}...", soft_wrap=True
    )


def _seal(arguments: argparse.Namespace, console: Console) -> None:
    console.print(f"signed {arguments.file}: sha256 {seal(arguments.file)}", soft_wrap=True)


def _load(arguments: argparse.Namespace) -> LatencyTable:
    """The table, for the space given or else the shipped one that its header names."""
    if arguments.space is not None:
        return load_table(arguments.table, SearchSpace.load(arguments.space))
    file = read_file(arguments.table)
    if "space" not in file.header:
        raise_all(file.problems, file.source)
    return load_table(arguments.table, SearchSpace.load(str(file.header["space"])))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dnas latency", description="Latency tables; format: docs/latency_tables.md."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("list", help="shipped tables").set_defaults(run=_list)
    for name, run, text in (
        ("show", _show, "header, fixed part and range of every layer"),
        ("check", _check, "published latencies beside the table's"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("table", metavar="TABLE", help="name of a shipped table, or a .csv file")
        command.add_argument(
            "--space", help="name or .yaml file (default: the shipped space the table names)"
        )
        command.set_defaults(run=run)
    build = commands.add_parser("build-calibrated", help="compute a table from a calibrated model")
    build.add_argument("model", metavar="MODEL", help=f"one of {', '.join(shipped.names('models'))}")
    build.add_argument("--space", required=True, help="name of a shipped space, or a .yaml file")
    build.add_argument("--output", metavar="FILE", required=True, help="the .csv file to write")
    build.set_defaults(run=_build_calibrated)
    command = commands.add_parser("seal", help="sign a table that you wrote or edited by hand")
    command.add_argument("file", metavar="FILE", help="the .csv file")
    command.set_defaults(run=_seal)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
