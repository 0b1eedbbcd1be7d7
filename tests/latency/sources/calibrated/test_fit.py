"""The fit: recovers known coefficients, is the one that the model files state, refuses the rest."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency import TableError
from latency.kernels import Runtime
from latency.sources.calibrated import published
from latency.sources.calibrated.check import refit
from latency.sources.calibrated.fit import TimedNetwork, fit
from latency.sources.calibrated.model import CalibratedModel
from latency.table import shipped

MACE = CalibratedModel.load("adreno630_mace")
RUNTIME = MACE.runtime
MODELS = shipped.names("models")


def networks(count: int, noise: float = 0.0) -> list[TimedNetwork]:
    """Random networks of the MoGA space, timed by the MACE model with relative errors of ``noise``."""
    generator, space = np.random.default_rng(0), SearchSpace.load("moga")
    drawn = [Architecture.random(space, generator).ops for _ in range(count)]
    return [
        TimedNetwork(f"n{index}", ops, MACE.latency_ms(ops) * (1 + noise * generator.normal()))
        for index, ops in enumerate(drawn)
    ]


def test_known_coefficients_are_recovered_exactly() -> None:
    result = fit(RUNTIME, networks(6))
    found = (result.dense_ms_per_gmadd, result.depthwise_ms_per_gmadd, result.kernel_us)
    assert found == pytest.approx((15.3, 39.1, 30.0), rel=1e-9)
    assert result.mape < 1e-12
    assert result.leave_one_out_max < 1e-9
    assert result.leave_one_out_tau == pytest.approx(1.0)


def test_noise_costs_the_networks_left_out_more_than_those_fitted() -> None:
    result = fit(RUNTIME, networks(40, noise=0.05))
    assert result.dense_ms_per_gmadd == pytest.approx(15.3, rel=0.2)
    assert result.mape < result.leave_one_out_mean
    assert result.leave_one_out_mean == pytest.approx(0.05 * math.sqrt(2 / math.pi), rel=0.3)


def test_a_network_left_out_is_predicted_by_the_others() -> None:
    """One latency is wrong by a factor: the others predict it as it should be, and are themselves misled."""
    timed = networks(8)
    right = timed[3].latency_ms
    timed[3] = TimedNetwork("wrong", timed[3].ops, 2 * right)
    row = fit(RUNTIME, timed).networks[3]
    assert (row.name, row.timed_ms) == ("wrong", 2 * right)
    assert row.left_out_ms == pytest.approx(right)
    assert row.left_out_error == pytest.approx(-0.5)
    assert row.fitted_ms > right * 1.01


def test_errors_count_relative_to_the_latency() -> None:
    """Twice the latencies are twice the coefficients, with the same errors."""
    timed = networks(8, noise=0.05)
    once = fit(RUNTIME, timed)
    twice = fit(RUNTIME, [TimedNetwork(n.name, n.ops, 2 * n.latency_ms) for n in timed])
    assert twice.kernel_us == pytest.approx(2 * once.kernel_us)
    assert twice.leave_one_out_mean == pytest.approx(once.leave_one_out_mean)
    assert twice.leave_one_out_tau == pytest.approx(once.leave_one_out_tau)


def test_no_coefficient_is_negative() -> None:
    """Latencies that fall with depthwise arithmetic give 0, not less."""
    timed = networks(20)
    depthwise = [sum(op.madds for op in n.ops if op.type == "depthwise") / 1e9 for n in timed]
    odd = [TimedNetwork(n.name, n.ops, n.latency_ms - 60 * d) for n, d in zip(timed, depthwise, strict=True)]
    assert fit(RUNTIME, odd).depthwise_ms_per_gmadd == 0.0


@pytest.mark.parametrize("name", MODELS)
def test_shipped_models_are_the_fit_to_the_published_networks(name: str) -> None:
    """As the model files round: 0.1 ms, 1 us, 0.1 %."""
    facts, result = CalibratedModel.load(name).provenance, refit(CalibratedModel.load(name))
    assert facts["dense_ms_per_gmadd"] == round(result.dense_ms_per_gmadd, 1)
    assert facts["depthwise_ms_per_gmadd"] == round(result.depthwise_ms_per_gmadd, 1)
    assert facts["kernel_us"] == round(result.kernel_us)
    assert facts["leave_one_out_mean"] == round(result.leave_one_out_mean, 3)
    assert facts["leave_one_out_max"] == round(result.leave_one_out_max, 3)
    assert facts["leave_one_out_tau"] == round(result.leave_one_out_tau, 3)
    assert facts["fitted_networks"] == len(result.networks) == 8


@pytest.mark.parametrize(
    ("column", "figures"),
    [("mace_ms", (15.3, 39.1, 30.0, 0.023, 0.053, 1.0)), ("snpe_ms", (14.7, 25.1, 38.0, 0.069, 0.146, 0.76))],
)
def test_the_fit_that_this_project_states(column: str, figures: tuple[float, ...]) -> None:
    result = fit(RUNTIME, published.timed(column))
    found = (result.dense_ms_per_gmadd, result.depthwise_ms_per_gmadd, result.kernel_us)
    assert found == pytest.approx(figures[:3], rel=0.015)
    errors = (result.leave_one_out_mean, result.leave_one_out_max, result.leave_one_out_tau)
    assert errors == pytest.approx(figures[3:], abs=0.005)


def test_moga_c_is_faster_than_mobilenet_v3_when_both_are_left_out() -> None:
    for column in ("mace_ms", "snpe_ms"):
        rows = {row.name: row.left_out_ms for row in fit(RUNTIME, published.timed(column)).networks}
        assert rows["MoGA-C"] < rows["MobileNetV3-Large"]


def test_too_few_networks_and_wrong_latencies_are_one_error() -> None:
    timed = networks(3)
    bad = [TimedNetwork("a", timed[0].ops, float("nan")), TimedNetwork("b", timed[1].ops, -1.0), timed[2]]
    with pytest.raises(
        TableError, match=r"3 network\(s\) given, at least 4.*finite and above 0 ms \(a: nan, b: -1"
    ):
        fit(RUNTIME, bad)
    with pytest.raises(TableError, match=r"0 network\(s\)"):
        fit(RUNTIME, [])


def test_networks_that_are_too_much_alike_are_refused() -> None:
    one = networks(1)[0]
    with pytest.raises(TableError, match="too much alike"):
        fit(RUNTIME, [one] * 5)


def test_a_fit_that_rests_on_one_network_is_refused_naming_it() -> None:
    """Multiples of one network and two others: without one of these two, the rest cannot be told apart."""
    one, other, third, _ = networks(4)
    timed = [TimedNetwork(f"times {n}", one.ops * n, n * one.latency_ms) for n in (1, 2, 3)]
    with pytest.raises(TableError, match=r"\(all but n1; all but n2\)"):
        fit(RUNTIME, [*timed, other, third])


def test_equal_latencies_have_no_ranking() -> None:
    timed = [TimedNetwork(n.name, n.ops, 5.0) for n in networks(6)]
    assert math.isnan(fit(RUNTIME, timed).leave_one_out_tau)


def test_a_runtime_that_does_not_describe_an_operation() -> None:
    poor = Runtime.from_dict({"name": "poor", "operations": {"conv": ["conv"]}, "activations": {"none": []}})
    with pytest.raises(TableError, match="poor does not say"):
        fit(poor, networks(5))


def test_the_latencies_speak_for_the_assumption_about_mobilenet_v3() -> None:
    """With ReLU in its squeeze-excite, the networks left out are predicted and ranked worse."""

    def with_relu(network: TimedNetwork) -> TimedNetwork:
        first = {op for op in network.ops if op.type == "conv" and op.bias and op.activation == "hswish"}
        ops = (replace(op, activation="relu") if op in first else op for op in network.ops)
        return replace(network, ops=tuple(ops))

    timed = published.timed("mace_ms")
    other = [with_relu(n) if n.name == "MobileNetV3-Large" else n for n in timed]
    result = fit(RUNTIME, other)
    assert {row.name: row.kernels for row in result.networks}["MobileNetV3-Large"] == 170
    assert (result.leave_one_out_mean, result.leave_one_out_max) == pytest.approx((0.035, 0.069), abs=5e-4)
    assert result.leave_one_out_tau == pytest.approx(0.93, abs=5e-3)
