"""Objectives, bounds and hypervolume of a refinement, by hand."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnas.costs import count
from dnas.refine.problem import Problem, normalised_hypervolume
from dnas.runs.evaluator import Evaluation
from dnas.space import SearchSpace
from latency import load_table


@pytest.fixture
def everything(tiny_space: SearchSpace) -> np.ndarray:
    return np.array(list(itertools.product(*map(range, tiny_space.num_choices))))


@pytest.fixture
def make(tiny_space: SearchSpace, tiny_table_file: Path) -> Any:
    def problem(**options: Any) -> Problem:
        return Problem(load_table(tiny_table_file, tiny_space), count(tiny_space), 10, **options)

    return problem


@pytest.mark.parametrize("quality", ["top1", "loss"])
def test_values_are_quality_latency_and_parameters(make: Any, everything: np.ndarray, quality: str) -> None:
    problem = make(quality=quality)
    evaluations = [Evaluation(0.5, 0.9, 1.5, 10), None, Evaluation(0.25, 0.8, math.nan, 10)]
    values = problem.values(everything[:3], evaluations)
    assert values[0, 0] == (0.5 if quality == "top1" else 1.5) and math.isnan(values[1, 0])
    assert values[:, 1].tolist() == problem.table.latency_ms(everything[:3]).tolist()
    assert values[:, 2].tolist() == problem.costs.params_of(everything[:3]).tolist()
    assert problem.maximize == (quality == "top1", False, True)


def test_the_box_holds_every_architecture(make: Any, everything: np.ndarray) -> None:
    for quality, worst in (("top1", [0.0, 1.0]), ("loss", [math.log(10), 0.0])):
        problem = make(quality=quality)
        latency_ms, params = problem.costs_of(everything)
        box = problem.box()
        assert box["quality"] == worst
        assert box["latency_ms"] == pytest.approx([latency_ms.max(), latency_ms.min()], rel=1e-12)
        assert box["params"] == [params.min(), params.max()]


def test_hypervolume_of_a_corner_and_of_the_middle() -> None:
    box = {"quality": [0.0, 1.0], "latency_ms": [20.0, 10.0], "params": [1e6, 3e6]}
    assert normalised_hypervolume(np.array([[1.0, 10.0, 3e6]]), box) == 1.0
    assert normalised_hypervolume(np.array([[0.5, 15.0, 2e6]]), box) == pytest.approx(0.125)
    assert normalised_hypervolume(np.array([[0.5, 20.0, 3e6]]), box) == 0.0
    assert normalised_hypervolume(np.empty((0, 3)), box) == 0.0
    flat = box | {"params": [1e6, 1e6]}
    assert normalised_hypervolume(np.array([[0.5, 15.0, 1e6]]), flat) == pytest.approx(0.25)


def test_violations_are_relative_excesses(make: Any, everything: np.ndarray) -> None:
    latency_ms, params = make().costs_of(everything)
    below, above = float(np.median(latency_ms)), float(np.median(params))
    found = make(latency_below=below, params_above=above).violations(everything)
    late, small = np.maximum(0, latency_ms / below - 1), np.maximum(0, 1 - params / above)
    np.testing.assert_allclose(found, late + small, atol=1e-12)
    assert ((found == 0) == ((latency_ms <= below) & (params >= above))).all() and (found > 0).any()
    assert not make().violations(everything).any()


def test_a_network_exactly_at_its_bound_keeps_it(make: Any, everything: np.ndarray) -> None:
    latency_ms = make().costs_of(everything)[0]
    for genome, ms in zip(everything, latency_ms, strict=True):
        # Sums in another order may differ in their last bits; that is no violation.
        for bound in (float(ms), float(ms) * (1 - 1e-12)):
            assert make(latency_below=bound).violations(genome[None]).tolist() == [0.0]


def test_a_feasible_genome_is_known_beforehand(make: Any, everything: np.ndarray) -> None:
    assert make().feasible() is None
    latency_ms, params = make().costs_of(everything)
    # The tightest bound on latency that anything with as many parameters keeps.
    large = params >= np.quantile(params, 0.7)
    problem = make(latency_below=float(latency_ms[large].min()), params_above=float(params[large].min()))
    assert problem.violations(problem.feasible()[None]).tolist() == [0.0]


def test_bounds_that_exclude_each_other_are_refused_with_what_is_attainable(make: Any) -> None:
    table = make().table
    with pytest.raises(ValueError, match=r"(?s)latency.*parameters.*attainable"):
        make(latency_below=table.latency_ms(table.cheapest()), params_above=make().box()["params"][1])


def test_an_unknown_quality(make: Any) -> None:
    with pytest.raises(ValueError, match="one of loss, top1, got 'top5'"):
        make(quality="top5")
