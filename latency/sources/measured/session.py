"""Timing the jobs of a plan in several rounds of random order, with what was timed before left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import numpy as np

from latency.sources.measured.backends.base import Backend, Effort
from latency.sources.measured.plan import Plan
from latency.sources.measured.visits import STATISTICS, Key, Visit, disturbed, read_visits
from latency.sources.measured.work_dir import WorkDir

REFERENCE_EVERY = 8  # visits


@dataclass(frozen=True)
class Settings:
    """How a measurement is done.

    ``tolerance`` is the slowdown of the reference block beyond which a visit is done again, at most
    ``repeats`` times; ``statistic`` names one of :data:`latency.sources.measured.visits.STATISTICS`.
    """

    effort: Effort
    rounds: int
    statistic: str
    tolerance: float
    repeats: int
    seed: int


Progress = Callable[[int, int, str], None]


def measure(
    plan: Plan, backend: Backend, settings: Settings, work: WorkDir, progress: Progress
) -> list[Visit]:
    """Visit every job in every round, then again what was disturbed; returns all visits, older ones too.

    ``progress(done, total, name)`` is called before every visit.
    """
    quantile = STATISTICS[settings.statistic].quantile
    session = _Session(plan, backend, settings.effort, work, progress)
    visits = read_visits(work.records(), quantile)
    session.run(missing(plan, settings, visits))
    visits = read_visits(work.records(), quantile)
    for _ in range(settings.repeats):
        session.run(disturbed(_of_plan(visits, plan, settings), settings.tolerance, settings.repeats))
        visits = read_visits(work.records(), quantile)
    return _of_plan(visits, plan, settings)


def missing(plan: Plan, settings: Settings, visits: list[Visit]) -> list[Key]:
    """What is still to be visited, round after round, each round in a random order of its own."""
    done = {(visit.round, visit.job) for visit in visits}
    todo = []
    for number in range(settings.rounds):
        generator = np.random.default_rng([settings.seed, number])
        names = [str(name) for name in generator.permutation(list(plan.jobs))]
        todo += [(number, name) for name in names if (number, name) not in done]
    return todo


def _of_plan(visits: list[Visit], plan: Plan, settings: Settings) -> list[Visit]:
    """Without what an earlier run with more networks or rounds has visited."""
    return [visit for visit in visits if visit.job in plan.jobs and visit.round < settings.rounds]


@dataclass(frozen=True)
class _Session:
    plan: Plan
    backend: Backend
    effort: Effort
    work: WorkDir
    progress: Progress

    def run(self, todo: list[Key]) -> None:
        """Visits in the order of ``todo``, with the reference before, between and after."""
        done, keys = 0, iter(todo)
        while batch := [*islice(keys, REFERENCE_EVERY)]:
            self._visit(None, self.plan.reference)
            for number, name in batch:
                self.progress(done, len(todo), name)
                self._visit(number, name)
                done += 1
        if todo:
            self._visit(None, self.plan.reference)

    def _visit(self, number: int | None, name: str) -> None:
        # Built anew for every visit: where its memory lies is part of the chance that rounds even out.
        job = self.plan.jobs[name]
        runnable = self.backend.prepare(name, job.build, job.shape)
        times = self.backend.visit(runnable, self.effort)
        ms = [round(value, 6) for value in times.ms]
        self.work.append({"round": number, "job": name, "ms": ms, "runs": times.runs})
