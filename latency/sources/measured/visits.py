"""Visits as they were logged, and whether the device kept its pace beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Key = tuple[int, str]  # round, job


@dataclass(frozen=True)
class Visit:
    """One visit of a job.

    ``slowdown`` is how much longer than its best the reference block took beside it: 0.2 for a fifth.
    """

    round: int
    job: str
    ms: tuple[float, ...]
    runs: int
    slowdown: float


def read_visits(records: Iterable[Mapping[str, Any]], quantile: float) -> list[Visit]:
    """Visits from the lines of a log, each with the slower of the references before and after it.

    A line is {"round", "job", "ms", "runs"}; the reference's has the round None. ``quantile`` of a
    reference's runs is its time.
    """
    records = list(records)
    marks = [
        None if line["round"] is not None else float(np.quantile(line["ms"], quantile)) for line in records
    ]
    known = [mark for mark in marks if mark is not None]
    best = min(known, default=1.0)
    before, after = _last(marks), _last(marks[::-1])[::-1]
    return [
        Visit(
            line["round"],
            line["job"],
            tuple(line["ms"]),
            line["runs"],
            max(before[index] or best, after[index] or best) / best - 1,
        )
        for index, line in enumerate(records)
        if line["round"] is not None
    ]


def disturbed(visits: Iterable[Visit], tolerance: float, repeats: int) -> list[Key]:
    """Rounds and jobs that have no visit within ``tolerance`` and were not yet repeated ``repeats`` times."""
    visits = list(visits)
    counts = Counter((visit.round, visit.job) for visit in visits)
    steady = {(visit.round, visit.job) for visit in visits if visit.slowdown <= tolerance}
    return [key for key, count in counts.items() if key not in steady and count <= repeats]


def _last(marks: list[float | None]) -> list[float | None]:
    """At every place the last mark so far."""
    found: list[float | None] = []
    for mark in marks:
        found.append(mark if mark is not None or not found else found[-1])
    return found
