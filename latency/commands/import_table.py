"""``latency import``: make a table of latencies that you have already (docs/latency_import.md).

Nothing is written unless every block of the space, the stem, the head and the overhead are covered.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import track

from dnas.space import SearchSpace
from latency.commands.options import add_space
from latency.sources.imported.formats import FORMATS, files, read, unit_problems
from latency.sources.imported.imported_table import Terms, build, notes, table_header, write_table
from latency.sources.imported.keys import PARTS
from latency.sources.imported.reading import MS_PER_UNIT, Importer, ImportResult, amount, merge
from latency.sources.imported.resolve import Resolved, resolve
from latency.sources.imported.selection import select
from latency.table import facts

KINDS = ("measured", "assembled", "predicted")
LISTED = 20  # look-up tables hold thousands of blocks of other spaces
READINGS = {"inference": True, "net": False}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A format, files, a space, a file to write; what the files do not say; facts for the header."""
    parser.add_argument("format", metavar="FORMAT", choices=FORMATS, help=", ".join(FORMATS))
    parser.add_argument("files", metavar="FILE", nargs="+", help="files, or folders of them")
    add_space(parser)
    parser.add_argument("--output", metavar="FILE", required=True, help="the .csv file to write")
    parser.add_argument("--unit", choices=MS_PER_UNIT, help="of files that state none")
    parser.add_argument("--cpu", action="store_true", help="the runs were meant for the CPU")
    parser.add_argument("--table", metavar="NAME", help="of files that hold several, one for every device")
    parser.add_argument(
        "--readings",
        choices=READINGS,
        help="inference: each holds the overhead, which is taken off; net: none does (default: by format)",
    )
    for part in PARTS:
        parser.add_argument(f"--{part}-ms", metavar="MS", type=amount, help="where the files do not say")
    parser.add_argument(
        "--stem-with-shortcut",
        action="store_true",
        help="add up the stem of readings whose separable convolution has a shortcut (Once-for-All)",
    )
    parser.add_argument(
        "--relative-error", metavar="FRACTION", type=amount, help="of entries without runs and deviation"
    )
    parser.add_argument("--kind", choices=KINDS, help="of the entries (default: by format)")
    parser.add_argument("--header", metavar="FILE", help="YAML with the facts below")
    for name, text in facts.FACTS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", metavar="TEXT", help=text)


def run(arguments: argparse.Namespace, console: Console) -> None:
    """Read the files, list what could not be read, write the table or raise for all that it lacks."""
    space, importer = SearchSpace.load(arguments.space), FORMATS[arguments.format]
    result = _read_all(arguments, console)
    given, problems = facts.collect(vars(arguments), arguments.header, _stated(result))
    problems += unit_problems(arguments.format, arguments.unit)
    selection = select(result.readings, arguments.cpu, arguments.table)
    problems += selection.problems
    resolved = resolve(selection.readings, space)
    _report(result, resolved, console)
    _report_facts(result, given, console)
    if selection.left_out:
        console.print(f"not used, of another processor or table: {selection.left_out} reading(s)")
    terms = _terms(arguments, importer)
    built = build(space, resolved, terms)
    statistic = importer.STATISTIC + (", less the overhead per inference" if terms.whole_inferences else "")
    given.setdefault("name", Path(arguments.output).stem)
    if assumed := notes(resolved, terms):
        given["notes"] = "; ".join(filter(None, [given.get("notes"), *assumed]))
    tool = f"python -m latency import {arguments.format}"
    data = table_header(given, space, built, terms.kind, statistic, tool)
    path = write_table(arguments.output, space, data, built, problems)
    console.print(
        f"wrote {path}: {len(built.entries)} entries from {len(selection.readings)} readings", soft_wrap=True
    )


def _terms(arguments: argparse.Namespace, importer: Importer) -> Terms:
    return Terms(
        whole_inferences=READINGS.get(arguments.readings, importer.WHOLE_INFERENCES),
        kind=arguments.kind or importer.KIND,
        cpu=arguments.cpu,
        relative_error=arguments.relative_error,
        fixed_ms={part: getattr(arguments, f"{part}_ms") for part in PARTS},
        shortcut_stem=arguments.stem_with_shortcut,
    )


def _read_all(arguments: argparse.Namespace, console: Console) -> ImportResult:
    paths = files(arguments.files)
    progress = track(
        paths, description="reading", console=console, transient=True, disable=not console.is_terminal
    )
    return merge(read(arguments.format, path, arguments.unit) for path in progress)


def _stated(result: ImportResult) -> dict[str, str]:
    """The facts on which all files agree."""
    names = [name for name, _ in result.facts]
    return {name: value for name, value in result.facts if names.count(name) == 1}


def _report_facts(result: ImportResult, given: Mapping[str, str], console: Console) -> None:
    for name, value in result.facts:
        if name in given and value.lower() not in given[name].lower():
            console.print(f"not used: the files state {name} {value!r}, the header {given[name]!r}")


def _report(result: ImportResult, resolved: Resolved, console: Console) -> None:
    for unread in [*result.unread, *resolved.unread]:
        console.print(f"not read: {unread}", soft_wrap=True)
    for reading in resolved.unused[:LISTED]:
        console.print(f"not used, no block that runs in this space: {reading}", soft_wrap=True)
    if len(resolved.unused) > LISTED:
        console.print(f"not used, either: {len(resolved.unused) - LISTED} more readings")
