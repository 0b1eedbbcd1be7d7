"""Reading what ``dnas refine`` wrote: run.json, front.json and hypervolume.csv of its output folder."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from dnas.compare.files import RunError, read_columns, read_json, sha256_of
from dnas.compare.model import Box, Cost
from dnas.compare.source import EvaluatorKey, Found, Refinement, Source
from dnas.runs.evaluator import Evaluation
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture, ArchitectureError
from dnas.space.space_file import SpaceError


def read_refined(folder: Path) -> Source:
    """Read the output folder of a refinement, of any algorithm.

    Raises:
        RunError: a file is missing, damaged, of another format, or does not fit the others.
    """
    run = read_json(folder / "run.json", "run")
    front = read_json(folder / "front.json", "front")
    space = _space(folder, run, front)
    return Source(
        path=str(folder),
        kind="evolutionary" if run["algorithm"] == "nsga2" else "baseline",
        details=_details(run),
        space=space,
        found=_members(folder / "front.json", front, space, run["evaluator"]["validation_images"]),
        sha256=sha256_of(folder / "front.json"),
        seed=run["seed"],
        cost=_cost(run),
        refinement=_refinement(folder, run),
    )


def _space(folder: Path, run: dict[str, Any], front: dict[str, Any]) -> SearchSpace:
    try:
        space = SearchSpace.from_dict(run["space"])
    except SpaceError as error:
        raise RunError(f"{folder / 'run.json'}: {error}") from error
    if front["space_sha256"] != space.digest:
        raise RunError(
            f"{folder}: front.json is of another space (sha256 {front['space_sha256'][:12]}...) than "
            f"run.json ({space.name}, {space.digest[:12]}...)."
        )
    return space


def _members(path: Path, front: dict[str, Any], space: SearchSpace, images: int) -> tuple[Found, ...]:
    found, problems = [], []
    for index, member in enumerate(front["members"]):
        try:
            architecture = Architecture.from_names(member["choices"], space)
        except ArchitectureError as error:
            problems.append(f"member {index + 1}: {error}")
            continue
        # JSON has no infinity: null is the loss of a network that diverged.
        loss = math.inf if member["loss"] is None else member["loss"]
        evaluation = Evaluation(member["top1"], member["top5"], loss, images)
        found.append(Found(architecture, evaluation, member["generation"]))
    if problems:
        raise RunError(f"{path}: {'; '.join(problems)}")
    return tuple(found)


def _details(run: dict[str, Any]) -> str:
    """E.g. 'nsga2, weights 2 2 1, population 70, 120 generations, seeded'."""
    parts = [run["algorithm"]]
    if run["weights"] and run["algorithm"] != "nsga2-equal-weights":
        parts.append(f"weights {' '.join(f'{weight:g}' for weight in run['weights'])}")
    parts += [f"population {run['population']}", f"{run['generations']} generations"]
    if run["seeded_from"]:
        parts.append("seeded")
    if run.get("target_ms") is not None:
        parts.append(f"target {run['target_ms']:g} ms")
    bounds = run.get("bounds", {})
    if bounds.get("latency_below_ms") is not None:
        parts.append(f"latency at most {bounds['latency_below_ms']:g} ms")
    if bounds.get("params_above") is not None:
        parts.append(f"at least {bounds['params_above']:,.0f} parameters")
    return ", ".join(parts)


def _cost(run: dict[str, Any]) -> Cost:
    training, cost = run["checkpoint"].get("training", {}), run["cost"]
    return Cost(
        seconds=cost["seconds"],
        images=cost["images"],
        evaluations=cost["evaluations"],
        training_seconds=training.get("seconds"),
        training_images=training.get("images"),
    )


def _refinement(folder: Path, run: dict[str, Any]) -> Refinement:
    rows = read_columns(folder / "hypervolume.csv", ("evaluations", "hypervolume"))
    checkpoint, evaluator = run["checkpoint"], run["evaluator"]
    return Refinement(
        quality=run["quality"],
        evaluator=EvaluatorKey(checkpoint["sha256"], evaluator["recalibration_batches"]),
        checkpoint=checkpoint["file"],
        checkpoint_kind=checkpoint["kind"],
        validation_images=evaluator["validation_images"],
        table_sha256=run["table"]["sha256"],
        box=Box(*(tuple(run["box"][name]) for name in ("quality", "latency_ms", "params"))),
        curve=tuple((evaluations, hypervolume) for evaluations, hypervolume in rows),
        seeded_from=tuple(run["seeded_from"] or ()),
        finished=run["finished"],
    )
