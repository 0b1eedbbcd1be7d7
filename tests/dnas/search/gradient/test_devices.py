"""Latencies of several devices, joined: values by hand, gradients by finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from dnas.costs import count
from dnas.search.gradient.devices import Across, JointLatency, WeightedMean, WorstCase
from dnas.search.gradient.objective import AdditiveLatency, Objective
from dnas.search.gradient.relaxation import Relaxation
from dnas.space import SearchSpace

Get = Callable[[str], SearchSpace]


class Table:
    """Milliseconds that rise with the choice at another slope for each device."""

    def __init__(self, space: SearchSpace, slope: float, fixed_ms: float) -> None:
        self.space, self.fixed_ms = space, fixed_ms
        self.ms = np.where(space.valid, 1.0 + slope * np.arange(space.max_choices), 0.0)


@pytest.fixture
def space(get_space: Get) -> SearchSpace:
    return get_space("motley")


@pytest.fixture
def tables(space: SearchSpace) -> Any:
    return {
        "flat": Table(space, 0.1, 2.0),
        "steep": Table(space, 3.0, 0.5),
        "falling": Table(space, -0.1, 40.0),
    }


def first(space: SearchSpace, choice: int = 0) -> torch.Tensor:
    mask = torch.zeros(len(space), space.max_choices)
    mask[:, choice] = 1.0
    return mask


def test_latencies_and_references_by_hand(space: SearchSpace, tables: Any) -> None:
    joint = JointLatency(tables, WeightedMean())
    assert joint.of(first(space)).tolist() == [6.0, 4.5, 44.0]
    # 7, 7, 2 and 1 choices: on average the third, the third, the half and the first one is taken.
    steps = 3 + 3 + 0.5
    torch.testing.assert_close(
        joint.references, torch.tensor([6.0 + 0.1 * steps, 4.5 + 3 * steps, 44.0 - 0.1 * steps])
    )
    assert list(joint.state_dict()) == list(joint.parameters()) == []


def test_the_worst_device_decides(space: SearchSpace, tables: Any) -> None:
    joint = JointLatency(tables, WorstCase({"flat": 3.0, "steep": 4.5, "falling": 88.0}))
    assert joint.join(joint.of(first(space))).item() == pytest.approx(2.0 * 3.0)
    latencies = torch.tensor([3.0, 9.0, 88.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(joint.join(latencies), latencies)
    assert gradient.tolist() == pytest.approx([0.0, 3.0 / 4.5, 0.0])


def test_devices_that_tie_share_the_gradient(tables: Any) -> None:
    joint = JointLatency(tables, WorstCase({"flat": 1.0, "steep": 1.0, "falling": 1.0}))
    latencies = torch.tensor([5.0, 5.0, 4.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(joint.join(latencies), latencies)
    assert gradient.tolist() == [0.5, 0.5, 0.0]


def test_a_weighted_mean_by_hand(tables: Any) -> None:
    references = {"flat": 2.0, "steep": 4.0, "falling": 10.0}
    latencies = torch.tensor([4.0, 4.0, 30.0])
    alike = JointLatency(tables, WeightedMean(references))
    assert alike.join(latencies).item() == pytest.approx(2.0 * (2 + 1 + 3) / 3)
    weights = {"falling": 2.0, "steep": 1.0, "flat": 1.0}
    weighted = JointLatency(tables, WeightedMean(references, weights))
    assert weighted.join(latencies).item() == pytest.approx(2.0 * (2 + 1 + 2 * 3) / 4)


@pytest.mark.parametrize(
    "across", [WorstCase(), WeightedMean(), WeightedMean(None, {"flat": 1, "steep": 5, "falling": 2})]
)
def test_the_gradient_is_that_of_finite_differences(space: SearchSpace, tables: Any, across: Across) -> None:
    relaxation = Relaxation(space, count(space), tables["flat"], joint=JointLatency(tables, across)).double()
    objective = Objective(AdditiveLatency(weight_per_ms=0.5))

    def loss(alpha: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            relaxation.alpha.copy_(alpha)
        mask = torch.softmax(alpha.masked_fill(~relaxation.valid, -torch.inf), dim=1)
        return objective(torch.tensor(1.0).double(), *relaxation.expected(mask)).total

    generator = torch.Generator().manual_seed(0)
    alpha = torch.randn(len(space), space.max_choices, generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(loss, alpha.requires_grad_())


def test_a_target_compares_the_expectation_of_each_device(space: SearchSpace, tables: Any) -> None:
    references = {"flat": 6.0, "steep": 10.0, "falling": 44.0}
    relaxation = Relaxation(
        space, count(space), tables["flat"], joint=JointLatency(tables, WorstCase(references))
    )
    drawn = first(space).requires_grad_()
    costs = relaxation.centred(drawn)
    expected = relaxation.expected(relaxation.probabilities())
    assert costs.latency_ms.item() == pytest.approx(expected.latency_ms.item())
    # The draw is worst on the flat or the falling device, the expectation on the steep one.
    (gradient,) = torch.autograd.grad(costs.latency_ms, drawn)
    steep = torch.tensor(tables["steep"].ms) * 6.0 / 10.0
    torch.testing.assert_close(gradient, steep.float())


def test_metrics_name_every_device(space: SearchSpace, tables: Any) -> None:
    plain = Relaxation(space, count(space), tables["flat"]).describe()
    several = Relaxation(
        space, count(space), tables["flat"], joint=JointLatency(tables, WeightedMean())
    ).describe()
    added = {f"{which}_latency_ms/{device}" for which in ("expected", "argmax") for device in tables}
    assert set(several) - set(plain) == added
    assert several["argmax_latency_ms/steep"] == 4.5
    assert several["expected_latency_ms/flat"] == pytest.approx(plain["expected_latency_ms"])


@pytest.mark.parametrize(
    ("across", "message"),
    [
        (WorstCase({"flat": 1.0, "steep": 2.0}), "reference_ms has no falling"),
        (WorstCase({"flat": 1.0, "steep": 2.0, "falling": 1.0, "phone": 1.0}), "phone, which is no device"),
        (
            WeightedMean(None, {"flat": 1.0, "steep": 0.0, "falling": 1.0}),
            "weights of steep .*, got 0",
        ),
        (
            WeightedMean(None, {"flat": -1.0, "steep": float("nan"), "falling": 1.0}),
            "flat .* -1.*steep.* nan",
        ),
        (WorstCase({"flat": float("inf"), "steep": 2.0, "falling": 1.0}), "reference_ms of flat .* inf"),
    ],
)
def test_unusable_options_are_named(tables: Any, across: Across, message: str) -> None:
    with pytest.raises(ValueError, match=f"(?s)^across: .*{message}.*The devices are flat, steep, falling"):
        JointLatency(tables, across)
