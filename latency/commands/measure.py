"""``latency measure``: time every block of a space on a device, and whole networks to test the table.

Interrupted, the same command resumes. See docs/latency_measure.md.
"""

from __future__ import annotations

import argparse
import platform
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dnas.space import SearchSpace
from dnas.support import resuming
from dnas.support.stopping import Stopped
from latency.commands.options import add_space
from latency.sources.measured.backends import BACKENDS, backend_class, open_backend
from latency.sources.measured.backends.base import CLOCKS, Backend, Effort, Options
from latency.sources.measured.plan import Plan, make_plan
from latency.sources.measured.report import announcement, comparison
from latency.sources.measured.result import Result, conclude, table_header
from latency.sources.measured.session import Settings, measure
from latency.sources.measured.visits import STATISTICS, Visit, estimate_all
from latency.sources.measured.work_dir import WorkDir
from latency.table.errors import TableError
from latency.table.table_file import write_file

# As it is called: it remembers how in its folder, and takes --resume FOLDER.
COMMAND = "dnas latency measure"
# Far beyond any processor, and what runtimes start before they run out of memory.
MOST_THREADS = 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to measure, how hard to try, and facts for the header."""
    parser.epilog = resuming.HELP
    add_space(parser)
    parser.add_argument("--backend", required=True, choices=list(BACKENDS))
    parser.add_argument("--output", metavar="TABLE.csv", required=True, help="the table to write")
    parser.add_argument(
        "--networks", type=int, default=20, help="whole random networks to test the table with, and as many "
        "others to calibrate it; 0 for none (default: %(default)s)"
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of networks and order (default: %(default)s)")
    parser.add_argument("--work-dir", metavar="DIR", help="raw results (default: TABLE.csv.measuring)")
    _add_effort(parser)
    _add_phone(parser)
    facts = parser.add_argument_group("facts for the header (default: what the backend finds out)")
    for name in ("name", "device", "soc", "gpu", "driver", "runtime-version", "licence", "source", "notes"):
        facts.add_argument(f"--{name}", metavar="TEXT")


def _add_effort(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("effort (default: the backend's own)")
    group.add_argument("--rounds", type=int, help="visits of every graph, each round in another order")
    group.add_argument("--runs", type=int, help="least timed runs of a visit")
    group.add_argument("--warmup", type=int, default=3, help="untimed runs of a visit (default: %(default)s)")
    group.add_argument(
        "--visit-ms",
        type=float,
        default=20.0,
        help="time that the runs of a visit fill at least (default: 20)",
    )
    group.add_argument("--threads", type=int, default=1, help="on the processor (default: 1)")
    group.add_argument(
        "--clock", choices=list(CLOCKS), default="wall", help="cpu: what other processes take is left out "
        "(backends on this processor, one thread; default: wall)",
    )  # fmt: skip
    group.add_argument("--statistic", choices=list(STATISTICS), help="what is taken of the rounds")
    group.add_argument(
        "--tolerance", type=float, default=0.1,
        help="visits beside which a reference block is slower than this are repeated (default: 0.1)",
    )  # fmt: skip
    group.add_argument("--repeats", type=int, default=2, help="how often at most (default: 2)")


def _add_phone(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("phones (tflite-adb)")
    group.add_argument("--benchmark-model", metavar="FILE", help="TFLite's binary for the phone")
    group.add_argument("--serial", help="which phone, as 'adb devices' names it")
    group.add_argument(
        "--benchmark-flags", metavar="FLAGS", default="", help="further flags, such as '--gpu_backend=cl'"
    )


def run(arguments: argparse.Namespace, console: Console) -> None:
    """Measure, write the table, and print how whole networks compare with it."""
    space = SearchSpace.load(arguments.space)
    settings = _settings(arguments)
    output = _output(arguments.output)
    work_dir = Path(arguments.work_dir or f"{output}.measuring")
    backend = open_backend(arguments.backend, _options(arguments, work_dir))
    facts = {**backend.facts(), **_given(arguments, ("device", "soc", "gpu", "driver", "runtime_version"))}
    plan = make_plan(space, 2 * arguments.networks, arguments.seed, backend.empty)
    console.print(announcement(plan, settings.rounds, facts), soft_wrap=True)
    with WorkDir(work_dir, _identity(space, arguments, settings, facts)) as work:
        resuming.remember(work_dir, COMMAND)
        visits = _measure(plan, backend, settings, work, console)
    statistic = STATISTICS[settings.statistic]
    result = conclude(plan, estimate_all(visits, statistic, settings.tolerance))
    header = table_header(space, result, _header_facts(arguments, settings, facts, output, visits, result))
    write_file(output, header, result.entries)
    for line in comparison(result):
        console.print(line, soft_wrap=isinstance(line, str))
    console.print(header["notes"], soft_wrap=True)
    console.print(f"wrote {output}: {len(result.entries)} entries; raw results in {work_dir}", soft_wrap=True)


def _settings(arguments: argparse.Namespace) -> Settings:
    default = backend_class(arguments.backend)
    rounds = default.rounds if arguments.rounds is None else arguments.rounds
    runs = default.runs if arguments.runs is None else arguments.runs
    least = {"rounds": (rounds, 2), "runs": (runs, 1), "warmup": (arguments.warmup, 1)}
    least |= {"threads": (arguments.threads, 1), "repeats": (arguments.repeats, 0)}
    least |= {"networks": (arguments.networks, 0), "seed": (arguments.seed, 0)}
    problems = [
        f"--{name} must be at least {bound}, got {value}"
        for name, (value, bound) in least.items()
        if value < bound
    ]
    if arguments.threads > MOST_THREADS:
        problems.append(f"--threads must be at most {MOST_THREADS}, got {arguments.threads}")
    positive = {"tolerance": arguments.tolerance, "visit-ms": arguments.visit_ms}
    problems += [
        f"--{name} must be a number above 0, got {value}"
        for name, value in positive.items()
        if not 0 < value < np.inf
    ]
    if problems:
        raise TableError("; ".join(problems) + ".")
    effort = Effort(arguments.warmup, runs, arguments.visit_ms)
    statistic = arguments.statistic or default.statistic
    return Settings(effort, rounds, statistic, arguments.tolerance, arguments.repeats, arguments.seed)


def _output(text: str) -> Path:
    path = Path(text)
    if path.is_dir() or path.suffix != ".csv":
        raise TableError(f"--output must name a .csv file, got {text}.")
    return path


def _options(arguments: argparse.Namespace, work_dir: Path) -> Options:
    binary = Path(arguments.benchmark_model) if arguments.benchmark_model else None
    flags = tuple(arguments.benchmark_flags.split())
    return Options(work_dir, arguments.threads, arguments.clock, arguments.serial, binary, flags)


def _identity(
    space: SearchSpace, arguments: argparse.Namespace, settings: Settings, facts: Mapping[str, str]
) -> dict[str, Any]:
    """What may not change when a measurement resumes; more rounds, networks or repeats may be asked for."""
    return {
        "space": space.name,
        "space_sha256": space.digest,
        "backend": arguments.backend,
        "threads": arguments.threads,
        "clock": arguments.clock,
        "seed": arguments.seed,
        "warmup": settings.effort.warmup,
        "runs": settings.effort.runs,
        "visit_ms": settings.effort.visit_ms,
        "torch": str(torch.__version__),
        "benchmark_flags": arguments.benchmark_flags,
        "facts": dict(facts),
    }


def _measure(
    plan: Plan, backend: Backend, settings: Settings, work: WorkDir, console: Console
) -> list[Visit]:
    columns = (TextColumn("{task.description:<16}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting")
        try:
            return measure(
                plan, backend, settings, work,
                lambda done, total, name: bar.update(task, completed=done, total=total, description=name),
            )  # fmt: skip
        except Stopped as stopped:
            stopped.note = (
                f"{len(work.records())} visits are kept. Go on with the same command, or with: "
                f"{resuming.again(COMMAND, work.path)}"
            )
            raise


def _given(arguments: argparse.Namespace, names: tuple[str, ...]) -> dict[str, str]:
    return {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}


def _header_facts(
    arguments: argparse.Namespace,
    settings: Settings,
    facts: Mapping[str, str],
    output: Path,
    visits: list[Visit],
    result: Result,
) -> dict[str, Any]:
    disturbed = sum(visit.slowdown > settings.tolerance for visit in visits)
    notes = (
        f"{len(visits)} visits of {len({visit.job for visit in visits})} graphs; beside {disturbed} of them "
        f"a reference block was over {settings.tolerance:.0%} slower than its best, they count only for "
        f"{len(result.unsteady)} graph(s) that have no other"
    )
    return {
        "name": re.sub(r"[^A-Za-z0-9_.-]", "_", output.stem),
        "licence": "not stated",
        "source": "measured by the one who made this table",
        **facts,
        **_given(arguments, ("name", "licence", "source")),
        "statistic": STATISTICS[settings.statistic].text.format(rounds=settings.rounds),
        "date": date.today().isoformat(),
        "tool": _tool(arguments, settings),
        "notes": "; ".join(filter(None, [arguments.notes, notes])),
    }


def _tool(arguments: argparse.Namespace, settings: Settings) -> str:
    effort = settings.effort
    return (
        f"python -m latency measure --space {Path(arguments.space).name} --backend {arguments.backend} "
        f"--networks {arguments.networks} --seed {arguments.seed} --rounds {settings.rounds} "
        f"--runs {effort.runs} --warmup {effort.warmup} --visit-ms {effort.visit_ms:g} "
        f"--threads {arguments.threads} --clock {arguments.clock} "
        f"--statistic {settings.statistic} (Python {platform.python_version()})"
    )
