"""Visits of graphs: as they were logged, whether the device kept its pace, and milliseconds made of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
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


def is_visit(record: Mapping[str, Any]) -> bool:
    """Whether a line of a log is one that `read_visits` takes."""
    index, job, ms, runs = (record.get(name) for name in ("round", "job", "ms", "runs"))
    numbers = isinstance(ms, list) and all(isinstance(each, int | float) and each >= 0 for each in ms)
    return (
        bool(numbers and ms)
        and isinstance(index, int | None)
        and isinstance(job, str)
        and isinstance(runs, int)
    )


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


@dataclass(frozen=True)
class Statistic:
    """A quantile of the runs of each visit, and what is taken of the visits; ``text`` says both in words."""

    quantile: float
    across: Callable[[Sequence[float]], float]
    text: str

    def of(self, visits: Iterable[Visit]) -> float:
        """Milliseconds of several visits of one graph."""
        return float(self.across([float(np.quantile(visit.ms, self.quantile)) for visit in visits]))


# Other work on the device only ever adds time: where there is some, the least disturbed visit tells most.
STATISTICS = {
    "fastest": Statistic(0.1, min, "fastest of {rounds} rounds, each the lower decile of its runs"),
    "median": Statistic(0.5, lambda values: float(np.median(values)), "median of {rounds} rounds' medians"),
}


@dataclass(frozen=True)
class Estimate:
    """What was found about one graph.

    ``ms`` by the statistic, ``std`` and ``p90`` over all runs in ms, ``n`` runs, and ``repeat``, the half
    difference between what the even and the odd rounds say, in ms. ``steady`` is whether any visit lay within
    the tolerance.
    """

    ms: float
    std: float
    p90: float
    n: int
    repeat: float
    steady: bool

    def minus(self, before: Estimate) -> Estimate:
        """This graph without the part that ``before`` is of it, whose time counts as a constant."""
        return Estimate(
            self.ms - before.ms,
            self.std,
            self.p90 - before.ms,
            self.n,
            math.hypot(self.repeat, before.repeat),
            self.steady and before.steady,
        )


def estimate_all(visits: Iterable[Visit], statistic: Statistic, tolerance: float) -> dict[str, Estimate]:
    """An estimate for every job that was visited.

    A single graph's difference between rounds may be small by chance, so none counts as less than the root
    mean square of all relative differences.
    """
    by_job: dict[str, list[Visit]] = {}
    for visit in visits:
        by_job.setdefault(visit.job, []).append(visit)
    found = {job: _estimate(some, statistic, tolerance) for job, some in by_job.items()}
    common = _root_mean_square([estimate.repeat / estimate.ms for estimate in found.values()])
    return {job: _at_least(estimate, common * estimate.ms) for job, estimate in found.items()}


def median_repeat(estimates: Mapping[str, Estimate]) -> float:
    """How well a graph's time repeats: the median relative difference."""
    return float(np.median([estimate.repeat / estimate.ms for estimate in estimates.values()]))


def _estimate(visits: list[Visit], statistic: Statistic, tolerance: float) -> Estimate:
    steady = [visit for visit in visits if visit.slowdown <= tolerance]
    used = steady or visits
    runs = np.concatenate([visit.ms for visit in used])
    halves = [[visit for visit in used if visit.round % 2 == half] for half in (0, 1)]
    values = [statistic.of(half) for half in halves if half]
    return Estimate(
        ms=statistic.of(used),
        std=float(runs.std()),
        p90=float(np.quantile(runs, 0.9)),
        n=sum(visit.runs for visit in used),
        repeat=(max(values) - min(values)) / 2,
        steady=bool(steady),
    )


def _at_least(estimate: Estimate, repeat: float) -> Estimate:
    return Estimate(**{**vars(estimate), "repeat": max(estimate.repeat, repeat)})


def _root_mean_square(values: Sequence[float]) -> float:
    return math.sqrt(sum(value**2 for value in values) / len(values))
