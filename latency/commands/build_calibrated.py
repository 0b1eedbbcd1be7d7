"""``latency build-calibrated``: compute the table of a space from a calibrated model."""

from __future__ import annotations

import argparse

from rich.console import Console

from dnas.space import SearchSpace
from latency.commands.options import add_scale, add_space
from latency.sources.calibrated.calibrated_table import build_calibrated
from latency.sources.calibrated.model import CalibratedModel
from latency.table import load_table, shipped


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A model, a space, a file to write."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        help=f"one of {', '.join(shipped.names('models'))}, or a .yaml file that 'latency calibrate' wrote",
    )
    add_space(parser)
    add_scale(parser)
    parser.add_argument("--output", metavar="FILE", required=True, help="the .csv file to write")


def run(arguments: argparse.Namespace, console: Console) -> None:
    """Write the table, read it back, and say what was written."""
    family = SearchSpace.load(arguments.space)
    space = family.scale(width=arguments.width, resolution=arguments.resolution)
    path = build_calibrated(CalibratedModel.load(arguments.model), space, arguments.output)
    table = load_table(path, space)
    console.print(
        f"wrote {path}: {table.ms[space.valid].size} entries, sha256 {table.sha256[:12]}...", soft_wrap=True
    )
