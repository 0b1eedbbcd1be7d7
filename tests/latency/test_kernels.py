"""Kernels of a runtime: by hand for single operations, and against the counts for MoGA's networks."""

from __future__ import annotations

from typing import Any

import pytest

from dnas.blocks.inverted_residual import inverted_residual_ops
from dnas.blocks.ops import Op, squeeze_excite_ops
from latency import TableError
from latency.kernels import Kernel, Runtime, Special
from latency.sources.calibrated import published

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


def special(*entries: dict[str, Any], linked: tuple[str, ...] = ()) -> Runtime:
    """A runtime with one kind of kernel per operation, and exceptions."""
    operations = {op: [op] for op in ("conv", "depthwise", "add")}
    activations = {"none": [], "relu": ["relu"]}
    return Runtime.from_dict(
        {
            "name": "special",
            "operations": operations,
            "activations": activations,
            "special": list(entries),
            "linked": list(linked),
        }
    )


@pytest.mark.parametrize(
    ("when", "fits"),
    [
        ({"type": "conv"}, True),
        ({"type": "depthwise"}, False),
        ({"type": "conv", "kernel": 3}, True),
        ({"type": "conv", "kernel": 1}, False),
        ({"input_size": 14, "stride": 2}, True),
        ({"input_size": 14, "stride": 1}, False),
        ({"grouped": True}, True),
        ({"grouped": False}, False),
        ({"colour": "red"}, False),
    ],
)
def test_a_special_operation_fits_when_every_attribute_does(when: dict[str, Any], fits: bool) -> None:
    assert Special(when, ()).fits(Op("conv", 8, 8, 14, 3, 2, groups=2)) == fits


def test_the_first_special_kernel_that_fits_counts() -> None:
    runtime = special(
        {"when": {"type": "conv", "kernel": 1}, "kernels": ["pack", "pointwise"]},
        {"when": {"type": "conv"}, "kernels": ["wide"]},
    )
    ops = [Op("conv", 8, 8, 7), Op("conv", 8, 8, 7, 3), Op("depthwise", 8, 8, 7, 3)]
    assert [kernel.kind for kernel in runtime.kernels(ops)] == ["pack", "pointwise", "wide", "depthwise"]


def test_a_linked_operation_starts_no_kernel_of_its_own() -> None:
    runtime = special(linked=("add",))
    conv_op, add = Op("conv", 8, 8, 7), Op("add", 8, 8, 7)
    assert runtime.kernels([conv_op, add]) == (Kernel("conv", conv_op, linked=("add",)),)
    assert runtime.kernels([conv_op, add, add])[0].linked == ("add", "add")
    # Nothing before it: it has to run by itself.
    assert runtime.kernels([add, conv_op]) == (Kernel("add", add), Kernel("conv", conv_op))
    assert special().kernels([conv_op, add]) == (Kernel("conv", conv_op), Kernel("add", add))


def test_the_activation_after_a_linked_operation_is_kept() -> None:
    add = Op("add", 8, 8, 7, activation="relu")
    kernels = special(linked=("add",)).kernels([Op("conv", 8, 8, 7), add])
    assert [(kernel.kind, kernel.own, kernel.linked) for kernel in kernels] == [
        ("conv", True, ("add",)),
        ("relu", False, ()),
    ]


@pytest.mark.parametrize(
    ("activation", "squeezed", "groups", "kinds"),
    [
        ("relu", 0, 1, "pointwise depthwise pointwise"),
        ("hswish", 4, 1, "pointwise depthwise pool linear linear multiply pointwise"),
        ("relu6", 0, 2, "grouped copy copy copy depthwise grouped"),
    ],
)
def test_tensorflow_lite_fuses_activations_and_additions(
    activation: str, squeezed: int, groups: int, kinds: str
) -> None:
    ops = inverted_residual_ops(
        in_channels=8,
        hidden=24,
        out_channels=8,
        kernel=5,
        stride=1,
        input_size=14,
        activation=activation,
        squeezed=squeezed,
        groups=groups,
    )
    kernels = Runtime.load("tflite_2.10").kernels(ops)
    assert " ".join(kernel.kind for kernel in kernels) == kinds
    assert kernels[-1].linked == ("add",)
    assert sum(kernel.madds for kernel in kernels) == sum(op.madds for op in ops)


def test_shipped_runtimes_keep_their_assumptions_about_what_they_describe() -> None:
    for name in ("mace_2019", "snpe_2019", "tflite_2.10"):
        runtime = Runtime.load(name)
        assert runtime.assumptions
        assert set(runtime.assumptions) <= {*runtime.operations, *runtime.activations}
