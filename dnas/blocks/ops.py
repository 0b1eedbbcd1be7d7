"""The vocabulary of operations: what a block, stem or head consists of, without building it.

One description serves the exact counts (:mod:`dnas.costs`) and the decomposition into a runtime's kernels in
the latency package, so that both always speak of the network that :mod:`dnas.nn` builds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import astuple, dataclass


@dataclass(frozen=True)
class Op:
    """One operation on a square map.

    ``type`` is ``conv`` (any but depthwise), ``depthwise``, ``linear``, ``pool`` (global average),
    ``avg_pool`` and ``max_pool`` (of windows), ``multiply`` (squeeze-excite scaling), ``add`` (residual),
    ``concat``, ``shuffle``, ``sigmoid`` (the hard-sigmoid gate) or ``logistic`` (the gate that is no
    approximation, 1 / (1 + exp(-x))).
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
    def output_size(self) -> int:
        """Side of the output map in pixels."""
        return 1 if self.type == "pool" else output_size(self.input_size, self.stride)

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


def output_size(input_size: int, stride: int) -> int:
    """Side of a map after a convolution with padding kernel // 2."""
    return (input_size - 1) // stride + 1


def conv_op(
    in_channels: int,
    out_channels: int,
    input_size: int,
    *,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    activation: str = "none",
    norm: bool = True,
    bias: bool = False,
) -> Op:
    """A convolution padded by kernel // 2, by default without bias and with batch normalisation."""
    return Op(
        "depthwise" if 1 < groups == in_channels == out_channels else "conv",
        in_channels,
        out_channels,
        input_size,
        kernel,
        stride,
        groups,
        bias,
        norm=norm,
        activation=activation,
    )


def depthwise_op(
    channels: int, input_size: int, *, kernel: int, stride: int = 1, activation: str = "none"
) -> Op:
    """A depthwise convolution with batch normalisation and activation."""
    return Op(
        "depthwise",
        channels,
        channels,
        input_size,
        kernel,
        stride,
        channels,
        norm=True,
        activation=activation,
    )


def avg_pool_op(channels: int, input_size: int, *, stride: int) -> Op:
    """Averages of windows as wide as the stride; the last ones may hold fewer pixels."""
    return Op("avg_pool", channels, channels, input_size, stride, stride)


def max_pool_op(channels: int, input_size: int, *, kernel: int, stride: int) -> Op:
    """Maxima of windows, padded by kernel // 2."""
    return Op("max_pool", channels, channels, input_size, kernel, stride)


# The gate of a squeeze-excite -> its operation.
GATES = {"hardsigmoid": "sigmoid", "sigmoid": "logistic"}


def squeeze_excite_ops(
    channels: int, squeezed: int, size: int, activation: str, gate: str = "hardsigmoid"
) -> tuple[Op, ...]:
    """Pool, 1x1 with bias and activation, 1x1 with bias, gate, multiply."""
    return (
        Op("pool", channels, channels, size),
        Op("conv", channels, squeezed, 1, bias=True, activation=activation),
        Op("conv", squeezed, channels, 1, bias=True),
        Op(GATES[gate], channels, channels, 1),
        Op("multiply", channels, channels, size),
    )


def ops_digest(ops: Iterable[Op]) -> str:
    """The identity of operations, 16 hexadecimal digits: equal blocks on equal shapes have equal ones."""
    text = "\n".join(",".join(map(str, astuple(op))) for op in ops)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
