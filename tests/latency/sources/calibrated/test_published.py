"""Published networks as data, against the built networks and the counts of their papers."""

from __future__ import annotations

import itertools

import pytest
import torch
import torchvision
from torch.utils.flop_counter import FlopCounterMode

from dnas import costs
from dnas.space import output_size, zoo
from latency import TableError
from latency.sources.calibrated import published


def test_mobilenet_v3_large_is_torchvisions() -> None:
    network = published.load("mobilenet_v3_large")
    model = torchvision.models.mobilenet_v3_large(weights=None).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, 224, 224))
    assert sum(op.params for op in network.ops) == sum(p.numel() for p in model.parameters()) == 5_483_032
    assert 2 * sum(op.madds for op in network.ops) == counter.get_total_flops()


def test_mobilenet_v3_large_states_its_assumption() -> None:
    network = published.load("mobilenet_v3_large")
    assert "ReLU" in network.assumption
    inside = [op.activation for op in network.ops if op.type == "conv" and op.input_size == 1 and op.bias]
    assert inside == ["relu", "none"] * 3 + ["hswish", "none"] * 5, "the layer's own, where the zoo has ReLU"
    others = [each for each in published.load_all() if each.assumption]
    assert [each.name for each in others] == ["MobileNetV3-Large"]


@pytest.mark.parametrize(
    ("name", "params", "madds"),
    [
        ("mobilenet_v2", 3_504_872, 300_774_272),
        ("mobilenet_v3_large", 5_483_032, 216_589_760),
        ("proxyless_r_mobile", 4_080_512, 320_427_584),
        ("proxyless_gpu", 7_119_848, 465_260_160),
        ("fairnas_a", 4_651_352, 388_122_848),
    ],
)
def test_counts_are_those_of_other_implementations(name: str, params: int, madds: int) -> None:
    """Sources: the files in the zoo; UniNAS counts 1280 multiply-adds more for the average pooling."""
    ops = published.load(name).ops
    assert sum(op.params for op in ops) == params
    assert sum(op.madds for op in ops) == madds


def test_mobilenet_v2_is_torchvisions() -> None:
    model = torchvision.models.mobilenet_v2(weights=None).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, 224, 224))
    ops = published.load("mobilenet_v2").ops
    assert sum(op.params for op in ops) == sum(p.numel() for p in model.parameters())
    assert 2 * sum(op.madds for op in ops) == counter.get_total_flops()


@pytest.mark.parametrize("name", published.names())
def test_counts_are_those_of_the_paper_but_for_mobilenet_v3(name: str) -> None:
    """The paper cuts off digits; of MobileNetV3-Large it counts 1 % more multiply-adds than there are."""
    network = published.load(name)
    params, madds = (sum(getattr(op, key) for op in network.ops) / 1e6 for key in ("params", "madds"))
    assert 0 <= params - network.published["params_millions"] < 0.11
    wanted = network.published["madds_millions"]
    assert madds == pytest.approx(wanted, abs=2.5 if name == "mobilenet_v3_large" else 1.0)


@pytest.mark.parametrize("name", published.names())
def test_channels_and_sizes_fit_together(name: str) -> None:
    """A convolution takes the channels that the operation before it left, at the size it left."""
    ops = [op for op in published.load(name).ops if op.type in {"conv", "depthwise"} and op.input_size > 1]
    for before, after in itertools.pairwise(ops):
        assert (after.in_channels, after.input_size) == (
            before.out_channels,
            output_size(before.input_size, before.stride),
        )


@pytest.mark.parametrize("name", published.names())
def test_operations_of_a_zoo_network_add_up_to_its_costs(name: str) -> None:
    architecture = zoo.load(name)
    ops, counted = architecture.ops, costs.count(architecture.space)
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
        "MobileNetV2": (7.0, 6.9),
        "Proxyless-R Mobile": (7.9, 7.3),
        "Proxyless GPU": (9.8, 9.6),
        "FairNAS-A": (9.7, 9.8),
    }


def test_unknown_network() -> None:
    with pytest.raises(TableError, match="mobilenet_v3_large"):
        published.load("mobilenet_v9")
