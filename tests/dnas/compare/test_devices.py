"""What specialising for a device is worth, on networks whose matrix can be computed by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from dnas.compare.devices import View, compare_devices, make_levels
from dnas.compare.files import RunError
from dnas.compare.fronts import make_box
from dnas.compare.judging import Terms
from dnas.compare.model import Devices, Quality, Transfer
from dnas.compare.source import EvaluatorKey
from dnas.costs import Costs
from dnas.runs.evaluator import Evaluation
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency import LatencyTable

MakeTable = Callable[..., LatencyTable]
Compare = Callable[..., Devices]
# Milliseconds of the first layer's choices; the others take none. Qualities rise with the choice.
A, B, C = (1, 2, 3, 4), (4, 2, 1, 3), (2.7, 5.4, 8.1, 10.8)
TOP1 = (0.5, 0.6, 0.7, 0.8)


@pytest.fixture
def make_table(tiny_table: LatencyTable, tiny_space: SearchSpace) -> MakeTable:
    """A table of the first layer's milliseconds, whose entries err by so much."""

    def make(name: str, first: Sequence[float], error: float = 0.0, others: float = 0.0) -> LatencyTable:
        ms = np.where(tiny_space.valid, others, 0.0)
        ms[0] = first
        return replace(
            tiny_table,
            name=name,
            sha256=name.ljust(64, "0"),
            ms=ms,
            relative_error=np.full_like(ms, error),
            provenance=tiny_table.provenance | {"error": {"statement": "as stated"}},
            stem_ms=0.0,
            head_ms=0.0,
            overhead_ms=0.0,
        )

    return make


@pytest.fixture
def of_first(tiny_space: SearchSpace) -> Callable[[int], Architecture]:
    """The network that has the given choice in the first layer, and the first choice in the others."""
    return lambda choice: Architecture(tiny_space, (choice, 0, 0))


@pytest.fixture
def compare(of_first: Callable[[int], Architecture], tiny_costs: Costs) -> Compare:
    """Compares devices over networks of the first layer, of the given qualities."""

    def call(
        tables: Mapping[str, LatencyTable], values: Sequence[float] = TOP1, quality: Quality = "top1"
    ) -> Devices:
        def evaluation(value: float) -> Evaluation:
            return Evaluation(value, 1.0, 1.0, 9) if quality == "top1" else Evaluation(0.5, 1.0, value, 9)

        known = {of_first(index): evaluation(value) for index, value in enumerate(values)}
        first = next(iter(tables.values()))
        box = make_box(first, tiny_costs, None if quality == "top1" else 2.0)
        terms = Terms(first, tiny_costs, quality, box, EvaluatorKey("c" * 64, 8))
        return compare_devices(tables, known, terms)

    return call


def cell(devices: Devices, chosen_for: str, runs_on: str) -> Transfer:
    (found,) = [
        each for each in devices.transfers if (each.chosen_for, each.runs_on) == (chosen_for, runs_on)
    ]
    return found


def first_choices(points: Sequence[object], space: SearchSpace) -> list[int]:
    return [space.decisions[0].names.index(point.choices[0]) for point in points]  # type: ignore[attr-defined]


def test_the_matrix_by_hand(make_table: MakeTable, compare: Compare, tiny_space: SearchSpace) -> None:
    found = compare({"a": make_table("A", A), "b": make_table("B", B, error=0.1)})
    assert [device.name for device in found.devices] == ["a", "b"] and found.evaluated == 4
    fronts = [first_choices(device.front, tiny_space) for device in found.devices]
    assert fronts == [[0, 1, 2, 3], [2, 3]]
    assert [point.latency_ms for point in found.devices[1].front] == [1, 3]
    there, back = cell(found, "a", "b"), cell(found, "b", "a")
    # On b, the networks of a take 4, 2, 1 and 3 ms; the fastest of their quality or better 1, 1, 1 and 3.
    assert there.extra_percent == pytest.approx(100 * (3 + 1 + 0 + 0) / 4)
    # Networks of b are on the front of a, too.
    assert back.extra_percent == 0
    # The 90 % interval reaches 1.645 standard deviations of 10 % up, where a table knows errors.
    assert there.interval_percent == pytest.approx(16.45, abs=0.01) and back.interval_percent == 0
    # On a the front of a dominates (.5 + .6 + .7) / 3 of the box, that of b .7 / 3.
    assert back.kept_hypervolume == pytest.approx(7 / 18) and there.kept_hypervolume == 1
    # Levels .5, .575, .65, .725, .8: a picks 0, 1, 2, 3, 3 and b 2, 2, 2, 3, 3.
    assert found.levels == pytest.approx((0.5, 0.575, 0.65, 0.725, 0.8))
    picks = [first_choices([pick.point for pick in device.picks], tiny_space) for device in found.devices]
    assert picks == [[0, 1, 2, 3, 3], [2, 2, 2, 3, 3]] and there.same_picks == back.same_picks == 3
    assert found.devices[0].picks[0].latency_ms == (1, 4)
    # Of the six pairs, the latencies of two are in the same order.
    assert there.tau == back.tau == pytest.approx(-1 / 3)
    for name in "ab":
        own = cell(found, name, name)
        assert (own.extra_percent, own.kept_hypervolume, own.same_picks, own.tau) == (0, 1, 5, 1)
    assert "networks chosen for a on b: 100.0 %" in found.finding
    assert "beyond the 16.4 % that the table's own 90 % interval reaches" in found.finding


def test_loss_is_better_where_it_is_lower(make_table: MakeTable, compare: Compare) -> None:
    tables = {"a": make_table("A", A), "b": make_table("B", B)}
    losses = [1 - top1 for top1 in TOP1]
    by_top1, by_loss = compare(tables), compare(tables, losses, "loss")
    assert by_loss.levels == pytest.approx([1 - level for level in by_top1.levels])
    for one, other in zip(by_top1.transfers, by_loss.transfers, strict=True):
        assert one.extra_percent == pytest.approx(other.extra_percent)
        assert (one.same_picks, one.tau) == (other.same_picks, other.tau)


@pytest.mark.parametrize("factor", [0.37, 1 / 3, 2.7])
def test_proportional_tables_lose_nothing(make_table: MakeTable, compare: Compare, factor: float) -> None:
    tables = {"a": make_table("A", A), "c": make_table("C", [factor * ms for ms in A])}
    found = compare(tables)
    for each in found.transfers:
        assert (each.extra_percent, each.same_picks, each.tau) == (0, 5, 1)
        assert each.kept_hypervolume == pytest.approx(1)
    assert "fastest of its quality on all others" in found.finding


def test_three_devices_are_nine_cells_row_by_row(make_table: MakeTable, compare: Compare) -> None:
    found = compare({"a": make_table("A", A), "b": make_table("B", B), "c": make_table("C", C)})
    pairs = [each.chosen_for + each.runs_on for each in found.transfers]
    assert pairs == ["aa", "ab", "ac", "ba", "bb", "bc", "ca", "cb", "cc"]
    assert cell(found, "c", "b").extra_percent == cell(found, "a", "b").extra_percent
    assert all(len(pick.latency_ms) == 3 for device in found.devices for pick in device.picks)


def test_a_penalty_within_the_interval_is_said_to_be(make_table: MakeTable, compare: Compare) -> None:
    found = compare({"a": make_table("A", A), "b": make_table("B", (1.1, 1, 3, 4), error=0.1)})
    assert cell(found, "a", "b").extra_percent == pytest.approx(10 / 4)
    assert "2.5 %" in found.finding and "within the 16.4 %" in found.finding
    exact = compare({"a": make_table("A", A), "b": make_table("B", (1.1, 1, 3, 4))})
    assert "the table of b states no error" in exact.finding


def test_a_device_to_which_all_networks_are_equal(make_table: MakeTable, compare: Compare) -> None:
    """It picks the best network for everything; whatever others pick is as fast there."""
    found = compare({"a": make_table("A", A), "flat": make_table("F", (2, 2, 2, 2))})
    (best,) = found.devices[1].front
    assert best.top1 == 0.8 and cell(found, "a", "flat").tau is None
    assert cell(found, "a", "flat").extra_percent == cell(found, "flat", "a").extra_percent == 0
    assert cell(found, "flat", "flat").tau is None
    # On a, the best network is the slowest of the space and dominates nothing.
    assert cell(found, "flat", "a").kept_hypervolume == 0
    assert cell(found, "a", "flat").kept_hypervolume == 1


def test_one_network_alone(make_table: MakeTable, compare: Compare) -> None:
    found = compare({"a": make_table("A", A), "b": make_table("B", B)}, [0.5])
    assert found.levels == (0.5,) and found.evaluated == 1
    assert all((each.extra_percent, each.same_picks, each.tau) == (0, 1, None) for each in found.transfers)
    # On b it is the slowest of the space: there is no hypervolume to keep a share of.
    assert cell(found, "a", "b").kept_hypervolume is None and cell(found, "b", "a").kept_hypervolume == 1


@pytest.mark.parametrize("values", [[], [math.nan], [math.inf, math.inf]])
def test_nothing_with_a_finite_loss(make_table: MakeTable, compare: Compare, values: list[float]) -> None:
    found = compare({"a": make_table("A", A), "b": make_table("B", B)}, values, "loss")
    assert found.evaluated == 0 and found.levels == () and "No network" in found.finding
    assert all(each.extra_percent is each.kept_hypervolume is each.tau is None for each in found.transfers)
    assert all(device.front == device.picks == () for device in found.devices)


def test_networks_without_a_finite_loss_are_left_out(make_table: MakeTable, compare: Compare) -> None:
    found = compare({"a": make_table("A", A), "b": make_table("B", B)}, [0.5, math.nan, 0.3], "loss")
    assert found.evaluated == 2


def test_a_table_without_time_is_refused_by_its_device(make_table: MakeTable, compare: Compare) -> None:
    with pytest.raises(RunError, match=r"table of b \(B\) gives a network no time"):
        compare({"a": make_table("A", A), "b": make_table("B", (0, 1, 2, 3))})


@pytest.mark.parametrize("seed", range(20))
def test_fronts_and_fastest_networks_one_by_one(
    make_table: MakeTable, tiny_space: SearchSpace, seed: int
) -> None:
    """Against the definitions, on random networks with many ties in both quality and latency."""
    rng = np.random.default_rng(seed)
    networks = sorted({Architecture.random(tiny_space, rng) for _ in range(30)}, key=lambda each: each.names)
    worth = rng.integers(1, 6, len(networks)) / 10
    table = replace(make_table("R", A), ms=rng.integers(1, 4, (3, tiny_space.max_choices)).astype(float))
    view = View("r", table, networks, worth)
    points = list(zip(view.latency_ms.tolist(), worth.tolist(), strict=True))
    expected = {
        index
        for index, (ms, value) in enumerate(points)
        if not any(a <= ms and b >= value and (a, b) != (ms, value) for a, b in points)
    }
    assert set(view.front.tolist()) == expected
    assert sorted(points[each] for each in view.front) == [points[each] for each in view.front]
    for level, chosen in zip(worth.tolist(), view.fastest(worth).tolist(), strict=True):
        assert points[chosen][1] >= level
        assert points[chosen][0] == min(ms for ms, value in points if value >= level)
    assert make_levels([view])[-1] == worth.max()
