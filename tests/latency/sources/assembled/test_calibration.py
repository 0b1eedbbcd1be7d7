"""Offset and slope from sums of kernels to end to end."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from latency import TableError
from latency.sources.assembled.assembly import Assembly, Measurements
from latency.sources.assembled.calibration import Calibration, calibrate, implausible, sum_ms
from latency.sources.assembled.dataset import MeasuredKernel, MeasuredNetwork
from latency.sources.assembled.kernel_model import KernelModel
from latency.sources.assembled.shape import KernelShape


def measured(
    sums_us: Sequence[float], end_to_end_ms: Sequence[float]
) -> tuple[KernelModel, list[MeasuredNetwork]]:
    """Networks of one kernel each, which was measured."""
    shapes = [KernelShape("pointwise", 7, 8, 8 * (index + 1)) for index in range(len(sums_us))]
    kernels = [
        MeasuredKernel(f"net{index}", "family", shape, us)
        for index, (shape, us) in enumerate(zip(shapes, sums_us, strict=True))
    ]
    networks = [
        MeasuredNetwork(kernel.network, "family", (kernel,), ms)
        for kernel, ms in zip(kernels, end_to_end_ms, strict=True)
    ]
    return KernelModel(kernels), networks


def test_offset_and_slope_are_recovered() -> None:
    sums_us = (1000.0, 2500.0, 4000.0)
    model, networks = measured(sums_us, [0.8 + 1.2 * us / 1e3 for us in sums_us])
    calibration = calibrate(model, networks)
    assert (calibration.offset_ms, calibration.slope) == (pytest.approx(0.8), pytest.approx(1.2))
    assert calibration.end_to_end_ms(10.0) == pytest.approx(12.8)


def test_neither_offset_nor_slope_goes_below_zero() -> None:
    model, networks = measured((1000.0, 2000.0, 4000.0), (0.5, 2.0, 5.0))  # a line through (0, -1)
    assert calibrate(model, networks).offset_ms == 0
    model, networks = measured((1000.0, 2000.0, 4000.0), (5.0, 4.0, 2.0))
    assert calibrate(model, networks).slope == 0


def test_errors_are_relative() -> None:
    """Two networks at 1 ms that disagree, one at 100 ms: absolute errors would give it all the weight."""
    model, networks = measured((1000.0, 1000.0, 1001.0), (1.0, 1.0, 100.0))
    calibration = calibrate(model, networks)
    assert calibration.end_to_end_ms(1.0) == pytest.approx(1.0, abs=0.1)


def test_the_sum_counts_kernels_and_squeeze_excite_multiplications(
    assembly: Assembly, measurements: Measurements
) -> None:
    by_name = {network.name: network for network in measurements.networks}
    for name, network in by_name.items():
        listed = sum(kernel.us for kernel in network.kernels) / 1e3
        expected = (network.end_to_end_ms - 1.5) / 1.1
        assert sum_ms(assembly.model, network) == pytest.approx(expected)
        assert (expected > listed * 1.01) == (name in {"mobilenetv3_a", "mobilenetv3_b", "mnasnet_a"})


def test_a_network_of_unknown_kernels_is_refused() -> None:
    model, networks = measured((1000.0,), (1.0,))
    stranger = MeasuredKernel("x", "x", KernelShape("pool", 7, 8, 8), 1.0)
    with pytest.raises(TableError, match=r"pool 8>8 at 7 px: no pool kernel\(s\) measured"):
        sum_ms(model, MeasuredNetwork("x", "x", (*networks[0].kernels, stranger), 1.0))


def test_end_to_end() -> None:
    assert Calibration(0.5, 2.0).end_to_end_ms(3.0) == 6.5


@pytest.mark.parametrize(
    ("slope", "plausible"), [(0.0, False), (0.1, False), (0.2, True), (1.5, True), (6.0, False)]
)
def test_a_slope_far_from_one_is_a_mistake(slope: float, plausible: bool) -> None:
    assert (implausible(Calibration(1.0, slope)) == "") == plausible
