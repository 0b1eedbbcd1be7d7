"""A space with kernels that were never measured is refused, all of them named with their places."""

from __future__ import annotations

import pytest

from dnas.space import SearchSpace
from latency import TableError
from latency.sources.assembled.assembly import Measurements
from latency.sources.assembled.kernel_model import KernelModel
from latency.sources.assembled.support import check_support, places


def test_a_space_of_supported_kernels_passes(measurements: Measurements, small: SearchSpace) -> None:
    check_support(small, KernelModel(measurements.kernels), measurements.dataset.runtime, "pixel4")


def test_everything_that_is_not_supported_is_named(measurements: Measurements, small: SearchSpace) -> None:
    tiny = small.adapt(resolution=8)
    with pytest.raises(TableError) as caught:
        check_support(tiny, KernelModel(measurements.kernels), measurements.dataset.runtime, "pixel4")
    first, *lines, last = str(caught.value).splitlines()
    assert first.startswith("The measurements of pixel4 do not support") and "space small at 8 px" in first
    assert f" {len(lines)} kernel(s) " in first
    assert "latency measure" in last
    assert all("measured are maps of 4 to 32 px" in line for line in lines)
    assert (
        "  pointwise 24>72 at 2 px: measured are maps of 4 to 32 px "
        "(in L3 E3K3, L3 E3K3SE, L4 E3K3, L4 E3K3SE)"
    ) in lines
    assert not any("at 4 px" in line for line in lines)


def test_a_kernel_in_many_places_is_named_once(measurements: Measurements, small: SearchSpace) -> None:
    definition = small.to_dict()
    definition["layers"] = [{"out": 16, "stride": 1, "activation": "relu"}] * 7
    model = KernelModel([kernel for kernel in measurements.kernels if kernel.shape.kind != "pool"])
    with pytest.raises(TableError) as caught:
        check_support(SearchSpace.from_dict(definition), model, measurements.dataset.runtime, "pixel4")
    assert str(caught.value).splitlines()[1:-1] == [
        "  pool 48>48 at 32 px: no pool kernel(s) measured, 10 are needed "
        "(in L1 E3K3SE, L2 E3K3SE, L3 E3K3SE, L4 E3K3SE and 3 more)",
        "  pool 96>96 at 32 px: no pool kernel(s) measured, 10 are needed (in head)",
    ]


def test_a_kernel_that_a_block_starts_three_times_names_the_block_once(
    measurements: Measurements, small: SearchSpace
) -> None:
    model = KernelModel([kernel for kernel in measurements.kernels if kernel.shape.kind != "concat"])
    with pytest.raises(TableError, match=r"copy 48>48 at 32 px: .* \(in L1 E3K3G, L2 E3K3G\)"):
        check_support(small, model, measurements.dataset.runtime, "pixel4")


def test_places_are_all_parts_of_a_network(small: SearchSpace) -> None:
    names = [name for name, _ in places(small)]
    assert names[0] == "stem" and names[-1] == "head"
    assert names[1:-1] == [
        f"{layer.name} {choice.name}" for layer in small.layers for choice in layer.choices
    ]
