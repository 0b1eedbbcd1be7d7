"""What a refinement writes: the front, everything evaluated, and the course of the hypervolume."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dnas.refine.course import Course
from dnas.refine.problem import Problem
from dnas.refine.seeds import FRONT_FORMAT
from dnas.search.evolution.algorithm import FloatArray, IntArray
from dnas.search.evolution.pareto import costs_of, crowding, ranks
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from dnas.support.files import write_text
from dnas.support.sealed_json import seal

COLUMNS = (
    "generation",
    "top1",
    "top5",
    "loss",
    "latency_ms",
    "latency_low_ms",
    "latency_high_ms",
    "params",
    "madds",
    "rank",
    "crowding",
)


def front_rows(course: Course, problem: Problem, weights: Sequence[float] | None) -> list[dict[str, Any]]:
    """The front, best quality first: an architecture and `COLUMNS`; rank 0, crowding within the front."""
    members = list(map(tuple, course.front().tolist()))
    places = {genome: index for index, genome in enumerate(course.found)}
    index = np.array([places[genome] for genome in members], dtype=np.int64)
    values = course.values()[index]
    rank = np.zeros(len(members), dtype=np.int64)
    return _rows(course, problem, index, rank, _crowding(values, problem, rank, weights))


def evaluated_rows(course: Course, problem: Problem, weights: Sequence[float] | None) -> list[dict[str, Any]]:
    """Everything evaluated, in that order, with ranks among all of it."""
    values = course.values()
    rank = ranks(costs_of(values, problem.maximize))
    index = np.arange(len(values))
    return _rows(course, problem, index, rank, _crowding(values, problem, rank, weights))


def write_front(folder: Path, rows: Sequence[dict[str, Any]], problem: Problem) -> None:
    """``front.json`` and ``front.csv``; an infinite crowding (an end of the front) is null in JSON."""
    content = {
        "format": FRONT_FORMAT,
        **_described(problem.table.space),
        "quality": problem.quality,
        "members": [_member(row) for row in rows],
    }
    write_text(folder / "front.json", json.dumps(seal(content), indent=1, allow_nan=False) + "\n")
    write_rows(folder / "front.csv", rows)


def write_rows(path: Path, rows: Iterable[dict[str, Any]], more: Sequence[str] = ()) -> None:
    """A CSV file of rows with ``more`` columns than others have, the architecture in its text form."""
    _write_csv(path, [*COLUMNS, *more, "architecture"], rows)


def write_course(path: Path, course: Course) -> None:
    """``hypervolume.csv``: generation, evaluations, hypervolume."""
    _write_csv(path, ["generation", "evaluations", "hypervolume"], [step._asdict() for step in course.steps])


def write_reports(path: Path, course: Course) -> None:
    """``predictor.csv``: of each generation that was chosen by predictions, how well they rank."""
    rows = [{"generation": number, **report._asdict()} for number, report in course.reports.items()]
    _write_csv(path, list(rows[0]), rows)


def _crowding(
    values: FloatArray, problem: Problem, rank: IntArray, weights: Sequence[float] | None
) -> FloatArray:
    return crowding(costs_of(values, problem.maximize), rank, weights)


def _rows(
    course: Course, problem: Problem, index: IntArray, rank: IntArray, crowd: FloatArray
) -> list[dict[str, Any]]:
    genomes, table = course.genomes()[index], problem.table
    latency_ms, params = problem.costs_of(genomes)
    low, high = table.latency_interval(genomes)
    madds = problem.costs.madds_of(genomes)
    generations = list(course.found.values())
    rows = []
    for row, place in enumerate(index.tolist()):
        evaluation = course.records[place].evaluation
        rows.append(
            {
                "generation": generations[place],
                "top1": evaluation.top1,
                "top5": evaluation.top5,
                "loss": evaluation.loss,
                "latency_ms": float(latency_ms[row]),
                "latency_low_ms": float(low[row]),
                "latency_high_ms": float(high[row]),
                "params": int(params[row]),
                "madds": int(madds[row]),
                "rank": int(rank[row]),
                "crowding": float(crowd[row]),
                "images": evaluation.images,
                "architecture": Architecture(table.space, tuple(genomes[row])),
            }
        )
    return rows


def _member(row: dict[str, Any]) -> dict[str, Any]:
    numbers = {name: _finite(row[name]) for name in COLUMNS}
    return {"choices": list(row["architecture"].names), **numbers}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _described(space: SearchSpace) -> dict[str, Any]:
    """The space as architecture files have it."""
    some = Architecture(space, (0,) * len(space)).to_dict()
    return {name: some[name] for name in ("space", "space_sha256")}


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, stream.getvalue())
