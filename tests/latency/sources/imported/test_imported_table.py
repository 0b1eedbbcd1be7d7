"""From readings to entries, by hand-computed numbers."""

from __future__ import annotations

import math
from typing import Any

import pytest

from dnas.space import SearchSpace
from latency.sources.imported.imported_table import Terms, build
from latency.sources.imported.reading import Reading
from latency.sources.imported.resolve import resolve

MS = {
    "L1_small": 1.0,
    "L1_large": 2.0,
    "L2_small": 3.0,
    "L2_large": 4.0,
    "stem": 0.5,
    "head": 0.25,
    "overhead": 0.125,
}


def made(tiny: SearchSpace, ms: dict[str, float] | None = None, extra: Any = None, **terms: Any) -> Any:
    readings = [
        Reading(key, value, "x", 1, **(extra or {})) for key, value in (MS if ms is None else ms).items()
    ]
    options = {"whole_inferences": False, "kind": "measured", "relative_error": 0.05, **terms}
    return build(tiny, resolve(readings, tiny), Terms(**options))


def test_net_readings_are_the_entries(tiny: SearchSpace) -> None:
    built = made(tiny)
    assert built.problems == ()
    assert [(entry.layer, entry.choice, entry.ms) for entry in built.entries] == [
        ("L1", "small", 1.0),
        ("L1", "large", 2.0),
        ("L1", "skip", 0.0),
        ("L2", "small", 3.0),
        ("L2", "large", 4.0),
    ]
    assert [built.fixed[f"{part}_ms"] for part in ("stem", "head", "overhead")] == [0.5, 0.25, 0.125]
    assert built.fixed["stem"] == ["conv 3x3/2 3>4 at 8, relu"]


def test_the_overhead_is_taken_off_whole_inferences(tiny: SearchSpace) -> None:
    built = made(tiny, whole_inferences=True)
    assert [entry.ms for entry in built.entries] == [0.875, 1.875, 0.0, 2.875, 3.875]
    assert [built.fixed[f"{part}_ms"] for part in ("stem", "head", "overhead")] == [0.375, 0.125, 0.125]


def test_the_standard_error_of_a_difference(tiny: SearchSpace) -> None:
    built = made(tiny, extra={"n": 100, "std": 0.5, "p90": 9.0}, whole_inferences=True)
    small = built.entries[0]
    assert small.relative_error == pytest.approx(math.sqrt(0.05**2 + 0.05**2) / 0.875, rel=1e-5)
    assert (small.n, small.std, small.p90) == (100, 0.5, 8.875)
    assert built.error["statement"].startswith("per entry the standard error of the mean")
    net = made(tiny, extra={"n": 100, "std": 0.5}).entries[0]
    assert net.relative_error == pytest.approx(0.05)
    assert built.entries[2].relative_error == 0  # nothing runs


@pytest.mark.parametrize(
    ("extra", "lack"),
    [
        ({"n": 1, "std": 0.5}, "a single run"),
        ({"n": 9}, "no standard deviation"),
        ({"n": 9, "std": 0.0}, "a standard deviation of 0, which is rounded"),
        ({"std": 0.5}, "no number of runs"),
        ({}, "no number of runs and standard deviation"),
    ],
)
def test_an_unknown_error_is_asked_for(tiny: SearchSpace, extra: dict[str, Any], lack: str) -> None:
    """Naming what is missing, and nothing that is there."""
    (problem,) = made(tiny, extra=extra, relative_error=None).problems
    assert problem.startswith(f"4 reading(s) state {lack} (L1_small (x:1), ")
    assert "--relative-error" in problem
    (problem,) = made(tiny, extra=extra, relative_error=5).problems
    assert problem == "--relative-error 5 is no fraction below 1 (0.05 are 5 %)"
    built = made(tiny, extra=extra, relative_error=0.05)
    assert built.entries[0].relative_error == 0.05
    assert "5.00% per entry is what the importer of the table stated" in built.error["statement"]


def test_missing_parts_are_asked_for_and_never_assumed(tiny: SearchSpace) -> None:
    blocks = {key: ms for key, ms in MS.items() if key.startswith("L")}
    problems = made(tiny, blocks).problems
    assert [problem.split(" ")[0] for problem in problems] == ["overhead", "stem", "head"]
    assert "conv 3x3/2 3>4 at 8, relu): no reading of it; give one, or --stem-ms" in problems[1]
    built = made(tiny, blocks, fixed_ms={"stem": 0.1, "head": 0.2, "overhead": 0.0})
    assert built.problems == ()
    assert [built.fixed[f"{part}_ms"] for part in ("stem", "head", "overhead")] == [0.1, 0.2, 0.0]


def test_parts_given_as_options_hold_no_overhead(tiny: SearchSpace) -> None:
    blocks = {key: ms for key, ms in MS.items() if key.startswith("L") or key == "head"}
    built = made(tiny, blocks, whole_inferences=True, fixed_ms={"stem": 0.1, "head": None, "overhead": 0.2})
    assert [built.fixed[f"{part}_ms"] for part in ("stem", "head", "overhead")] == [0.1, 0.05, 0.2]


def test_a_part_given_twice(tiny: SearchSpace) -> None:
    assert made(tiny, fixed_ms={"stem": 0.1}).problems == (
        "stem is given twice: as --stem-ms and by stem (x:1)",
    )


def test_a_block_no_slower_than_the_overhead(tiny: SearchSpace) -> None:
    built = made(tiny, {**MS, "L1_small": 0.125, "head": 0.125}, whole_inferences=True)
    assert built.problems == (
        "head takes no longer than the overhead, 0.125 ms: head (x:1)",
        "1 reading(s) take no longer than the overhead, 0.125 ms: L1_small (x:1)",
    )
    assert made(tiny, {**MS, "L1_small": 0.0}).problems == (
        "1 reading(s) take no longer than 0 ms: L1_small (x:1)",
    )


def test_the_processor_must_be_the_one_asked_for(tiny: SearchSpace) -> None:
    assert "7 reading(s) ran on the CPU; give --cpu" in made(tiny, extra={"cpu": True}).problems[0]
    assert (
        "7 reading(s) ran on an accelerator, though --cpu"
        in made(tiny, extra={"cpu": False}, cpu=True).problems[0]
    )
    assert made(tiny, extra={"cpu": True}, cpu=True).problems == ()
    assert made(tiny, extra={"cpu": False}).problems == ()
