"""From settings to the parts of a refinement: supernet, problem, algorithm, evaluator, store."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dnas.costs import LoadTable, count
from dnas.device_tables import DeviceTables, limits_by_device, load_device_tables
from dnas.refine.algorithms import Plan, make_plan
from dnas.refine.course import Course
from dnas.refine.devices import AnyProblem, DevicesProblem
from dnas.refine.population import PopulationEvaluator
from dnas.refine.problem import Problem, Quality
from dnas.refine.seeds import Seeds, read_seeds
from dnas.refine.settings import Settings
from dnas.runs.checkpoint import SearchCheckpoint, SupernetCheckpoint
from dnas.runs.checkpoint_file import read_supernet
from dnas.runs.evaluator import OneShotEvaluator
from dnas.runs.racing import Race
from dnas.support.devices import torch_device

# With fewer validation images accuracy has too few values to rank by, and the loss is the better judge.
IMAGES_TO_RANK_BY_ACCURACY = 10_000


@dataclass(frozen=True)
class Task:
    """Everything that a refinement works with.

    Attributes:
        images: what an evaluation sees, by split: recalibration, validation.
        race: how evaluations end early, if they may.
        identity: what a run in the same folder must agree in to be continued.
    """

    settings: Settings
    checkpoint: SupernetCheckpoint
    problem: AnyProblem
    plan: Plan
    evaluate: PopulationEvaluator
    images: Mapping[str, int]
    race: Race | None
    identity: dict[str, Any]

    @property
    def budget(self) -> int:
        """Evaluations after which no further generation begins."""
        return self.settings.population * self.settings.generations


def make_task(settings: Settings, load_table: LoadTable) -> Task:
    """Read and check all that the settings name.

    Raises:
        ValueError: an unusable checkpoint, table or seed, bounds that nothing keeps, data that is missing.
    """
    checkpoint = read_supernet(settings.checkpoint)
    tables = _tables(settings, checkpoint, load_table)
    # Bounds are checked before the data is read, which may take long.
    problem = _problem(settings, checkpoint, tables)
    seeds = read_seeds(settings.seed_from, checkpoint.space, settings.population // 2, settings.seed)
    evaluate = PopulationEvaluator.of_checkpoint(
        checkpoint,
        settings.recalibration_batches,
        torch_device(settings.device),
        settings.cache or settings.output,
        settings.stop_early,
    )
    images = {name: _images(getattr(evaluate.evaluate, name)) for name in ("recalibration", "validation")}
    problem = replace(problem, quality=_quality(settings, images["validation"]))
    return Task(
        settings,
        checkpoint,
        problem,
        make_plan(settings, problem, _with_feasible(seeds, problem)),
        evaluate,
        images,
        _race(problem.quality, evaluate.evaluate) if settings.stop_early else None,
        {
            **settings.identity(),
            # Of several devices in their order: weights and what is equal follow it.
            "latency_below": problem.latency_below or None,
            "checkpoint": checkpoint.sha256,
            **_identity(tables),
            "evaluator": evaluate.key,
            "quality": problem.quality,
            "seeds": hashlib.sha256(seeds.genomes.tobytes()).hexdigest(),
        },
    )


def start_course(task: Task, state: Mapping[str, Any] | None) -> Course:
    """The course from the beginning, or from where a state was taken; the algorithm continues there too.

    Raises:
        ValueError: the state is of another algorithm or other settings.
    """
    course = Course(task.problem)
    if state is not None:
        course.load_state_dict(state["course"])
        course.recall(task.evaluate(course.genomes()))
        task.plan.algorithm.load_state_dict(state["algorithm"])
    return course


def _tables(settings: Settings, checkpoint: SupernetCheckpoint, load_table: LoadTable) -> DeviceTables:
    if settings.table is not None:
        return load_device_tables(settings.tables, checkpoint.space, load_table)
    if isinstance(checkpoint, SearchCheckpoint):
        if checkpoint.tables:
            return load_device_tables(checkpoint.table_sources, checkpoint.space, load_table)
        table = load_table(checkpoint.table_source, checkpoint.space)
        return {table.name: table}
    raise ValueError(
        "A one-shot supernet was trained without a latency table: name one with --table ('dnas latency "
        "list' shows those that are shipped)."
    )


def _problem(settings: Settings, checkpoint: SupernetCheckpoint, tables: DeviceTables) -> AnyProblem:
    costs, classes = count(checkpoint.space), checkpoint.num_classes
    limits = _limits(settings.latency_below, list(tables))
    if len(tables) > 1:
        return DevicesProblem(
            tables, costs, classes, latency_below=limits, params_above=settings.params_above
        )
    ((device, table),) = tables.items()
    return Problem(table, costs, classes, "top1", limits.get(device), settings.params_above)


def _limits(given: float | str | Sequence[str | float] | None, devices: list[str]) -> dict[str, float]:
    if given is None:
        return {}
    if isinstance(given, int | float):
        return dict.fromkeys(devices, given)
    return limits_by_device([given] if isinstance(given, str) else given, devices, "--latency-below")


def _identity(tables: DeviceTables) -> dict[str, Any]:
    if len(tables) == 1:
        return {"table": next(iter(tables.values())).sha256}
    return {"tables": [f"{device}={table.sha256[:16]}" for device, table in tables.items()]}


def _quality(settings: Settings, images: int) -> Quality:
    if settings.quality != "auto":
        return settings.quality
    return "top1" if images >= IMAGES_TO_RANK_BY_ACCURACY else "loss"


def _race(quality: Quality, evaluator: OneShotEvaluator) -> Race:
    batches = evaluator.validation.kept
    if batches is None:
        raise ValueError(
            "--stop-early picks batches of validation images, and these take more than the 1 GiB that is "
            "kept in memory: leave it out, or give the supernet's data a smaller validation split."
        )
    try:
        return Race(quality, len(batches))
    except ValueError as error:
        raise ValueError(
            f"--stop-early: {error}. Leave it out: so small a split is quickly evaluated."
        ) from error


def _images(batches: Any) -> int:
    return sum(len(labels) for _, labels in batches)


def _with_feasible(seeds: Seeds, problem: AnyProblem) -> Seeds:
    """With bounds one genome that keeps them is known beforehand: no search for it is needed."""
    feasible = problem.feasible()
    if feasible is None:
        return seeds
    return seeds._replace(genomes=np.vstack([seeds.genomes, feasible[None]]))
