"""The range of a space's networks, against all of its networks."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from dnas import Architecture
from dnas.costs import count
from dnas.space import SearchSpace
from dnas.spaces.ranges import Counts, Range, latencies, number
from latency import LatencyTable, load_table


@pytest.mark.parametrize("name", ["motley", "minimal", "staged"])
def test_counts_are_those_of_the_smallest_and_the_largest_network(get_space, name) -> None:
    space, costs = get_space(name), count(get_space(name))
    every = np.array([*product(*map(range, space.num_choices))])
    params, madds = costs.params_of(every), costs.madds_of(every)
    assert Counts.of(space) == (
        Range(int(params.min()), int(params.max())),
        Range(int(madds.min()), int(madds.max())),
    )


def test_latencies_are_those_of_the_fastest_and_the_slowest_network(tiny_space, tiny_table_file) -> None:
    table = load_table(str(tiny_table_file), tiny_space)
    every = np.array([*product(*map(range, tiny_space.num_choices))])
    ms = table.latency_ms(every)
    (found,), misfits = latencies(tiny_space, [str(tiny_table_file)], [], load_table)
    assert misfits == [] and (found.table, found.kind) == (table.name, "calibrated")
    assert found.fastest == pytest.approx(ms.min()) and found.slowest == pytest.approx(ms.max())
    low, high = table.latency_interval(Architecture(tiny_space, tuple(every[ms.argmax()])))
    assert found.slowest_interval == pytest.approx((low, high)) and low < ms.max() < high


def test_a_shipped_table_that_does_not_fit_is_named_with_its_reason(tiny_space, tiny_table_file) -> None:
    shipped = ["adreno640_tflite2.10"]
    found, (misfit,) = latencies(tiny_space, [str(tiny_table_file)], shipped, load_table)
    assert len(found) == 1 and misfit.table == shipped[0]
    assert misfit.reason.startswith(
        "ships for the space(s) fbnet, mnasnet, mobilenetv3_like, mobilenetv4, moga, "
    )
    assert " network(s) of the zoo, not for tiny; the closest one: " in misfit.reason
    assert misfit.reason.endswith("11 of whose 11 blocks are not in the table")
    with pytest.raises(ValueError, match="not for tiny"):
        latencies(tiny_space, shipped, [], load_table)


def test_no_table_is_loaded_twice() -> None:
    space, loaded = SearchSpace.load("moga"), []

    def load(name: str, space: SearchSpace) -> LatencyTable:
        loaded.append(name)
        return load_table(name, space)

    names = ["adreno640_tflite2.10", "mali_g76_tflite2.10"]
    found, _ = latencies(space, [names[1], names[1]], names, load)
    assert loaded == names[::-1] == [each.table for each in found]


def test_numbers() -> None:
    exact = {1: "1", 9_999_999: "9,999,999", 12**14: "1,283,918,464,548,864 (1.28e15)"}
    powers = {10**60: "1.00e60", 10**5000: "1.00e5000"}
    assert all(number(value) == text for value, text in {**exact, **powers}.items())
