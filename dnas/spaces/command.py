"""``dnas space`` (``python -m dnas.spaces``): write, check, show and compare search spaces."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from dnas import blocks
from dnas.space import SearchSpace, shipped_spaces
from dnas.spaces.diff import differences
from dnas.spaces.listing import (
    choices_table,
    differences_table,
    latency_table,
    layers_table,
    misfit_lines,
    ranges_table,
)
from dnas.spaces.ranges import Counts, latencies, number
from dnas.spaces.template import template
from dnas.support.command import Command
from dnas.support.files import write_text
from latency import load_table, shipped_tables

DESCRIPTION = (
    "Search spaces: write a new one, check files, show what is in one, compare two. See docs/spaces.md."
)
SUFFIXES = {".yaml", ".yml"}
FORMATS = ("png", "svg", "pdf")
NARROWEST = 100
# Exit status: as that of diff.
EQUAL, DIFFERENT, TROUBLE = 0, 1, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A subcommand with its own."""
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    named = f"{', '.join(shipped_spaces())}, or a .yaml file"

    def add(name: str, run: Callable[..., int], text: str) -> Callable[..., argparse.Action]:
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        command.set_defaults(work=run)
        blocks.add_option(command)
        return command.add_argument

    argument = add("new", _new, "write a commented file to begin with")
    argument("file", type=Path, metavar="FILE.yaml", help="the file to write; it is never overwritten")
    argument("--like", metavar="SPACE", help=f"begin with the layers and choices of a space: {named}")
    argument = add("check", _check, "say what is wrong with files, or how many networks are in them")
    argument("files", nargs="+", metavar="FILE", help="files of search spaces, or names of shipped ones")
    argument = add("show", _show, "show layers, choices, size, and the range of counts and latencies")
    argument("space", metavar="SPACE", help=named)
    argument(
        "--table",
        dest="tables",
        nargs="+",
        action="extend",
        default=[],
        metavar="TABLE",
        help="latency tables of your own, beside all shipped ones that fit",
    )
    argument("--output", type=Path, metavar="DIR", help=f"folder for a drawing ({', '.join(FORMATS)})")
    argument = add(
        "diff", _diff, "say in what two spaces differ; exit status 0: in nothing, 1: here it is, 2: trouble"
    )
    argument("one", metavar="SPACE", help=named)
    argument("other", metavar="SPACE", help=named)


def run(options: argparse.Namespace, console: Console) -> int:
    """Do what the subcommand says; returns the exit status.

    Raises:
        ValueError: a space or table that cannot be used.
        FileExistsError: what would be overwritten.
    """
    # A row of a table is one line where nobody sees the edge of a terminal.
    if not console.is_terminal:
        console = Console(file=console.file, width=max(NARROWEST, console.width))
    status: int = options.work(options, console)
    return status


def _new(options: argparse.Namespace, console: Console) -> int:
    path: Path = options.file
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path}: files of search spaces end in .yaml: give {path.name}.yaml.")
    if path.exists():
        raise FileExistsError(f"{path} is there already. Choose another name, or remove it first.")
    like = None if options.like is None else SearchSpace.load(options.like)
    write_text(path, template(path.stem, like))
    _print(console, f"Wrote {path}: {_in_short(SearchSpace.load(path))}")
    return 0


def _check(options: argparse.Namespace, console: Console) -> int:
    """A file that is wrong does not keep the others from being checked."""
    wrong = 0
    for file in options.files:
        space = _loaded(file)
        wrong += isinstance(space, str)
        _print(console, space if isinstance(space, str) else f"{file}: {_in_short(space)}, ok")
    return int(wrong > 0)


def _show(options: argparse.Namespace, console: Console) -> int:
    space = SearchSpace.load(options.space)
    if options.output is not None and options.output.exists() and not options.output.is_dir():
        raise FileExistsError(f"--output {options.output} is a file: give a folder to write to.")
    counts = Counts.of(space)
    found, misfits = latencies(space, options.tables, shipped_tables(), load_table)
    for line in _headlines(space):
        _print(console, line)
    console.print(layers_table(space), choices_table(space), ranges_table([("", space, counts)]))
    if found:
        console.print(latency_table(found))
    for line in misfit_lines(misfits):
        _print(console, line)
    if options.output is not None:
        _draw(space, options.output, console)
    return 0


def _headlines(space: SearchSpace) -> list[str]:
    about = [str(space.definition[key]) for key in ("description", "reference") if key in space.definition]
    images = f"{space.resolution} px, {space.in_channels} channel(s), {space.num_classes} classes"
    return [f"{space.name}: {'; '.join(about)}" if about else space.name, images]


def _draw(space: SearchSpace, folder: Path, console: Console) -> None:
    # matplotlib takes a second to import, and is needed here alone.
    from dnas.report.space_drawing import space_drawing
    from dnas.report.style import save_figure

    title = f"{space.name}: {_size(space.size, 'architecture')}"
    for path in save_figure(space_drawing(space, title), folder / f"{space.name}.png", FORMATS):
        _print(console, f"Wrote {path}")


def _diff(options: argparse.Namespace, console: Console) -> int:
    names = options.one, options.other
    loaded = [_loaded(name) for name in dict.fromkeys(names)]
    if problems := [each for each in loaded if isinstance(each, str)]:
        print("\n".join(["dnas space diff:", *problems]), file=sys.stderr)
        return TROUBLE
    spaces = [each for each in loaded if isinstance(each, SearchSpace)]
    found = differences(spaces[0], spaces[-1])
    if not found:
        _print(console, f"{names[0]} and {names[1]} are equal: {_in_short(spaces[0])}.")
        return EQUAL
    columns = [(name, space, Counts.of(space)) for name, space in zip(names, spaces, strict=True)]
    console.print(differences_table(found, names), ranges_table(columns))
    return DIFFERENT


def _loaded(name: str) -> SearchSpace | str:
    """The space, or what is wrong with it."""
    try:
        return SearchSpace.load(name)
    except (ValueError, OSError) as error:
        if os.environ.get("DNAS_TRACEBACK"):
            raise
        return str(error)


def _in_short(space: SearchSpace) -> str:
    sizes = (
        _size(len(space), "decision"),
        _size(space.size, "architecture"),
        _size(space.distinct, "distinct network"),
    )
    return f"{space.name}, {', '.join(sizes)}"


def _size(count: int, what: str) -> str:
    return f"{number(count)} {what}{'' if count == 1 else 's'}"


def _print(console: Console, text: str) -> None:
    """A line for scripts, too: not broken, and its brackets are no markup."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


main = Command("dnas space", DESCRIPTION, add_arguments, run)
