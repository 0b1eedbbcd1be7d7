"""Published networks as data, against the built networks and the counts of their papers."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch.utils.flop_counter import FlopCounterMode

from dnas import costs, zoo
from latency import TableError, published


def test_mobilenet_v3_large_is_torchvisions() -> None:
    network = published.load("mobilenet_v3_large")
    model = torchvision.models.mobilenet_v3_large(weights=None).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, 224, 224))
    assert sum(op.params for op in network.ops) == sum(p.numel() for p in model.parameters()) == 5_483_032
    assert 2 * sum(op.madds for op in network.ops) == counter.get_total_flops()


def test_mobilenet_v3_large_states_its_assumption() -> None:
    assert "ReLU" in published.load("mobilenet_v3_large").assumption


@pytest.mark.parametrize("name", published.MOGA)
def test_operations_of_a_zoo_network_add_up_to_its_costs(name: str) -> None:
    architecture = zoo.load(name)
    ops, counted = published.network_ops(architecture), costs.count(architecture.space)
    assert sum(op.params for op in ops) == counted.params_of(architecture)
    assert sum(op.madds for op in ops) == counted.madds_of(architecture)


def test_all_carry_the_published_latencies() -> None:
    rows = {
        network.name: (network.published["mace_ms"], network.published["snpe_ms"])
        for network in published.load_all()
    }
    assert rows == {
        "MoGA-A": (11.1, 11.8),
        "MoGA-B": (10.0, 10.3),
        "MoGA-C": (8.8, 9.6),
        "MobileNetV3-Large": (9.5, 10.8),
    }


def test_unknown_network() -> None:
    with pytest.raises(TableError, match="mobilenet_v3_large"):
        published.load("mobilenet_v9")
