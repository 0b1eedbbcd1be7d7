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
from dnas.refine.devices import AnyProblem, DevicesProblem
from dnas.refine.seeds import FRONT_FORMAT
from dnas.search.evolution.algorithm import FloatArray, IntArray
from dnas.search.evolution.pareto import costs_of, crowding, ranks
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from dnas.support.files import write_text
from dnas.support.sealed_json import seal

LATENCIES = ("latency_ms", "latency_low_ms", "latency_high_ms")
# Of several devices every latency is an object by device in JSON, and a column for each of them in CSV.
COLUMNS = (
    "generation",
    "top1",
    "top5",
    "loss",
    *LATENCIES,
    "params",
    "madds",
    "rank",
    "crowding",
)


def front_rows(
    course: Course, problem: AnyProblem, weights: Sequence[float] | None, device: str | None = None
) -> list[dict[str, Any]]:
    """The front, best quality first: an architecture and `COLUMNS`; rank 0, crowding within the front.

    Args:
        device: of several, the one that the problem is of.
    """
    members = list(map(tuple, course.front(device).tolist()))
    places = {genome: index for index, genome in enumerate(course.found)}
    index = np.array([places[genome] for genome in members], dtype=np.int64)
    values = _values(course, problem)[index]
    rank = np.zeros(len(members), dtype=np.int64)
    return _rows(course, problem, index, rank, _crowding(values, problem, rank, weights))


def evaluated_rows(
    course: Course, problem: AnyProblem, weights: Sequence[float] | None
) -> list[dict[str, Any]]:
    """Everything evaluated, in that order, with ranks among all of it."""
    values = _values(course, problem)
    rank = ranks(costs_of(values, problem.maximize))
    index = np.arange(len(values))
    return _rows(course, problem, index, rank, _crowding(values, problem, rank, weights))


def write_front(folder: Path, rows: Sequence[dict[str, Any]], problem: AnyProblem) -> None:
    """``front.json`` and ``front.csv``; an infinite crowding (an end of the front) is null in JSON."""
    content = {
        "format": FRONT_FORMAT,
        **_described(problem.space),
        "quality": problem.quality,
        "members": [_member(row) for row in rows],
    }
    write_text(folder / "front.json", json.dumps(seal(content), indent=1, allow_nan=False) + "\n")
    write_rows(folder / "front.csv", rows, problem)


def write_rows(
    path: Path, rows: Iterable[dict[str, Any]], problem: AnyProblem, more: Sequence[str] = ()
) -> None:
    """A CSV file of rows with ``more`` columns than others have, the architecture in its text form."""
    columns = [*COLUMNS, *more, "architecture"]
    if problem.devices:
        first = columns.index(LATENCIES[0])
        own = [f"{name}_{device}" for device in problem.devices for name in LATENCIES]
        columns[first : first + len(LATENCIES)] = own
        rows = map(_by_column, rows)
    _write_csv(path, columns, rows)


def write_course(path: Path, course: Course, devices: Iterable[str] = (), only: int | None = None) -> None:
    """``hypervolume.csv``: generation, evaluations, hypervolume; of several devices ``hypervolume_DEVICE``.

    Args:
        only: of several devices the one, by its number, whose hypervolume is meant.
    """
    columns = ["generation", "evaluations", "hypervolume"]
    own = [f"hypervolume_{device}" for device in devices]
    rows = [
        {**step._asdict(), **dict(zip(own, step.by_device, strict=False))}
        | ({} if only is None else {"hypervolume": step.by_device[only]})
        for step in course.steps
    ]
    _write_csv(path, [*columns, *own], rows)


def write_reports(path: Path, course: Course) -> None:
    """``predictor.csv``: of each generation that was chosen by predictions, how well they rank."""
    rows = [{"generation": number, **report._asdict()} for number, report in course.reports.items()]
    _write_csv(path, list(rows[0]), rows)


def _values(course: Course, problem: AnyProblem) -> FloatArray:
    """(n, M) objectives of everything evaluated."""
    return problem.values(course.genomes(), [record.evaluation for record in course.records])


def _crowding(
    values: FloatArray, problem: AnyProblem, rank: IntArray, weights: Sequence[float] | None
) -> FloatArray:
    return crowding(costs_of(values, problem.maximize), rank, problem.weights(weights))


def _rows(
    course: Course, problem: AnyProblem, index: IntArray, rank: IntArray, crowd: FloatArray
) -> list[dict[str, Any]]:
    genomes = course.genomes()[index]
    params, latencies = problem.costs.params_of(genomes), _latencies(problem, genomes)
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
                **latencies[row],
                "params": int(params[row]),
                "madds": int(madds[row]),
                "rank": int(rank[row]),
                "crowding": float(crowd[row]),
                "images": evaluation.images,
                "architecture": Architecture(problem.space, tuple(genomes[row])),
            }
        )
    return rows


def _latencies(problem: AnyProblem, genomes: IntArray) -> list[dict[str, Any]]:
    """By genome, `LATENCIES`: numbers, or of several devices numbers by device."""
    if isinstance(problem, DevicesProblem):
        found = {device: _latencies(one, genomes) for device, one in problem.devices.items()}
        return [
            {name: {device: rows[row][name] for device, rows in found.items()} for name in LATENCIES}
            for row in range(len(genomes))
        ]
    numbers = problem.table.latency_ms(genomes), *problem.table.latency_interval(genomes)
    return [
        dict(zip(LATENCIES, each, strict=True)) for each in zip(*(of.tolist() for of in numbers), strict=True)
    ]


def _by_column(row: dict[str, Any]) -> dict[str, Any]:
    """With a column for each device and number of latency."""
    own = {f"{name}_{device}": ms for name in LATENCIES for device, ms in row[name].items()}
    return row | own


def _member(row: dict[str, Any]) -> dict[str, Any]:
    numbers = {name: row[name] if name in LATENCIES else _finite(row[name]) for name in COLUMNS}
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
