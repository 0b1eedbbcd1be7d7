"""The list of operations is that of the block: small tables by hand."""

from __future__ import annotations

from typing import Any

import pytest

from dnas.blocks.inverted_residual import inverted_residual_ops
from dnas.blocks.ops import Op, avg_pool_op, max_pool_op, squeeze_excite_ops
from dnas.space import Choice, FixedOp, Layer, SearchSpace


def layer(stride: int = 1, out: int = 4) -> Layer:
    return Layer(0, 4, out, stride, 6, "hswish", ())


def kinds(ops: tuple[Op, ...]) -> list[str]:
    return [op.type for op in ops]


def test_op_by_hand() -> None:
    op = Op("conv", 4, 6, 5, kernel=3, stride=2, groups=2, bias=True, norm=True)
    assert op.weights == 6 * 2 * 9 and op.params == 108 + 6 + 12
    assert op.madds == 108 * 9, "a 5 x 5 map of stride 2 has 3 x 3 outputs"
    pool = Op("pool", 8, 8, 7)
    assert pool.params == pool.madds == 0 and not pool.has_weights


def test_block_with_squeeze_excite_and_residual() -> None:
    ops = Choice.of("x", expansion=2, kernel=5, se=0.25).ops(layer())
    assert kinds(ops) == ["conv", "depthwise", "pool", "conv", "conv", "sigmoid", "multiply", "conv", "add"]
    expand, depthwise, _, reduce, grow, _, _, project, _ = ops
    assert (expand.in_channels, expand.out_channels, expand.activation) == (4, 8, "hswish")
    assert (depthwise.groups, depthwise.kernel, depthwise.weights) == (8, 5, 200)
    assert (reduce.out_channels, reduce.bias, reduce.input_size, reduce.activation) == (2, True, 1, "hswish")
    assert (grow.in_channels, grow.out_channels, grow.activation) == (2, 8, "none")
    assert (project.activation, project.norm) == ("none", True)


def test_no_residual_where_the_shape_changes_and_stride_is_depthwise() -> None:
    for changed in (layer(stride=2), layer(out=6)):
        assert "add" not in kinds(Choice.of("x", expansion=1, kernel=3).ops(changed))
    expand, depthwise, project = Choice.of("x", expansion=1, kernel=3).ops(layer(stride=2))
    assert [(op.input_size, op.stride) for op in (expand, depthwise, project)] == [(6, 1), (6, 2), (3, 1)]


def test_groups_shuffle_between_the_pointwise_convolutions() -> None:
    ops = Choice.of("x", expansion=2, kernel=3, groups=2).ops(layer())
    assert kinds(ops) == ["conv", "shuffle", "depthwise", "conv", "add"]
    assert [op.groups for op in ops] == [2, 1, 8, 2, 1]


def test_skip() -> None:
    skip = Choice.of("skip", "skip")
    assert skip.ops(layer()) == ()
    (conv,) = skip.ops(layer(stride=2, out=6))
    assert (conv.type, conv.kernel, conv.stride, conv.activation, conv.params) == ("conv", 1, 2, "hswish", 36)


def test_first_block_of_mobilenet_has_no_expansion() -> None:
    ops = inverted_residual_ops(
        in_channels=4,
        hidden=4,
        out_channels=4,
        kernel=3,
        stride=1,
        input_size=6,
        activation="hswish",
        squeezed=2,
        expand=False,
        se_activation="relu",
    )
    assert kinds(ops)[:2] == ["depthwise", "pool"] and ops[2].activation == "relu"
    assert squeeze_excite_ops(4, 2, 6, "relu") == ops[1:6]


def test_stem_and_head() -> None:
    space = SearchSpace.load("moga")
    assert kinds(space.stem_ops) == ["conv", "depthwise", "conv"]
    assert [op.activation for op in space.stem_ops] == ["hswish", "relu", "none"]
    assert kinds(space.head_ops) == ["conv", "pool", "conv", "linear"], (
        "dropout is no operation at deployment"
    )
    assert [op.norm for op in space.head_ops] == [True, False, False, False]
    assert space.head_ops[-1].params == 1280 * 1000 + 1000
    assert FixedOp("dropout", 4, 4, 1, rate=0.2).ops == ()


def test_pools_of_windows_by_hand() -> None:
    for op in (max_pool_op(4, 7, kernel=3, stride=2), avg_pool_op(4, 7, stride=2)):
        assert (op.params, op.madds, op.output_size, op.out_channels) == (0, 0, 4, 4)


def test_the_gate_of_a_squeeze_excite_is_an_operation() -> None:
    assert kinds(squeeze_excite_ops(8, 2, 5, "relu"))[3] == "sigmoid"
    assert kinds(squeeze_excite_ops(8, 2, 5, "relu", "sigmoid"))[3] == "logistic"


@pytest.mark.parametrize(
    ("options", "squeezed"),
    [
        ({"se": 0.25}, 6),
        ({"se": 0.25, "se_of": "input"}, 1),
        ({"se": 0.3, "se_divisor": 8}, 8),
        ({"se": 0.5, "se_divisor": 8, "se_of": "hidden"}, 16),
        ({"se": 0.9, "se_of": "input", "se_divisor": 2}, 4),
    ],
)
def test_squeezed_channels(options: dict[str, Any], squeezed: int) -> None:
    """Of 24 hidden and 4 input channels."""
    ops = Choice.of("x", expansion=6, kernel=3, **options).ops(layer())
    assert [op.out_channels for op in ops if op.bias] == [squeezed, 24]


def test_fixed_linear_layers_have_a_bias_and_convolutions_have_none() -> None:
    (linear,) = FixedOp("linear", 4, 6, 1, activation="hswish").ops
    assert (linear.type, linear.params, linear.madds, linear.activation) == ("linear", 30, 24, "hswish")
    (conv,) = FixedOp("conv", 4, 6, 1, norm=False).ops
    assert conv.params == 24
    (conv,) = FixedOp("conv", 4, 6, 1, norm=False, bias=True).ops
    assert conv.params == 30
