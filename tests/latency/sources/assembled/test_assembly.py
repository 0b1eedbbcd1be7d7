"""One device as a whole: what was left out, what the figures say, and measurements that make no sense."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from latency import TableError
from latency.sources.assembled.assembly import Assembly, Measurements, assemble, tuned
from latency.sources.assembled.dataset import Dataset
from latency.sources.assembled.kernel_model import MODELLED
from latency.sources.assembled.kind_model import Settings


def quiet(names: Any, what: str) -> Any:
    return iter(names)


def test_a_phone_that_follows_its_law_is_understood(assembly: Assembly) -> None:
    assert assembly.calibration.offset_ms == pytest.approx(1.5)
    assert assembly.calibration.slope == pytest.approx(1.1)
    assert assembly.fitted.max_error < 1e-6
    assert assembly.end_to_end.max_error < 0.02
    assert assembly.end_to_end.n == assembly.fitted.n == 8
    for kind in ("pointwise", "depthwise", "pool"):
        figures = assembly.of_kind(kind)
        assert figures is not None and figures.max_error < 0.01


def test_every_network_is_predicted_once_with_its_family_left_out(assembly: Assembly) -> None:
    held = {network.name: network.family for network in assembly.held_out_networks}
    assert len(held) == len(assembly.held_out_networks) == 8
    assert held["mobilenetv3_b"] == "mobilenet_v3"


def test_figures_of_a_kind_and_of_a_kernels_side(assembly: Assembly) -> None:
    every, wide = assembly.of_kind("depthwise"), assembly.of_kind("depthwise", 5)
    assert every is not None and wide is not None
    assert 0 < wide.n < every.n
    assert assembly.of_kind("depthwise", 7) is None
    assert assembly.of_kind("grouped") is None  # in one family only


def test_noise_shows_in_the_figures(
    noisy_measurements: Callable[[float], Measurements], fixed_settings: dict[str, Settings]
) -> None:
    """Kernels 5 % off are predicted 5 % off; in whole networks that averages out."""
    noisy = assemble(noisy_measurements(0.05), fixed_settings, quiet)
    pointwise = noisy.of_kind("pointwise")
    assert pointwise is not None
    assert 0.02 < pointwise.mape < 0.07
    assert 0.002 < noisy.end_to_end.mape < pointwise.mape
    assert 0.005 < noisy.model.repeatability["pointwise"] < 0.07


def test_the_estimated_errors_of_left_out_kernels_hold(
    noisy_measurements: Callable[[float], Measurements], fixed_settings: dict[str, Settings]
) -> None:
    settings = {kind: replace(value, noise=0.05) for kind, value in fixed_settings.items()}
    assembly = assemble(noisy_measurements(0.05), settings, quiet)
    off = [
        abs(np.log(held.measured_us / held.modelled_us)) / held.error
        for held in assembly.held_out_kernels
        if held.shape.kind in {"pointwise", "depthwise", "pool"}
    ]
    assert 0.6 < np.mean(np.array(off) < 1) < 0.85
    assert np.mean(np.array(off) < 2) > 0.93


def test_assembling_twice_gives_the_same(measurements: Measurements, assembly: Assembly) -> None:
    settings = {kind: assembly.model.settings(kind) for kind in MODELLED}
    again = assemble(measurements, settings, quiet)
    assert again.calibration == assembly.calibration
    assert again.held_out_kernels == assembly.held_out_kernels
    assert again.held_out_networks == assembly.held_out_networks


def test_retuning_leaves_the_family_out_of_tuning_too(
    noisy_measurements: Callable[[float], Measurements],
) -> None:
    measurements = noisy_measurements(0.05)
    settings = tuned(measurements)
    kept, retuned = (
        assemble(measurements, settings, lambda names, what: iter(["mnasnet"]), retune=retune)
        for retune in (False, True)
    )
    assert retuned.calibration == kept.calibration
    same, other = kept.held_out_kernels, retuned.held_out_kernels
    assert [held.shape for held in same] == [held.shape for held in other] != []
    assert [held.error for held in same] != [held.error for held in other]


def test_settings_are_tuned_where_enough_was_measured(measurements: Measurements) -> None:
    few = replace(
        measurements,
        kernels=tuple(kernel for kernel in measurements.kernels if kernel.shape.kind in {"pointwise", "conv"})
        + tuple(kernel for kernel in measurements.kernels if kernel.shape.kind == "pool")[:3],
    )
    assert set(tuned(few)) == {"pointwise", "conv"}


def test_progress_is_told_of_every_family(
    measurements: Measurements, fixed_settings: dict[str, Settings]
) -> None:
    told: dict[str, list[str]] = {}

    def track(names: Any, what: str) -> Any:
        told[what] = list(names)
        return iter(names)

    assemble(measurements, fixed_settings, track)
    assert set(told) == {"kernels", "networks"}
    assert "resnet" in told["kernels"] and "resnet" not in told["networks"]


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_another_unit_in_one_of_the_files_is_refused(
    factor: float, measurements: Measurements, fixed_settings: dict[str, Settings]
) -> None:
    networks = [
        replace(network, end_to_end_ms=network.end_to_end_ms * factor) for network in measurements.networks
    ]
    with pytest.raises(TableError, match=r"grows by .* are both files in microseconds"):
        assemble(replace(measurements, networks=tuple(networks)), fixed_settings, quiet)


def test_networks_that_do_not_grow_with_their_kernels_are_refused(
    measurements: Measurements, fixed_settings: dict[str, Settings]
) -> None:
    networks = [replace(network, end_to_end_ms=5.0) for network in measurements.networks]
    with pytest.raises(TableError, match="grows by 0 ms"):
        assemble(replace(measurements, networks=tuple(networks)), fixed_settings, quiet)


def test_reading_needs_both_files(dataset: Dataset, kernels_file: Any, tmp_path: Any) -> None:
    lonely = tmp_path / "kernels.csv"
    lonely.write_bytes(kernels_file.read_bytes())
    with pytest.raises(TableError, match=r"No file .*tflite_cnn_e2e\.csv"):
        Measurements.read(dataset, "pixel4", lonely)
    given = Measurements.read(dataset, "pixel4", lonely, kernels_file.with_name("tflite_cnn_e2e.csv"))
    assert len(given.networks) == 8
