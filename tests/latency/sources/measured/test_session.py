"""Rounds, interruptions and repeats, on a backend whose times are written down."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dnas.space import SearchSpace
from latency.sources.measured.backends.base import Backend, Effort
from latency.sources.measured.plan import Plan, make_plan
from latency.sources.measured.session import REFERENCE_EVERY, Settings, measure, missing
from latency.sources.measured.visits import Visit
from latency.sources.measured.work_dir import WorkDir

SETTINGS = Settings(Effort(1, 2, 0.1), rounds=3, statistic="fastest", tolerance=0.1, repeats=2, seed=0)


@pytest.fixture
def plan(tiny: SearchSpace) -> Plan:
    return make_plan(tiny, networks=2, seed=0)


def visits_of(plan: Plan, backend: Backend, tmp_path: Path, settings: Settings = SETTINGS) -> list[Visit]:
    with WorkDir(tmp_path / "work", {}) as work:
        return measure(plan, backend, settings, work, lambda done, total, name: None)


def test_every_job_once_in_every_round_in_changing_order(plan: Plan, scripted: Any, tmp_path: Path) -> None:
    visits = visits_of(plan, scripted, tmp_path)
    keys = Counter((visit.round, visit.job) for visit in visits)
    assert keys == Counter((number, job) for number in range(3) for job in plan.jobs)
    orders = {tuple(visit.job for visit in visits if visit.round == number) for number in range(3)}
    assert len(orders) == 3


def test_the_reference_is_visited_before_between_and_after(plan: Plan, scripted: Any, tmp_path: Path) -> None:
    visits_of(plan, scripted, tmp_path)
    alone = len(plan.jobs) * 3
    assert len(scripted.visited) - alone == -(-alone // REFERENCE_EVERY) + 1
    assert scripted.visited[0] == scripted.visited[-1] == plan.reference


def test_an_interrupted_measurement_resumes_without_loss(plan: Plan, scripted: Any, tmp_path: Path) -> None:
    stop = {"at": 7}

    def pace(visits: int) -> float:
        if visits == stop["at"]:
            raise KeyboardInterrupt
        return 1.0

    scripted.pace = pace
    with pytest.raises(KeyboardInterrupt):
        visits_of(plan, scripted, tmp_path)
    stop["at"] = 20
    with pytest.raises(KeyboardInterrupt):
        visits_of(plan, scripted, tmp_path)
    stop["at"] = -1
    visits = visits_of(plan, scripted, tmp_path)
    keys = [(visit.round, visit.job) for visit in visits]
    assert keys == missing(plan, SETTINGS, [])
    before = len(scripted.visited)
    assert visits_of(plan, scripted, tmp_path) == visits
    assert len(scripted.visited) == before


def test_more_rounds_add_to_what_is_there(plan: Plan, scripted: Any, tmp_path: Path) -> None:
    first = visits_of(plan, scripted, tmp_path)
    more = visits_of(plan, scripted, tmp_path, replace(SETTINGS, rounds=4))
    assert more[: len(first)] == first and len(more) == len(first) + len(plan.jobs)
    assert visits_of(plan, scripted, tmp_path) == first


def test_visits_of_a_slow_spell_are_repeated(plan: Plan, scripted: Any, tmp_path: Path) -> None:
    """While the device is half as fast, from the 10th to the 25th visit, and once it has recovered."""
    scripted.pace = lambda visits: 2.0 if 10 <= visits < 25 else 1.0
    visits = visits_of(plan, scripted, tmp_path)
    slow = {(visit.round, visit.job) for visit in visits if visit.slowdown > 0.1}
    good = {(visit.round, visit.job) for visit in visits if visit.slowdown <= 0.1}
    assert slow and slow <= good
    assert all(visit.ms == (1.0, 1.0) for visit in visits if visit.slowdown <= 0.1)


def test_repeating_ends(plan: Plan, scripted: Any, tmp_path: Path) -> None:
    """A device that never regains its first pace."""
    scripted.pace = lambda visits: 1.0 if visits < 5 else 2.0
    counts = Counter((visit.round, visit.job) for visit in visits_of(plan, scripted, tmp_path))
    assert max(counts.values()) == 1 + SETTINGS.repeats
