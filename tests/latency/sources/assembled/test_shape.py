"""The shape of every kernel that the spaces need, by hand."""

from __future__ import annotations

import pytest

from dnas.blocks.ops import Op, avg_pool_op, max_pool_op
from dnas.space import SearchSpace
from latency.kernels import Runtime
from latency.sources.assembled.kernel_model import MODELLED
from latency.sources.assembled.shape import KernelShape

RUNTIME = Runtime.load("tflite_2.10")


def shapes(*ops: Op) -> list[KernelShape]:
    return [KernelShape.of(kernel) for kernel in RUNTIME.kernels(ops)]


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        (Op("conv", 3, 16, 224, 3, 2), KernelShape("conv", 112, 3, 16, 3, 2)),
        (Op("conv", 16, 48, 112), KernelShape("pointwise", 112, 16, 48)),
        (Op("conv", 16, 24, 113, stride=2), KernelShape("pointwise", 57, 16, 24, stride=2)),
        (Op("conv", 16, 48, 56, groups=2), KernelShape("grouped", 56, 16, 48, groups=2)),
        (Op("conv", 48, 12, 1), KernelShape("linear", 1, 48, 12)),
        (Op("linear", 1280, 1000, 1), KernelShape("linear", 1, 1280, 1000)),
        (Op("depthwise", 48, 48, 112, 5, 2, 48), KernelShape("depthwise", 56, 48, 48, 5, 2)),
        (Op("pool", 960, 960, 7), KernelShape("pool", 7, 960, 960)),
        (max_pool_op(64, 112, kernel=3, stride=2), KernelShape("window", 56, 64, 64, 3, 2, maximum=True)),
        (avg_pool_op(256, 55, stride=2), KernelShape("window", 28, 256, 256, 2, 2)),
        (Op("multiply", 48, 48, 56), KernelShape("multiply", 56, 48, 48)),
    ],
)
def test_every_operation(op: Op, expected: KernelShape) -> None:
    assert shapes(op) == [expected]


def test_a_shuffle_is_three_copies_and_a_gate_nothing() -> None:
    assert shapes(Op("shuffle", 48, 48, 28)) == [KernelShape("copy", 28, 48, 48)] * 3
    assert shapes(Op("sigmoid", 48, 48, 1), Op("logistic", 48, 48, 1)) == []


def test_an_addition_is_fused_into_the_convolution_before_it() -> None:
    assert shapes(Op("conv", 48, 16, 28), Op("add", 16, 16, 28)) == [
        KernelShape("pointwise", 28, 48, 16, adds=True)
    ]


@pytest.mark.parametrize(
    ("op", "kind"),
    [(Op("conv", 8, 8, 1, 3), "conv"), (Op("conv", 8, 8, 1, groups=2), "grouped")],
)
def test_only_dense_1x1_convolutions_of_one_pixel_are_fully_connected(op: Op, kind: str) -> None:
    assert [shape.kind for shape in shapes(op)] == [kind]


@pytest.mark.parametrize("name", ["moga", "fbnet"])
def test_every_kernel_of_the_shipped_spaces_has_a_shape(name: str) -> None:
    space = SearchSpace.load(name)
    blocks = [choice.ops(layer) for layer in space.layers for choice in layer.choices]
    found = [shape for ops in (space.stem_ops, *blocks, space.head_ops) for shape in shapes(*ops)]
    assert {shape.kind for shape in found} <= {*MODELLED, "multiply", "copy"}
    for shape in found:
        assert min(shape.size, shape.in_channels, shape.out_channels, shape.kernel, shape.stride) >= 1
        assert (shape.groups > 1) == (shape.kind == "grouped")
        assert shape.adds <= (shape.kind in {"pointwise", "grouped"})


def test_a_block_of_moga_kernel_by_kernel() -> None:
    space = SearchSpace.load("moga")
    layer = space.layers[1]  # 24 > 24 at 56, relu
    choice = next(choice for choice in layer.choices if choice.name == "E6K5SE")
    assert [*map(str, shapes(*choice.ops(layer)))] == [
        "pointwise 24>144 at 56 px",
        "depthwise 5x5/1 144>144 at 56 px",
        "pool 144>144 at 56 px",
        "linear 144>36 at 1 px",
        "linear 36>144 at 1 px",
        "multiply 144>144 at 56 px",
        "pointwise 144>24 at 56 px",
    ]


def test_text() -> None:
    shape = KernelShape("grouped", 28, 8, 16, kernel=1, stride=2, groups=4)
    assert str(shape) == "grouped 1x1/2 8>16 in 4 groups at 28 px"


@pytest.mark.parametrize(
    ("shape", "form"),
    [
        (KernelShape("window", 28, 8, 8, 2, 2), "average window 2x2/2"),
        (KernelShape("window", 7, 16, 16, 2, 2), "average window 2x2/2"),
        (KernelShape("window", 28, 8, 8, 3, 1, maximum=True), "maximum window 3x3/1"),
        (KernelShape("pool", 7, 8, 8), "pool"),
    ],
)
def test_a_form_is_the_same_on_every_map(shape: KernelShape, form: str) -> None:
    assert shape.form == form
    assert str(shape).startswith(f"{form} {shape.in_channels}>")
