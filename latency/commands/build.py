"""Assemble the table of a space from public measurements of mobile-GPU kernels.

Exact where a kernel was measured, else predicted by a kernel model with an estimated error; calibrated end to
end on whole networks. Both are tested by leaving out one family of networks at a time; the errors go into the
header.
The measurements are public: repository qed-usc/mobile-ml-benchmark, folder 'dataset'.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from dnas import blocks
from dnas.space import SearchSpace
from latency.commands import terminal
from latency.commands.options import add_scale
from latency.sources.assembled.assembled_table import TableBuilder, check_support
from latency.sources.assembled.assembly import Measurements, assemble
from latency.sources.assembled.dataset import Dataset
from latency.sources.assembled.kernel_model import KernelModel
from latency.sources.assembled.settings import load_settings
from latency.table import load_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The measurements, what to build, and where."""
    blocks.add_option(parser)
    devices = ", ".join(f"{name} ({facts['gpu']})" for name, facts in Dataset.load().facts["devices"].items())
    parser.add_argument("--kernels", metavar="FILE", required=True, help="tflite_cnn_ops_gpu.csv")
    parser.add_argument(
        "--networks", metavar="FILE", help="tflite_cnn_e2e.csv (default: the one beside --kernels)"
    )
    parser.add_argument("--device", required=True, help=devices)
    parser.add_argument(
        "--space", required=True, action="append", help="name or .yaml file; repeat it for several tables"
    )
    add_scale(parser)
    parser.add_argument(
        "--output", metavar="DIR", required=True, help="folder; tables go to DIR/SPACE/NAME.csv"
    )


def run(arguments: argparse.Namespace, console: Console) -> None:
    """Fit, validate, and write one table per space."""
    loaded = [SearchSpace.load(name) for name in arguments.space]
    spaces = [_member(space, arguments.width, arguments.resolution) for space in loaded]
    dataset = Dataset.load()
    measurements = Measurements.read(dataset, arguments.device, arguments.kernels, arguments.networks)
    for space in spaces:  # before the work: fitting and its test take a minute
        check_support(space, KernelModel(measurements.kernels), dataset.runtime, arguments.device)
    settings = load_settings(dataset.facts["name"], arguments.device)
    builder = TableBuilder(assemble(measurements, settings, terminal.tracker(console)))
    for space in spaces:
        path = builder.build(space, Path(arguments.output) / space.name / f"{builder.name(space)}.csv")
        table = load_table(path, space)
        console.print(f"wrote {path}: {table.coverage()}; sha256 {table.sha256[:12]}...", soft_wrap=True)
        terminal.print_validation(table, console)


def _member(space: SearchSpace, width: float, resolution: int | None) -> SearchSpace:
    """With another width a space of another name; other images alone never changed the name in a table."""
    if width != 1:
        return space.scale(width=width, resolution=resolution)
    return space if resolution is None else space.adapt(resolution=resolution)
