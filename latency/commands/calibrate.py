"""``latency calibrate``: fit the three coefficients of a model to end-to-end latencies of whole networks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console

from dnas import blocks
from dnas.space import SearchSpace
from latency.kernels import Runtime
from latency.sources.calibrated import published, report
from latency.sources.calibrated.fit import TimedNetwork, fit
from latency.sources.calibrated.measurements import read_measurements
from latency.sources.calibrated.model import FACTS, CalibratedModel, runtime_data, write_model
from latency.table import facts, shipped
from latency.table.errors import TableError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Latencies, a runtime, and for a model file the facts of the device."""
    blocks.add_option(parser)
    latencies = parser.add_mutually_exclusive_group(required=True)
    latencies.add_argument(
        "--published", choices=sorted(_published()), help="fit the networks of MoGA's Table 3 again"
    )
    latencies.add_argument(
        "--measurements",
        metavar="FILE.csv",
        type=Path,
        help="columns architecture (choice names, an architecture file, or the name of a published network) "
        "and latency_ms",
    )
    parser.add_argument("--space", help="space of the architectures in FILE.csv: a name, or a .yaml file")
    parser.add_argument(
        "--runtime",
        help=f"which kernels are counted: one of {', '.join(shipped.names('runtimes'))}, or a .yaml file "
        "(default with --published: the one it was fitted with)",
    )
    parser.add_argument(
        "--header", metavar="FACTS.yaml", type=Path, help=f"for the model file: {', '.join(FACTS)}"
    )
    parser.add_argument("--output", metavar="MODEL.yaml", type=Path, help="the model file to write")


def run(arguments: argparse.Namespace, console: Console) -> None:
    """Print the networks, the coefficients and their errors; write the model when asked to."""
    _check_usage(arguments)
    stated = facts.read(arguments.header) if arguments.header else {}
    runtime = _runtime(arguments)
    data = runtime_data(runtime)
    result = fit(Runtime.from_dict(data), _networks(arguments))
    console.print(report.networks(result), "", report.coefficients(result), report.errors(result), sep="\n")
    if arguments.output:
        is_shipped = runtime in shipped.names("runtimes")
        write_model(arguments.output, result, runtime if is_shipped else data, stated)
        console.print(f"wrote {arguments.output}; 'latency build-calibrated' makes a table of it")


def _published() -> dict[str, Any]:
    """Column of Table 3 -> name of the runtime with which a shipped model was fitted to it."""
    models = [CalibratedModel.load(name).provenance for name in shipped.names("models")]
    return {facts["published_as"]: facts["runtime_description"] for facts in models}


def _check_usage(arguments: argparse.Namespace) -> None:
    problems = []
    if arguments.measurements and not arguments.runtime:
        problems.append("--measurements needs --runtime: nothing is assumed about your runtime")
    if arguments.measurements and not arguments.space:
        problems.append("--measurements needs --space: that of the architectures")
    if bool(arguments.header) != bool(arguments.output):
        problems.append("--header and --output go together: a model file states its device")
    if problems:
        raise TableError("; ".join(problems) + ".")


def _runtime(arguments: argparse.Namespace) -> str:
    return str(arguments.runtime or _published()[arguments.published])


def _networks(arguments: argparse.Namespace) -> list[TimedNetwork]:
    if arguments.published:
        return published.timed(arguments.published)
    return read_measurements(arguments.measurements, SearchSpace.load(arguments.space))
