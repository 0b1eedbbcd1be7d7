"""Costing, fronts, normalised hypervolumes, and the front that follows from alpha."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from dnas.compare.fronts import front, make_box, make_points, sweep, volume
from dnas.compare.model import Box, Point
from dnas.compare.source import Found
from dnas.costs import Costs, count
from dnas.runs.evaluator import Evaluation
from dnas.search.gradient.masks import probabilities
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency import LatencyTable, load_table
from latency.sources.calibrated.calibrated_table import build_calibrated
from latency.sources.calibrated.model import CalibratedModel

MakePoint = Callable[..., Point]
BOX = Box((0.0, 1.0), (10.0, 0.0), (0.0, 1000.0))


def test_points_are_costed_by_the_table(
    tiny_space: SearchSpace, tiny_table: LatencyTable, tiny_costs: Costs
) -> None:
    slow, fast = tiny_table.dearest(), tiny_table.cheapest()
    broken = Architecture(tiny_space, (1, 1, 1))
    found = [Found(fast, name="first"), Found(broken), Found(fast, name="again"), Found(slow, None, 7)]
    evaluations = {
        slow: Evaluation(0.5, 0.9, 1.0, 180),
        fast: Evaluation(0.25, 0.5, 2.0, 180),
        broken: Evaluation(0.1, 0.5, math.nan, 180),
    }
    first, second = make_points(found, evaluations, tiny_table, tiny_costs)
    assert (first.choices, first.name, first.generation) == (fast.names, "first", None)
    assert (second.choices, second.generation, second.name) == (slow.names, 7, "")
    assert (second.top1, second.top5, second.loss) == (0.5, 0.9, 1.0)
    assert second.latency_ms == tiny_table.latency_ms(slow)
    assert (second.latency_low_ms, second.latency_high_ms) == tiny_table.latency_interval(slow)
    assert (second.params, second.madds) == (tiny_costs.params_of(slow), tiny_costs.madds_of(slow))


def test_names_of_a_network_are_one_point(skips_space: SearchSpace, tmp_path: Path) -> None:
    path = build_calibrated(CalibratedModel.load("adreno630_mace"), skips_space, tmp_path / "skips.csv")
    names = [Architecture(skips_space, indices) for indices in ((0, 1, 0, 2), (0, 0, 1, 2), (1, 0, 0, 2))]
    found = [Found(each, name=f"name {index}") for index, each in enumerate(names)]
    evaluations = {names[2]: Evaluation(0.5, 0.9, 1.0, 180)}
    (point,) = make_points(found, evaluations, load_table(str(path), skips_space), count(skips_space))
    assert point.choices == names[2].names and point.name == "name 0"


def test_front_of_three_objectives(make_point: MakePoint) -> None:
    points = [
        make_point(1, 0.5, 100),
        make_point(2, 0.5, 100),  # slower than the first, nothing better
        make_point(2, 0.5, 200),  # slower, with more parameters
        make_point(3, 0.4, 150),  # worse than the third in all
        make_point(3, 0.9, 50),
    ]
    assert front(points, "top1") == (points[0], points[2], points[4])
    assert front([], "top1") == ()


def test_front_by_loss(make_point: MakePoint) -> None:
    better, worse = make_point(1, 0.1, loss=0.5), make_point(1, 0.9, loss=0.6)
    assert front([worse, better], "loss") == (better,)
    assert front([worse, better], "top1") == (worse,)


def test_equal_points_are_all_kept(make_point: MakePoint) -> None:
    twins = [make_point(1, 0.5), make_point(1, 0.5, choices=("E2K5", "E1K3", "E1K3"))]
    assert front(twins, "top1") == tuple(twins)


def test_volume_by_hand(make_point: MakePoint) -> None:
    """Shares of the box: (0.5, 0.8, 0.1) and (0.9, 0.5, 0.1), so the union in the plane is 0.4 + 0.2."""
    points = [make_point(2, 0.5, 100), make_point(5, 0.9, 100)]
    assert volume(points, "top1", BOX, plane=True) == pytest.approx(0.5 * 0.8 + 0.4 * 0.5)
    assert volume(points, "top1", BOX) == pytest.approx((0.5 * 0.8 + 0.4 * 0.5) * 0.1)


def test_volume_of_losses_counts_down_to_zero(make_point: MakePoint) -> None:
    box = Box((2.0, 0.0), BOX.latency_ms, BOX.params)
    point = make_point(5, 0.0, 500, loss=0.5)
    assert volume([point], "loss", box) == pytest.approx(0.75 * 0.5 * 0.5)
    assert volume([make_point(5, 0.9, 500, loss=2.5)], "loss", box) == 0.0, "worse than guessing"


def test_volume_of_nothing_and_of_everything(make_point: MakePoint) -> None:
    assert volume([], "top1", BOX) == volume([], "top1", BOX, plane=True) == 0.0
    assert volume([make_point(0, 1.0, 1000)], "top1", BOX) == 1.0


def test_an_objective_that_nothing_changes(make_point: MakePoint) -> None:
    box = Box((0.0, 1.0), (3.0, 3.0), (100.0, 100.0))
    assert volume([make_point(3, 0.6, 100)], "top1", box) == pytest.approx(0.6)


def test_box_holds_every_architecture(
    tiny_space: SearchSpace, tiny_table: LatencyTable, tiny_costs: Costs
) -> None:
    genomes = [(a, b, c) for a in range(4) for b in range(3) for c in range(4)]
    every = [Architecture(tiny_space, genome) for genome in genomes]
    box = make_box(tiny_table, tiny_costs, math.log(10))
    params = [tiny_costs.params_of(each) for each in every]
    latencies = [tiny_table.latency_ms(each) for each in every]
    assert box.params == (min(params), max(params))
    assert box.latency_ms == (max(latencies), min(latencies))
    assert box.quality == (math.log(10), 0.0)
    assert make_box(tiny_table, tiny_costs, None).quality == (0.0, 1.0)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("limits", [1, 2, 9])
def test_most_probable_on_either_side(
    seed: int, limits: int, tiny_space: SearchSpace, tiny_table: LatencyTable
) -> None:
    alpha = torch.randn(3, 4, generator=torch.Generator().manual_seed(seed))
    likely = probabilities(alpha.double(), torch.from_numpy(tiny_space.valid)).numpy()
    every = [
        Architecture(tiny_space, each) for each in itertools.product(*map(range, tiny_space.num_choices))
    ]
    rank = {each: likely[np.arange(3), each.indices].prod() for each in every}
    ms = {each: tiny_table.latency_ms(each) for each in every}
    best = max(every, key=lambda each: rank[each])
    expected = [best]
    for limit in np.linspace(min(ms.values()), max(ms.values()), limits):
        if limit < ms[best]:
            allowed = [each for each in every if ms[each] <= limit + 1e-9]
        else:
            allowed = [each for each in every if ms[each] >= limit - 1e-9]
        expected.append(max(allowed, key=lambda each: rank[each]))
    found = sweep(tiny_space, alpha, tiny_table, limits)
    assert [each.architecture for each in found] == list(dict.fromkeys(expected))
    assert all(each.evaluation is None for each in found)


def test_names_tell_the_bound(tiny_space: SearchSpace, tiny_table: LatencyTable) -> None:
    fast, slow = tiny_table.cheapest(), tiny_table.dearest()
    alpha = torch.full((3, 4), -5.0)
    alpha[torch.arange(3), torch.tensor([1, 1, 1])] = 5.0
    names = {each.architecture: each.name for each in sweep(tiny_space, alpha, tiny_table, 2)}
    assert names == {
        Architecture(tiny_space, (1, 1, 1)): "argmax",
        fast: f"at most {tiny_table.latency_ms(fast):.4g} ms",
        slow: f"at least {tiny_table.latency_ms(slow):.4g} ms",
    }


def test_the_first_of_several_names_stays(tiny_space: SearchSpace, tiny_table: LatencyTable) -> None:
    """The lowest limit gives the argmax again, the highest two the same network."""
    fast, slow = tiny_table.cheapest(), tiny_table.dearest()
    alpha = torch.full((3, 4), -5.0)
    alpha[torch.arange(3), torch.tensor(fast.indices)] = 5.0
    alpha[0, slow.indices[0]] = -50.0
    first, *others = sweep(tiny_space, alpha, tiny_table, 12)
    assert (first.architecture, first.name) == (fast, "argmax")
    limits = np.linspace(tiny_table.latency_ms(fast), tiny_table.latency_ms(slow), 12)
    for each in others:
        lower = limits[limits <= tiny_table.latency_ms(each.architecture) + 1e-9]
        assert float(each.name.split()[2]) <= lower[-1]
