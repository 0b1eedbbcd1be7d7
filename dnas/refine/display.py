"""The progress of a refinement on the terminal, and its front as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from dnas.refine.course import Course
from dnas.refine.devices import DevicesProblem
from dnas.refine.run import DEVICES, Outcome, Tell
from dnas.refine.task import Task
from dnas.space.networks import count_text
from dnas.support.processes import rank

SHOWN = 12


@contextmanager
def progress(console: Console) -> Iterator[Tell]:
    """A bar of evaluations, for `refine` to tell; of several processes only the first one shows it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=rank() > 0) as bar:
        line = bar.add_task("Reading", total=None)

        shown: set[int] = set()

        def tell(course: Course, task: Task, done: int, of: int) -> None:
            if (report := course.reports.get(course.generations)) and course.generations not in shown:
                shown.add(course.generations)
                cost = f"{course.seconds_to_choose:.2f} s"
                bar.console.print(f"Generation {course.generations}: {report}, in {cost}", highlight=False)
            worth = f", hypervolume {course.steps[-1].hypervolume:.4f}" if course.steps else ""
            bar.update(
                line,
                description=f"Generation {course.generations}{worth}",
                # Those of the other processes are known when the generation is.
                completed=len(course.found) + done,
                total=task.budget,
            )

        yield tell


def print_outcome(console: Console, outcome: Outcome) -> None:
    """The front's best by quality, fastest last, and what the search cost."""
    task, course, rows = outcome.task, outcome.course, outcome.rows
    settings, problem = task.settings, task.problem
    # Headings of latencies, and how they come out of a row.
    latencies: dict[str, Callable[[dict[str, Any]], float]] = (
        {f"{device} ms": partial(_on_device, device) for device in problem.devices}
        if isinstance(problem, DevicesProblem)
        else {f"{problem.table.kind} ms": itemgetter("latency_ms")}
    )
    assisted = "" if settings.predictor == "none" else f" with predictor {settings.predictor}"
    title = f"{settings.algorithm}{assisted}: front of {len(rows)}, of {len(course.found)} evaluated"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in ("front/", "top-1", "loss", *latencies, "params M", "generation"):
        table.add_column(heading, justify="right")
    for index in _spread(len(rows)):
        row = rows[index]
        table.add_row(
            f"{index:03}",
            f"{row['top1']:.2%}",
            f"{row['loss']:.4f}",
            *(f"{latency_ms(row):.2f}" for latency_ms in latencies.values()),
            f"{row['params'] / 1e6:.2f}",
            str(row["generation"]),
        )
    console.print(table)
    if len(rows) > SHOWN:
        console.print(f"{SHOWN} of {len(rows)} shown; all are in front.csv.", style="dim")
    for line in _facts(outcome):
        console.print(line, highlight=False, soft_wrap=True)


def _facts(outcome: Outcome) -> list[str]:
    task, course = outcome.task, outcome.course
    seconds = sum(record.seconds for record in course.records)
    each = seconds / max(1, len(course.records))
    worth = course.steps[-1].hypervolume if course.steps else 0.0
    mean = f", the mean of {len(task.problem.devices)} devices" if task.problem.devices else ""
    lines = [
        f"Ranked by {task.problem.quality} on {task.images['validation']} validation images; hypervolume "
        f"{worth:.4f} of the box in run.json{mean}.",
        f"Evaluated {len(course.found)} architectures in {seconds:.0f} s, {each:.2f} s each.",
        *_latencies(outcome),
    ]
    if task.race is not None:
        seen = [record.evaluation.images / task.images["validation"] for record in course.records]
        lines.append(
            f"Stopped early: {sum(share < 1 for share in seen)} of them; {np.mean(seen):.0%} of their "
            "validation images were looked at."
        )
    space = task.problem.space
    if space.distinct < space.size:
        lines.insert(1, f"The space {space.name} has {count_text(space.size, space.distinct)}.")
    if outcome.continued_from:
        lines.insert(0, f"Continued from generation {outcome.continued_from}.")
    if len(course.found) < task.budget:
        reason = "what broke a bound was not evaluated" if task.problem.bounds else "nothing further was left"
        lines.append(f"{task.budget} evaluations were allowed; {reason}.")
    return [*lines, f"Wrote {task.settings.output / 'front.json'}"]


def _latencies(outcome: Outcome) -> list[str]:
    """Where the milliseconds come from; of several devices a line each."""
    task, course, problem = outcome.task, outcome.course, outcome.task.problem
    if not isinstance(problem, DevicesProblem):
        return [f"Latency: {problem.table.describe()}"]
    worths = course.steps[-1].by_device if course.steps else (0.0,) * len(problem.tables)
    return [
        f"{device}: front of {len(course.front(device))}, hypervolume {worth:.4f}, in "
        f"{task.settings.output / DEVICES / device}; {table.describe()}"
        for (device, table), worth in zip(problem.tables.items(), worths, strict=True)
    ]


def _on_device(device: str, row: dict[str, Any]) -> float:
    return float(row["latency_ms"][device])


def _spread(count: int) -> list[int]:
    """Up to `SHOWN` indices, evenly over all, the first and the last among them."""
    if count <= SHOWN:
        return list(range(count))
    return [round(index * (count - 1) / (SHOWN - 1)) for index in range(SHOWN)]
