"""``dnas sweep``: searches over latency targets, widths and resolutions, joined in one front.

Searches are run by Lightning's side, which hands over how (see :func:`make_command`);
``python -m dnas.sweep`` derives from checkpoints alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from dnas import blocks
from dnas.runs.checkpoint_file import read
from dnas.support.command import Command
from dnas.support.files import only_one
from dnas.support.resuming import remember
from dnas.sweep import report
from dnas.sweep.members import Derived, derive_members
from dnas.sweep.plan import Grid, Search, number_problems
from dnas.sweep.report import PAGE, Sweep
from dnas.sweep.searches import Fit, finished, run_search

DESCRIPTION = (
    "Join networks for several latency targets, widths and resolutions in one front and one report. With "
    "--checkpoint they are derived from finished searches, with --config the searches are run first, one for "
    "every width and resolution."
)
EPILOG = """In values of --set, and in --table, {width}, {resolution} and {target} are those of the search.
With {target}, every target has a search of its own; without, the networks of all targets are derived from
one search, under bounds:

  dnas sweep --config digits/search.yaml --output sweep --widths 0.75 1 --targets 4 6 \\
      --table tables/moga_w{width}.csv --set model.objective.form=AbsoluteLatency \\
      model.objective.form.target_ms={target} model.objective.form.weight=1

A sweep that was stopped continues when the same command is given again; nothing is done twice."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    blocks.add_option(parser)
    add = parser.add_argument
    add("--targets", type=float, nargs="+", required=True, metavar="MS", help="networks of at most MS each")
    add("--output", required=True, type=Path, help="folder to write to, and to continue in")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--config", help="of the searches (digits/search.yaml)")
    source.add_argument("--checkpoint", nargs="+", metavar="SEARCH", help="checkpoints of finished searches")
    add("--widths", type=float, nargs="+", default=[], metavar="W", help="factors of the space's channels")
    add("--resolutions", type=int, nargs="+", default=[], metavar="PX", help="of the deployed networks")
    add(
        "--table", help="latency table of the searches (name or file; {width} and {resolution} are filled in)"
    )
    add(
        "--set",
        dest="settings",
        action="extend",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="other options of the config, as trainer.max_epochs=5 or data.resolution={resolution}",
    )
    add("--no-accuracy", action="store_true", help="do not measure one-shot accuracy: a list without a front")


def run(options: argparse.Namespace, console: Console, fit: Fit | None) -> Sweep:
    """Search, derive, join, write and print.

    Raises:
        ValueError: unusable options, checkpoints or tables, a search that failed, or two devices.
        FileExistsError: the folder is in use, or holds searches with other options.
    """
    grid = _checked(options, fit)
    with only_one(options.output):
        remember(options.output, "dnas sweep")
        found = _of_checkpoints(options) if grid is None else _of_searches(grid, options, console, fit)
        derived = dict(found)
        _check_devices(derived)
        given = {name: value for name, value in vars(options).items() if name not in ("output", "blocks")}
        sweep = Sweep(derived, given)
        report.write(sweep, options.output)
    console.print(report.summary_table(sweep))
    for note in sweep.notes:
        console.print(note, highlight=False, markup=False)
    console.print(f"Wrote {options.output / PAGE}", highlight=False, soft_wrap=True)
    return sweep


def _checked(options: argparse.Namespace, fit: Fit | None) -> Grid | None:
    """What is to be searched; None: only derive."""
    problems = number_problems("--targets", options.targets)
    problems += number_problems("--widths", options.widths)
    problems += number_problems("--resolutions", options.resolutions)
    grid = None
    if options.config is None:
        given = {"--widths": options.widths, "--resolutions": options.resolutions, "--set": options.settings}
        useless = [option for option, values in given.items() if values]
        problems += (
            [f"{', '.join(useless)}: a finished search has its own; they go with --config"] if useless else []
        )
    else:
        table = [] if options.table is None else [f"model.table={options.table}"]
        settings = [*table, *options.settings]
        grid = Grid(options.config, options.targets, options.widths, options.resolutions, settings)
        problems += grid.problems()
        if fit is None:
            problems.append("--config: searches are run by 'dnas sweep', not by 'python -m dnas.sweep'")
    if problems:
        raise ValueError("; ".join(problems))
    return grid


def _of_checkpoints(options: argparse.Namespace) -> Iterator[tuple[str, Derived]]:
    names: list[str] = []
    for path in options.checkpoint:  # all of them before the work
        space = read(path).space.name
        names.append(space if space not in names else f"{space}-{len(names) + 1}")
    for name, path in zip(names, options.checkpoint, strict=True):
        yield name, _derive(name, Path(path), options.targets, options, options.table)


def _of_searches(
    grid: Grid, options: argparse.Namespace, console: Console, fit: Fit | None
) -> Iterator[tuple[str, Derived]]:
    assert fit is not None, "_checked asks for it"
    searches = grid.searches()
    for search in searches:  # before the work: a folder with other options
        finished(search, _folder(search, options.output))
    for index, search in enumerate(searches, 1):
        console.rule(f"search {index} of {len(searches)}: {search.name}", align="left")
        checkpoint = run_search(search, _folder(search, options.output), fit)
        yield search.name, _derive(search.name, checkpoint, search.targets, options, None)


def _derive(
    name: str, checkpoint: Path, targets: Sequence[float], options: argparse.Namespace, table: str | None
) -> Derived:
    with Console(stderr=True).status(f"Deriving from {name} ..."):
        return derive_members(name, checkpoint, targets, options.output, table, not options.no_accuracy)


def _folder(search: Search, output: Path) -> Path:
    return output / "searches" / search.name


def _check_devices(derived: dict[str, Derived]) -> None:
    """Milliseconds of two devices, or of two ways to know them, make no front."""
    origins: dict[str, list[str]] = {}
    for name, each in derived.items():
        origins.setdefault(f"{each.device}, {each.latency_kind}", []).append(name)
    if len(origins) > 1:
        listing = "; ".join(f"{origin}: {', '.join(names)}" for origin, names in origins.items())
        raise ValueError(f"Latencies that cannot be compared, one front needs one device ({listing}).")


def make_command(fit: Fit | None) -> Command[Sweep]:
    """The command, with what runs a search; None: it can only derive."""
    return Command("dnas sweep", DESCRIPTION, add_arguments, partial(run, fit=fit), EPILOG, resumes=True)


main = make_command(None)
