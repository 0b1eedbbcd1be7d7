"""Pace of the device beside each visit."""

from __future__ import annotations

from typing import Any

from latency.sources.measured.visits import disturbed, read_visits


def line(number: int | None, job: str, *ms: float) -> dict[str, Any]:
    return {"round": number, "job": job, "ms": ms, "runs": len(ms)}


def reference(*ms: float) -> dict[str, Any]:
    return line(None, "ref", *ms)


LOG = [
    reference(2.0, 2.0, 9.0),
    line(0, "a", 1.0, 3.0),
    line(0, "b", 5.0),
    reference(2.5),
    line(1, "a", 1.0),
    reference(2.0),
    line(1, "b", 1.0),
]


def test_a_visit_has_the_slower_of_the_references_around_it() -> None:
    visits = read_visits(LOG, quantile=0.5)
    assert [(visit.round, visit.job, visit.slowdown) for visit in visits] == [
        (0, "a", 0.25),
        (0, "b", 0.25),
        (1, "a", 0.25),
        (1, "b", 0.0),
    ]
    assert visits[0].ms == (1.0, 3.0) and visits[0].runs == 2


def test_disturbed_visits_are_named_until_they_were_repeated() -> None:
    visits = read_visits(LOG, quantile=0.5)
    assert disturbed(visits, tolerance=0.1, repeats=2) == [(0, "a"), (0, "b"), (1, "a")]
    assert disturbed(visits, tolerance=0.3, repeats=2) == []
    assert disturbed(visits, tolerance=0.1, repeats=0) == []
    again = read_visits([*LOG, reference(2.0), line(0, "a", 1.0), reference(2.0)], quantile=0.5)
    assert disturbed(again, tolerance=0.1, repeats=1) == [(0, "b"), (1, "a")]
    worse = read_visits([*LOG, reference(2.0), line(0, "a", 1.0), reference(4.0)], quantile=0.5)
    assert disturbed(worse, tolerance=0.1, repeats=1) == [(0, "b"), (1, "a")]
    assert disturbed(worse, tolerance=0.1, repeats=2) == [(0, "a"), (0, "b"), (1, "a")]


def test_without_references_nothing_is_called_slow() -> None:
    assert read_visits([line(0, "a", 1.0)], quantile=0.5)[0].slowdown == 0.0
    assert read_visits([], quantile=0.5) == []
