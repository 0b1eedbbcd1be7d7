"""A refinement from its settings to its files: one code path for the command and for the callback.

After every generation the state is written atomically. Killed at any moment and started again, a refinement
ends bit by bit as if it had not been: the algorithm continues from the last whole generation, and what was
evaluated after it is in the store.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from dnas.costs import LoadTable
from dnas.refine.course import Course
from dnas.refine.devices import AnyProblem, DevicesProblem
from dnas.refine.figures import write_evolution_figures
from dnas.refine.results import (
    evaluated_rows,
    front_rows,
    write_course,
    write_front,
    write_reports,
    write_rows,
)
from dnas.refine.settings import Settings
from dnas.refine.task import Task, make_task, start_course
from dnas.search.evolution.nsga2 import NSGA2
from dnas.search.evolution.resume import DamagedState, OtherSearch
from dnas.support.files import going_on, only_one, write_text
from dnas.support.processes import broadcast, rank
from dnas.support.resuming import remember
from dnas.support.sealed_json import seal, unseal

STATE = "state.json"
STATE_FORMAT = "dnas-refine-state/1"
RUN_FORMAT = "dnas-refine/1"
# Where every one of several devices has a folder like that of a run on its table alone.
DEVICES = "devices"

# Called before every evaluation: the course so far, the task, evaluations done and to do in this generation.
Tell = Callable[[Course, Task, int, int], None]


class Outcome(NamedTuple):
    """A finished refinement: ``rows`` of its front, and the generation that it was ``continued_from``."""

    task: Task
    course: Course
    rows: list[dict[str, Any]]
    continued_from: int


def refine(
    settings: Settings, tell: Tell = lambda course, task, done, of: None, *, load_table: LoadTable
) -> Outcome:
    """Search until the budget is spent, the algorithm ends or the space is exhausted; write everything.

    With torch.distributed initialised, every process calls this with the same settings.

    Args:
        load_table: reads the latency table; :func:`latency.load_table`.

    Raises:
        ValueError: what the settings name cannot be used, no architecture keeps the bounds, or the quality of
            none is a number.
        FileExistsError: the folder holds another refinement, or another process works in it.
    """
    with only_one(settings.output, process=rank()):
        task = make_task(settings, load_table)
        state = broadcast(_read_state(settings.output, task.identity) if rank() == 0 else None)
        if isinstance(state, Exception):
            raise state
        if rank() == 0:
            remember(settings.output, "dnas refine")
        course = _continued(task, state)
        began = course.generations
        while course.generations < task.plan.rounds and len(course.found) < task.budget:
            if not _generation(task, course, tell):
                break
            if rank() == 0:
                _save(task, course)
        rows = front_rows(course, task.problem, settings.crowding_weights)
        if course.found and not rows:
            raise ValueError(
                f"The {task.problem.quality} of all {len(course.found)} evaluated architectures is NaN: "
                f"numbers of the supernet in {settings.checkpoint} overflow. Train it with lower rates."
            )
        if rank() == 0:
            _finish(task, course, rows)
        return Outcome(task, course, rows, began)


def _generation(task: Task, course: Course, tell: Tell) -> bool:
    """Ask, evaluate what keeps the bounds, tell; False if there is nothing left to ask for."""
    algorithm, problem = task.plan.algorithm, task.problem
    started = time.perf_counter()
    genomes = algorithm.ask()
    if not len(genomes):
        return False
    if isinstance(algorithm, NSGA2) and algorithm.report is not None:
        course.chosen_by(algorithm.report, time.perf_counter() - started)
    violations = problem.violations(genomes)
    feasible = violations == 0
    records = task.evaluate(
        genomes[feasible], lambda done, of: tell(course, task, done, of), task.race, course.rivals_of
    )
    known = iter(records)
    evaluations = [next(known).evaluation if keeps else None for keeps in feasible]
    values = problem.values(genomes, evaluations)
    algorithm.tell(genomes, values[:, : task.plan.objectives], violations)
    course.add(genomes[feasible], records)
    return True


def _read_state(folder: Path, identity: Mapping[str, Any]) -> dict[str, Any] | Exception | None:
    """The state in a folder, None if there is none; or why it cannot be continued, for all processes."""
    path = folder / STATE
    if not path.is_file():
        return None
    try:
        state = unseal(json.loads(path.read_text(encoding="utf-8")))
        other = dict(state["identity"]) if state["format"] == STATE_FORMAT else {}
    except (ValueError, KeyError, TypeError) as error:
        return _damaged(path, error)
    differing = [
        f"{name} {other.get(name)!r} there, {value!r} here"
        for name, value in {**dict.fromkeys(other), **identity}.items()
        if other.get(name) != value
    ]
    if differing:
        return FileExistsError(
            f"{folder} holds another refinement: {'; '.join(differing)}. Choose another --output."
        )
    return dict(state)


def _continued(task: Task, state: Mapping[str, Any] | None) -> Course:
    try:
        return start_course(task, state)
    except (KeyError, TypeError, IndexError, DamagedState, OtherSearch) as error:
        raise _damaged(task.settings.output / STATE, error) from error


def _damaged(path: Path, error: Exception) -> ValueError:
    return ValueError(f"{path} is damaged ({error!r}): remove it to begin anew, evaluations are kept.")


def _save(task: Task, course: Course) -> None:
    folder = task.settings.output
    state = {
        "format": STATE_FORMAT,
        "identity": task.identity,
        "course": course.state_dict(),
        "algorithm": task.plan.algorithm.state_dict(),
    }
    write_text(folder / STATE, json.dumps(seal(state)))
    rows = front_rows(course, task.problem, task.settings.crowding_weights)
    _write_results(task, course, rows, _by_device(task, course), finished=False)


def _finish(task: Task, course: Course, rows: list[dict[str, Any]]) -> None:
    folder, problem, weights = task.settings.output, task.problem, task.settings.crowding_weights
    everything = evaluated_rows(course, problem, weights)
    write_rows(folder / "evaluated.csv", everything, problem, more=("images",) if task.race else ())
    _save_front(folder, rows)
    by_device = _by_device(task, course)
    worth = [(step.evaluations, step.hypervolume) for step in course.steps]
    if isinstance(problem, DevicesProblem):
        # Which latency would the front be drawn over? Every device has its own figure.
        with going_on(f"Figures in {folder / 'figures'}"):
            write_evolution_figures(folder / "figures", [], [], worth, problem.quality, "")
        for number, (device, own) in enumerate(by_device.items()):
            place, one = folder / DEVICES / device, problem.devices[device]
            _save_front(place, own)
            worth = [(step.evaluations, step.by_device[number]) for step in course.steps]
            all_of_it = evaluated_rows(course, one, weights)
            with going_on(f"Figures in {place / 'figures'}"):
                write_evolution_figures(place / "figures", all_of_it, own, worth, one.quality, one.table.kind)
    else:
        with going_on(f"Figures in {folder / 'figures'}"):
            write_evolution_figures(
                folder / "figures", everything, rows, worth, problem.quality, problem.table.kind
            )
    _write_results(task, course, rows, by_device, finished=True)


def _save_front(folder: Path, rows: list[dict[str, Any]]) -> None:
    for index, row in enumerate(rows):
        row["architecture"].save(folder / "front" / f"{index:03}.json")


def _by_device(task: Task, course: Course) -> dict[str, list[dict[str, Any]]]:
    """Of several devices the front of every one."""
    weights = task.settings.crowding_weights
    return {device: front_rows(course, one, weights, device) for device, one in task.problem.devices.items()}


def _write_results(
    task: Task,
    course: Course,
    rows: list[dict[str, Any]],
    by_device: Mapping[str, list[dict[str, Any]]],
    finished: bool,
) -> None:
    folder, problem = task.settings.output, task.problem
    write_front(folder, rows, problem)
    write_course(folder / "hypervolume.csv", course, problem.devices)
    if course.reports:
        write_reports(folder / "predictor.csv", course)
    for number, (device, own) in enumerate(by_device.items()):
        place, one = folder / DEVICES / device, problem.devices[device]
        write_front(place, own, one)
        write_course(place / "hypervolume.csv", course, only=number)
        _write_run(place, {"device": device} | _described(task, course, one, finished))
    _write_run(folder, _described(task, course, problem, finished))


def _write_run(folder: Path, content: dict[str, Any]) -> None:
    write_text(folder / "run.json", json.dumps(seal(content), indent=2) + "\n")


def _described(task: Task, course: Course, problem: AnyProblem, finished: bool) -> dict[str, Any]:
    settings, checkpoint = task.settings, task.checkpoint
    return {
        "format": RUN_FORMAT,
        "space": checkpoint.space.to_dict(),
        "algorithm": settings.algorithm,
        "seeded_from": [Path(source).name for source in settings.seed_from] or None,
        "seed": settings.seed,
        "quality": problem.quality,
        "population": settings.population,
        "generations": settings.generations,
        "weights": settings.crowding_weights,
        **({} if settings.predictor == "none" else {"predictor": settings.predictor}),
        **({"stop_early": True} if settings.stop_early else {}),
        "bounds": {"latency_below_ms": problem.latency_below or None, "params_above": settings.params_above},
        "target_ms": settings.target_ms,
        "box": problem.box(),
        **_tables(problem),
        "checkpoint": {
            "file": str(settings.checkpoint),
            "sha256": checkpoint.sha256,
            "kind": checkpoint.kind,
            "epoch": checkpoint.epoch,
            "sharing": checkpoint.supernet_options["sharing"],
            "training": dict(checkpoint.training),
        },
        "evaluator": {
            "recalibration_batches": settings.recalibration_batches,
            "recalibration_images": task.images["recalibration"],
            "validation_images": task.images["validation"],
        },
        "cost": {
            "evaluations": len(course.found),
            "seconds": sum(record.seconds for record in course.records),
            "images": sum(task.images["recalibration"] + each.evaluation.images for each in course.records),
        },
        "versions": dict(checkpoint.versions),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "finished": finished,
    }


def _tables(problem: AnyProblem) -> dict[str, Any]:
    if isinstance(problem, DevicesProblem):
        return {"tables": {device: _tables(one)["table"] for device, one in problem.devices.items()}}
    return {"table": {**problem.table.identity(), "description": problem.table.describe()}}
