"""``python -m dnas.zoo``: published networks, their counts and latencies, and their weights."""

from __future__ import annotations

import argparse
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from dnas.costs import LatencyCosts, count
from dnas.derive.text import architecture_table, to_text
from dnas.runs import preprocessing_options
from dnas.space import SearchSpace, zoo
from dnas.support.command import Command
from dnas.support.files import write_text
from dnas.zoo.account import Account, TablesOf, account
from dnas.zoo.text import ORDERS, as_csv, as_markdown, in_order, latency_table, list_of_networks, page
from latency import load_table, shipped_tables

DESCRIPTION = (
    "Published networks: parameters and multiply-adds beside those of a reference, latency by every shipped "
    "table beside published latencies; checkpoints of published weights."
)

WIDTH = 160
NOTE = (
    "Milliseconds are read from tables, no network was timed; 'dnas zoo show NAME' has their intervals. "
    "Accuracies are the published ones on ImageNet, every one of another training."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    commands = parser.add_subparsers(dest="what", required=True, metavar="{list,show,load}")
    listing = commands.add_parser("list", help="all networks", description="All published networks.")
    listing.add_argument(
        "--sort", default="name", metavar="KEY", help=f"{', '.join(ORDERS)}, or the name of a table"
    )
    listing.add_argument("--csv", type=Path, metavar="FILE", help="write the list, with intervals, to a file")
    listing.add_argument("--markdown", action="store_true", help="print the table of docs/zoo.md")
    show = commands.add_parser(
        "show", help="one network", description="One published network, layer by layer."
    )
    show.add_argument("name", help="as 'dnas zoo list' has it")
    show.add_argument("--table", metavar="NAME|FILE", help="latency table of the layers' milliseconds")
    show.add_argument(
        "--output", type=Path, metavar="DIR", help="write architecture.json and architecture.png there"
    )
    _add_load(commands)


def _add_load(commands: Any) -> None:
    load = commands.add_parser(
        "load",
        help="weights from a file",
        description="Make a checkpoint of weights that the network's authors, torchvision or timm have "
        "published; 'dnas evaluate' and 'dnas export' take it.",
    )
    load.add_argument("name", help="as 'dnas zoo list' has it")
    load.add_argument(
        "--weights", required=True, type=Path, metavar="FILE", help="a state dict, as torch.save writes it"
    )
    load.add_argument(
        "--output", required=True, type=Path, metavar="FILE", help="checkpoint to write, NAME.ckpt"
    )
    load.add_argument("--key", help="where the state dict is, in a file of several")
    load.add_argument("--classes", type=int, metavar="N", help="of the weights (default: the network's own)")
    images = load.add_argument_group(
        "preprocessing of images",
        "Default: what torchvision documents for a file of its own weights; else, as an assumption, what is "
        "usual on ImageNet (bilinear, 224 px of 256).",
    )
    preprocessing_options.add(images)


def run(options: argparse.Namespace, console: Console) -> list[Account] | Path:
    """List the networks, show one, or write a checkpoint of one's weights.

    Raises:
        ValueError: no such network, key or table, a table of another space, weights that do not fit.
        FileExistsError: the output folder is a file, or the checkpoint is there already.
    """
    if options.what == "load":
        return _load(options, console)
    tables = cache(shipped)
    return _list(options, console, tables) if options.what == "list" else [_show(options, console, tables)]


def shipped(space: SearchSpace) -> tuple[LatencyCosts, ...]:
    """The tables that ship for a space."""
    return tuple(load_table(name, space) for name in shipped_tables(space.name))


def accounts(tables: TablesOf) -> list[Account]:
    """Of all published networks."""
    every = map(zoo.published, zoo.names())
    return [account(each, tables(each.architecture.space)) for each in every]


def _list(options: argparse.Namespace, console: Console, tables: TablesOf) -> list[Account]:
    found = in_order(accounts(tables), options.sort)
    if options.markdown:
        print(as_markdown(found), end="")
    else:
        # As wide as it is: in the 80 columns of a pipe, rich would cut numbers off.
        wide = to_text(list_of_networks(found), width=WIDTH)
        for line in (wide, NOTE):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    if options.csv is not None:
        write_text(options.csv, as_csv(found))
        console.print(f"Wrote {options.csv}", highlight=False, soft_wrap=True)
    return found


def _show(options: argparse.Namespace, console: Console, tables: TablesOf) -> Account:
    if options.output is not None and options.output.exists() and not options.output.is_dir():
        raise FileExistsError(f"--output {options.output} is a file: give a folder to write to.")
    published = zoo.published(options.name)
    space = published.architecture.space
    given = load_table(options.table, space) if options.table else None
    found = account(published, tables(space))
    for line in page(found):
        console.print(line, highlight=False, markup=False)
    console.print(latency_table(found))
    if not found.latencies:
        console.print(
            f"No shipped table is for its space. 'dnas latency build --space {space.name} --help' says how "
            "to make one from measured kernels.",
            highlight=False,
        )
    _print_layers(found, given, console)
    if options.output is not None:
        _write(found, options.output, console)
    return found


def _load(options: argparse.Namespace, console: Console) -> Path:
    from dnas.zoo.weights import load

    if options.classes is not None and options.classes < 1:
        raise ValueError(f"--classes must be 1 or more, got {options.classes}.")
    published = zoo.published(options.name)
    given = preprocessing_options.given(options)
    found = load(published, options.weights, key=options.key, num_classes=options.classes, **given)
    output = found.save(options.output)
    lines = [
        f"{published.title}: {found.tensors} tensors from {options.weights}, sha256 {found.origin['sha256']}",
        f"Preprocessing: {found.preprocessing} ({found.origin['preprocessing']})",
        f"Wrote {output}; dnas evaluate --checkpoint {output} --data FOLDER",
    ]
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    return output


def _print_layers(found: Account, table: LatencyCosts | None, console: Console) -> None:
    architecture = found.published.architecture
    costs = count(architecture.space)
    if table is None:
        console.print(architecture_table(architecture, costs, title=found.published.title))
        return
    layers = table.ms[np.arange(len(architecture.space)), np.array(architecture.indices)]
    latency = {"fixed_latency_ms": table.fixed_ms, "latency_kind": table.kind}
    console.print(architecture_table(architecture, costs, layers, title=found.published.title, **latency))  # type: ignore[arg-type]


def _write(found: Account, output: Path, console: Console) -> None:
    from dnas.report.drawing import architecture_drawing
    from dnas.report.style import save_figure

    published = found.published
    facts = {
        "title": published.title,
        "reference": published.reference,
        "provenance": published.provenance,
        "published": dict(published.figures),
        "costs": {"params": found.params, "madds": found.madds},
    }
    drawing = architecture_drawing(published.architecture, title=published.title)
    files = [published.architecture.save(output / "architecture.json", facts)]
    files += save_figure(drawing, output / "architecture.png")
    console.print(f"Wrote {', '.join(map(str, files))}", highlight=False, soft_wrap=True)


main = Command("dnas zoo", DESCRIPTION, add_arguments, run)
