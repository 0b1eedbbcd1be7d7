"""A family left out is really left out: nothing of it reaches its own predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from latency.sources.assembled.assembly import Measurements
from latency.sources.assembled.dataset import MeasuredKernel, MeasuredNetwork
from latency.sources.assembled.kernel_model import MODELLED, KernelModel
from latency.sources.assembled.kind_model import Settings
from latency.sources.assembled.validation import (
    Figures,
    Fit,
    HeldOutKernel,
    HeldOutNetwork,
    calibrated_only,
    fit_with,
    held_out_kernels,
    held_out_networks,
)

ABSURD = 1000.0


@pytest.fixture(scope="module")
def fit(fixed_settings: dict[str, Settings]) -> Fit:
    return fit_with(fixed_settings)


def by_key(held: Sequence[HeldOutKernel]) -> dict[tuple[str, str], HeldOutKernel]:
    return {(kernel.family, str(kernel.shape) + str(kernel.shape.adds)): kernel for kernel in held}


def absurd(measurements: Measurements, family: str) -> tuple[list[MeasuredKernel], list[MeasuredNetwork]]:
    """Everything measured on a family's networks took a thousand times as long."""

    def slow(kernel: MeasuredKernel) -> MeasuredKernel:
        return replace(kernel, us=kernel.us * (ABSURD if kernel.family == family else 1))

    networks = [
        replace(
            network,
            kernels=tuple(map(slow, network.kernels)),
            end_to_end_ms=network.end_to_end_ms * (ABSURD if network.family == family else 1),
        )
        for network in measurements.networks
    ]
    return list(map(slow, measurements.kernels)), networks


@pytest.mark.parametrize("family", ["mobilenet_v3", "fbnet"])
def test_predictions_of_a_familys_kernels_do_not_move_with_its_times(
    family: str, measurements: Measurements, fit: Fit
) -> None:
    slow, _ = absurd(measurements, family)
    before = by_key([*held_out_kernels(measurements.kernels, [family], MODELLED, fit)])
    after = by_key([*held_out_kernels(slow, [family], MODELLED, fit)])
    assert before.keys() == after.keys() and before
    for key, kernel in before.items():
        assert after[key].modelled_us == kernel.modelled_us
        assert after[key].built_us == kernel.built_us
        assert after[key].error == kernel.error
        assert after[key].measured_us == pytest.approx(ABSURD * kernel.measured_us)


def test_predictions_of_other_families_do_move(measurements: Measurements, fit: Fit) -> None:
    slow, _ = absurd(measurements, "mobilenet_v3")
    before, after = (
        by_key([*held_out_kernels(kernels, ["mnasnet"], MODELLED, fit)])
        for kernels in (measurements.kernels, slow)
    )
    assert any(after[key].modelled_us != before[key].modelled_us for key in before)


def test_a_shared_kernel_is_looked_up_in_the_other_families(measurements: Measurements, fit: Fit) -> None:
    """What a table would say comes from the others; what the model says is no lookup."""
    shared = [kernel for kernel in measurements.kernels if kernel.network == "mobilenetv2_w1"][1]
    others = [
        kernel
        for kernel in measurements.kernels
        if kernel.shape == shared.shape and kernel.family != "mobilenet_v2"
    ]
    assert others, "the generated networks share this kernel"
    slower = [
        replace(kernel, us=kernel.us * 3) if kernel in others else kernel for kernel in measurements.kernels
    ]
    held = [*held_out_kernels(slower, ["mobilenet_v2"], ["pointwise"], fit)]
    found = next(kernel for kernel in held if kernel.shape == shared.shape)
    assert found.built_us == pytest.approx(3 * others[0].us)
    assert found.modelled_us != found.built_us
    assert found.measured_us == pytest.approx(shared.us)


def test_repeats_within_a_family_are_one_kernel(measurements: Measurements, fit: Fit) -> None:
    held = [*held_out_kernels(measurements.kernels, measurements.families, MODELLED, fit)]
    keys = [(kernel.family, kernel.shape) for kernel in held]
    assert len(keys) == len(set(keys))
    distinct = {(kernel.family, kernel.shape) for kernel in measurements.kernels}
    assert set(keys) <= distinct
    assert {kernel.shape.kind for kernel in held} < set(
        MODELLED
    )  # grouped in one family only: nothing to test


def test_kernels_that_the_others_do_not_support_are_passed_over(measurements: Measurements, fit: Fit) -> None:
    odd = replace(
        measurements.kernels[0], family="odd", shape=replace(measurements.kernels[0].shape, size=500)
    )
    held = [*held_out_kernels([*measurements.kernels, odd], ["odd", "fbnet"], MODELLED, fit)]
    assert {kernel.family for kernel in held} == {"fbnet"}


def test_kinds_of_which_the_others_hold_too_few_are_passed_over(measurements: Measurements, fit: Fit) -> None:
    """Found in the others, but no model can be made of a single kernel."""
    stem = measurements.kernels[0]
    others = [kernel for kernel in measurements.kernels if kernel.shape.kind == "pointwise"]
    kernels = [stem, replace(stem, family="fbnet"), *others]
    held = [*held_out_kernels(kernels, ["fbnet"], MODELLED, fit)]
    assert {kernel.shape.kind for kernel in held} == {"pointwise"}


def test_no_network_of_the_family_enters_its_prediction(measurements: Measurements, fit: Fit) -> None:
    def held(kernels: Sequence[MeasuredKernel], networks: Sequence[MeasuredNetwork]) -> list[HeldOutNetwork]:
        return [*held_out_networks(kernels, networks, ["mobilenet_v3"], fit)]

    before = held(measurements.kernels, measurements.networks)
    after = held(*absurd(measurements, "mobilenet_v3"))
    assert [network.name for network in before] == ["mobilenetv3_a", "mobilenetv3_b"]
    for one, other in zip(before, after, strict=True):
        assert other.predicted_ms == one.predicted_ms
        assert other.measured_ms == pytest.approx(ABSURD * one.measured_ms)
        assert one.predicted_ms == pytest.approx(one.measured_ms, rel=0.02)


def test_calibration_alone_knows_all_kernels_but_not_the_networks(
    measurements: Measurements, fixed_settings: dict[str, Settings]
) -> None:
    model = KernelModel(measurements.kernels, fixed_settings)
    slower = [
        replace(network, end_to_end_ms=network.end_to_end_ms * (2 if network.family == "mnasnet" else 1))
        for network in measurements.networks
    ]
    (held,) = calibrated_only(model, slower, ["mnasnet"])
    assert held.name == "mnasnet_a"
    assert held.predicted_ms == pytest.approx(held.measured_ms / 2)


def test_without_settings_every_model_is_tuned(
    measurements: Measurements, fixed_settings: dict[str, Settings]
) -> None:
    given, tuned = fit_with(fixed_settings)(measurements.kernels), fit_with(None)(measurements.kernels)
    assert given.settings("pool") == fixed_settings["pool"] != tuned.settings("pool")


def test_figures() -> None:
    figures = Figures.of([1.1, 1.8, 3.0], [1.0, 2.0, 3.0])
    assert figures == Figures(pytest.approx(0.2 / 3), pytest.approx(0.1), pytest.approx(1.0), 3)
    assert Figures.of([2.0, 1.0], [1.0, 2.0]).kendall_tau == -1.0


@pytest.mark.parametrize("predicted", [[1.0], [1.0, 1.0]])
def test_the_rank_correlation_of_one_network_or_of_ties_is_not_known(predicted: list[float]) -> None:
    assert np.isnan(Figures.of(predicted, [1.0, 2.0][: len(predicted)]).kendall_tau)
