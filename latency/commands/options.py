"""Options that several subcommands share, and what they mean."""

from __future__ import annotations

import argparse

from dnas import blocks
from dnas.space import SearchSpace
from latency.table import LatencyTable, load_table
from latency.table.errors import raise_all
from latency.table.table_file import read_file, shipped_files

DEFAULT_SPACE = "moga"


def add_space(parser: argparse.ArgumentParser) -> None:
    """A --space that must be given, and --blocks."""
    parser.add_argument("--space", required=True, help="name of a shipped space, or a .yaml file")
    blocks.add_option(parser)


def add_scale(parser: argparse.ArgumentParser) -> None:
    """--width and --resolution, for a member of the space's family."""
    parser.add_argument(
        "--width", type=float, default=1.0, help="factor of the space's channels (default: 1)"
    )
    parser.add_argument("--resolution", type=int, help="of the deployed network (default: the space's)")


def add_table(parser: argparse.ArgumentParser) -> None:
    """TABLE, --space and --blocks."""
    parser.add_argument("table", metavar="TABLE", help="name of a shipped table, or a .csv file")
    parser.add_argument(
        "--space",
        help=f"name or .yaml file (default: that of a .csv file, {DEFAULT_SPACE} for a shipped table)",
    )
    blocks.add_option(parser)


def load(name_or_path: str, space: str | None) -> LatencyTable:
    """The table, for the space given, or else for a shipped one: the file's own, or the default."""
    if space is not None:
        return load_table(name_or_path, SearchSpace.load(space))
    shipped_for = [space for name, space in shipped_files() if name == name_or_path]
    if shipped_for:
        chosen = DEFAULT_SPACE if DEFAULT_SPACE in shipped_for else shipped_for[0]
        return load_table(name_or_path, SearchSpace.load(chosen))
    file = read_file(name_or_path)
    if "space" not in file.header:
        raise_all(file.problems, file.source)
    return load_table(name_or_path, SearchSpace.load(str(file.header["space"])))
