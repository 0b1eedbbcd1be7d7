"""What a block, stem or head consists of, operation by operation, without building it.

One description serves the exact counts here (:mod:`dnas.costs`) and the decomposition into a runtime's
kernels in the latency package, so that both always speak of the network that :mod:`dnas.nn` builds.
"""

from __future__ import annotations

from dataclasses import dataclass

from dnas.space import Choice, FixedOp, Layer, SearchSpace, output_size


@dataclass(frozen=True)
class Op:
    """One operation on a square map.

    ``type`` is ``conv`` (any convolution but depthwise), ``depthwise``, ``linear``, ``pool`` (global
    average), ``multiply`` (squeeze-excite scaling), ``add`` (residual), ``shuffle`` or ``sigmoid`` (the
    hard-sigmoid gate).
    """

    type: str
    in_channels: int
    out_channels: int
    input_size: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    bias: bool = False
    norm: bool = False
    activation: str = "none"

    @property
    def has_weights(self) -> bool:
        return self.type in {"conv", "depthwise", "linear"}

    @property
    def weights(self) -> int:
        """Weights of the kernel, without bias and batch normalisation."""
        per_output = self.in_channels // self.groups * self.kernel**2
        return self.out_channels * per_output if self.has_weights else 0

    @property
    def params(self) -> int:
        """Weights, bias, and scale and shift of the batch normalisation (not its running statistics)."""
        return self.weights + self.out_channels * (int(self.bias) + 2 * int(self.norm))

    @property
    def madds(self) -> int:
        """Multiply-adds of the kernel; bias, normalisation, activation and pooling count nothing."""
        return self.weights * output_size(self.input_size, self.stride) ** 2


def block_ops(layer: Layer, choice: Choice) -> tuple[Op, ...]:
    """The operations of one choice of a searchable layer."""
    if choice.skip:
        return (
            () if layer.keeps_shape else (_conv(layer, layer.in_channels, layer.out_channels, layer.stride),)
        )
    return inverted_residual_ops(
        in_channels=layer.in_channels,
        hidden=layer.hidden_channels(choice),
        out_channels=layer.out_channels,
        kernel=choice.kernel,
        stride=layer.stride,
        input_size=layer.input_size,
        activation=layer.activation,
        squeezed=layer.squeezed_channels(choice),
        groups=choice.groups,
    )


def inverted_residual_ops(
    *,
    in_channels: int,
    hidden: int,
    out_channels: int,
    kernel: int,
    stride: int,
    input_size: int,
    activation: str,
    squeezed: int = 0,
    groups: int = 1,
    expand: bool = True,
    se_activation: str | None = None,
) -> tuple[Op, ...]:
    """Expand 1x1, depthwise, optional squeeze-excite, project 1x1, residual when the shape is kept.

    Args:
        expand: False leaves out the first convolution (the first block of MobileNetV2 and V3).
        se_activation: activation inside the squeeze-excite; the block's own when None.
    """
    size = output_size(input_size, stride)
    ops: list[Op] = []
    if expand:
        ops.append(
            Op("conv", in_channels, hidden, input_size, groups=groups, norm=True, activation=activation)
        )
    if groups > 1:
        ops.append(Op("shuffle", hidden, hidden, input_size))
    ops.append(
        Op("depthwise", hidden, hidden, input_size, kernel, stride, hidden, norm=True, activation=activation)
    )
    if squeezed:
        ops += squeeze_excite_ops(hidden, squeezed, size, se_activation or activation)
    ops.append(Op("conv", hidden, out_channels, size, groups=groups, norm=True))
    if stride == 1 and in_channels == out_channels:
        ops.append(Op("add", out_channels, out_channels, size))
    return tuple(ops)


def squeeze_excite_ops(channels: int, squeezed: int, size: int, activation: str) -> tuple[Op, ...]:
    """Pool, 1x1 with bias and activation, 1x1 with bias, hard-sigmoid, multiply."""
    return (
        Op("pool", channels, channels, size),
        Op("conv", channels, squeezed, 1, bias=True, activation=activation),
        Op("conv", squeezed, channels, 1, bias=True),
        Op("sigmoid", channels, channels, 1),
        Op("multiply", channels, channels, size),
    )


def fixed_ops(op: FixedOp) -> tuple[Op, ...]:
    """The operations of one entry of a stem or head."""
    if op.type == "pool":
        return (Op("pool", op.in_channels, op.out_channels, op.input_size),)
    if op.type == "dropout":
        return ()
    if op.type == "separable":
        c = op.in_channels
        depthwise = Op(
            "depthwise", c, c, op.input_size, op.kernel, op.stride, c, norm=True, activation=op.activation
        )
        return depthwise, Op("conv", c, op.out_channels, op.output_size, norm=True)
    return (
        Op(
            "conv",
            op.in_channels,
            op.out_channels,
            op.input_size,
            op.kernel,
            op.stride,
            norm=op.norm,
            activation=op.activation,
        ),
    )


def stem_ops(space: SearchSpace) -> tuple[Op, ...]:
    """All operations before the first searchable layer."""
    return tuple(op for entry in space.stem for op in fixed_ops(entry))


def head_ops(space: SearchSpace) -> tuple[Op, ...]:
    """All operations after the last searchable layer, the classifier with bias included."""
    classifier = Op("linear", space.head[-1].out_channels, space.num_classes, 1, bias=True)
    return (*(op for entry in space.head for op in fixed_ops(entry)), classifier)


def _conv(layer: Layer, in_channels: int, out_channels: int, stride: int) -> Op:
    return Op(
        "conv",
        in_channels,
        out_channels,
        layer.input_size,
        stride=stride,
        norm=True,
        activation=layer.activation,
    )
