"""Kernels of a runtime: by hand for single operations, and against the counts for MoGA's networks."""

from __future__ import annotations

import pytest

from dnas.ops import Op, inverted_residual_ops, squeeze_excite_ops
from latency import TableError
from latency.calibrated import published
from latency.kernels import Runtime

OLD = Runtime.load("mace_2019")
FUSING = Runtime.from_dict(
    {
        "name": "fusing",
        "operations": {op: [op] for op in ("conv", "depthwise", "linear", "pool", "multiply", "add")}
        | {"sigmoid": []},
        "activations": {"none": [], "relu": [], "hswish": []},
    }
)


def conv(activation: str) -> Op:
    return Op("conv", 4, 8, 5, activation=activation)


@pytest.mark.parametrize(
    ("activation", "kinds"),
    [
        ("none", ["conv"]),
        ("relu", ["conv"]),
        ("relu6", ["conv"]),
        ("hswish", ["conv", "add_relu6", "scale", "multiply"]),
    ],
)
def test_only_h_swish_is_not_fused(activation: str, kinds: list[str]) -> None:
    assert [kernel.kind for kernel in OLD.kernels([conv(activation)])] == kinds


def test_only_the_operation_itself_has_multiply_adds() -> None:
    assert [kernel.madds for kernel in OLD.kernels([conv("hswish")])] == [4 * 8 * 25, 0, 0, 0]


@pytest.mark.parametrize(("activation", "count"), [("relu", 6), ("hswish", 9)])
def test_squeeze_excite(activation: str, count: int) -> None:
    """pool 1, fc 1 and its activation, fc 1, hard-sigmoid 2, multiply 1."""
    assert len(OLD.kernels(squeeze_excite_ops(16, 4, 7, activation))) == count


@pytest.mark.parametrize(
    ("stride", "activation", "squeezed", "old", "fusing"),
    [(1, "relu", 0, 4, 4), (2, "relu", 0, 3, 3), (1, "hswish", 0, 10, 4), (2, "hswish", 4, 18, 7)],
)
def test_runtimes_differ_in_data_only(
    stride: int, activation: str, squeezed: int, old: int, fusing: int
) -> None:
    ops = inverted_residual_ops(
        in_channels=8,
        hidden=24,
        out_channels=8,
        kernel=5,
        stride=stride,
        input_size=14,
        activation=activation,
        squeezed=squeezed,
    )
    assert (len(OLD.kernels(ops)), len(FUSING.kernels(ops))) == (old, fusing)


def test_counts_of_published_networks() -> None:
    counts = {network.name: len(OLD.kernels(network.ops)) for network in published.load_all()}
    assert counts == {
        "MoGA-A": 169,
        "MoGA-B": 175,
        "MoGA-C": 166,
        "MobileNetV3-Large": 185,
        "MobileNetV2": 64,
        "Proxyless-R Mobile": 76,
        "Proxyless GPU": 52,
        "FairNAS-A": 76,
    }


def test_what_the_data_does_not_describe_is_refused() -> None:
    with pytest.raises(TableError, match=r"fusing does not say .* shuffle, swish; add them"):
        FUSING.kernels([conv("swish"), Op("shuffle", 4, 4, 5)])


def test_unknown_runtime_names_the_shipped_ones() -> None:
    with pytest.raises(TableError, match="mace_2019, snpe_2019"):
        Runtime.load("mace_2109")
