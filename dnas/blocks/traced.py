"""The operations of a module, found by running it on meta tensors: block types need not list their own.

Modules of torch and of this library are known as a whole; between them, what tensors go through is followed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name

from dnas.blocks.ops import Op, avg_pool_op, conv_op, max_pool_op

if TYPE_CHECKING:
    from dnas.blocks.base import BlockType, Position

_ACTIVATIONS: dict[type[nn.Module], str] = {
    nn.ReLU: "relu",
    nn.ReLU6: "relu6",
    nn.Hardswish: "hswish",
    nn.SiLU: "swish",
}
_NOTHING_AT_DEPLOYMENT = (nn.Identity, nn.Dropout, nn.Dropout2d)
_ACTIVATION_CALLS = {
    "relu": "relu",
    "relu_": "relu",
    "relu6": "relu6",
    "hardswish": "hswish",
    "silu": "swish",
}
# Calls that make a new map -> operation; the in-place and the operator's names are those of torch.
_MAP_CALLS = {
    **dict.fromkeys(["add", "add_", "__add__", "__iadd__", "__radd__"], "add"),
    **dict.fromkeys(["mul", "mul_", "__mul__", "__imul__", "__rmul__"], "multiply"),
    **dict.fromkeys(["cat", "concat"], "concat"),
    **dict.fromkeys(["channel_shuffle", "native_channel_shuffle"], "shuffle"),
    "hardsigmoid": "sigmoid",
    "sigmoid": "logistic",
}
# Views and shapes, which start no kernel, and dropout, which none of a deployed network does.
_VIEWS = frozenset(
    [
        *("__get__", "__getitem__", "chunk", "contiguous", "dim", "dropout", "expand", "flatten"),
        *("is_contiguous", "narrow", "permute", "reshape", "size", "split", "split_with_sizes"),
        *("squeeze", "transpose", "unsqueeze", "view"),
    ]
)


def traced_ops(block: BlockType, position: Position, options: Any) -> tuple[Op, ...]:
    """The operations of ``block.build(position, options)``, in order of execution.

    Raises:
        BlockError: an operation without a word in the vocabulary, or one that no square map allows.
    """
    # What a block may depend on, so that equal layers are traced once.
    shape = _Shape(*(getattr(position, name) for name in _Shape._fields))
    return _traced(block, shape, options)


class _Shape(NamedTuple):
    """A position without its choices."""

    in_channels: int
    out_channels: int
    stride: int
    input_size: int
    output_size: int
    activation: str
    divisor: int
    keeps_shape: bool


@lru_cache(maxsize=4096)
def _traced(block: BlockType, position: _Shape, options: Any) -> tuple[Op, ...]:
    with torch.device("meta"):
        module = block.build(position, options).eval()
        images = torch.empty(1, position.in_channels, position.input_size, position.input_size)
    trace = _Trace(block.name)
    hooks = [hook for each in module.modules() for hook in trace.hooks(each)]
    with torch.no_grad(), trace:
        output = module(images)
    for hook in hooks:
        hook.remove()
    expected = (1, position.out_channels, position.output_size, position.output_size)
    if tuple(output.shape) != expected:
        raise trace.refused(f"gives {tuple(output.shape)} where its layer needs {expected}")
    found, parameters = sum(op.params for op in trace.ops), sum(each.numel() for each in module.parameters())
    if found != parameters:
        raise trace.refused(f"has {parameters:,} parameters, of which {found:,} belong to known operations")
    return tuple(trace.ops)


class _Trace(TorchFunctionMode):
    """Collects operations; ``_made_by`` knows the operation that a tensor comes from."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name, self.ops = name, list[Op]()
        self._inside = 0
        self._made_by: dict[int, int] = {}
        self._kept: list[Tensor] = []  # so that no identity is given twice

    def refused(self, reason: str) -> Exception:
        from dnas.blocks.base import BlockError

        return BlockError(
            f"The operations of block type {self.name} cannot be found by running it: it {reason}. "
            "Define ops(position, options) to list them."
        )

    def hooks(self, module: nn.Module) -> list[Any]:
        """Hooks on a module that is known as a whole; none on others."""
        if not isinstance(module, (*_KNOWN, *_NOTHING_AT_DEPLOYMENT)):
            return []

        def enter(module: nn.Module, inputs: Any) -> None:
            self._inside += 1

        def leave(module: nn.Module, inputs: Any, output: Tensor) -> None:
            self._inside -= 1
            if not self._inside:
                self._record(module, inputs[0], output)

        return [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]

    def _record(self, module: nn.Module, x: Tensor, y: Tensor) -> None:
        if isinstance(module, _NOTHING_AT_DEPLOYMENT):
            self._follow(x, y)
            return
        known = next(kind for kind in _KNOWN if isinstance(module, kind))
        _KNOWN[known](self, module, x, y)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self._inside += 1
        result = func(*args, **(kwargs or {}))
        self._inside -= 1
        if not self._inside:
            # Attributes such as shape come as the getter of a descriptor.
            getter = getattr(func, "__name__", "") == "__get__"
            self._call(
                "__get__" if getter else (resolve_name(func) or repr(func)).rsplit(".", 1)[-1],
                [*args, *(kwargs or {}).values()],
                result,
            )
        return result

    def _call(self, name: str, args: Any, result: Any) -> None:
        tensors = [each for each in _flat(args) if isinstance(each, Tensor)]
        if name in _VIEWS:
            for each in _flat(result):
                if isinstance(each, Tensor):
                    self._follow(tensors[0], each)
        elif name in _ACTIVATION_CALLS:
            self.activated(_ACTIVATION_CALLS[name], tensors[0], result)
        elif name in _MAP_CALLS:
            if len(tensors) < 2 and _MAP_CALLS[name] in {"add", "multiply"}:
                raise self.refused(f"calls {name} with a number, which the library does not count")
            self.made(_on_map(_MAP_CALLS[name], result), result)
        elif name in {"mean", "adaptive_avg_pool2d"}:
            self.pooled(tensors[0], result)
        else:
            raise self.refused(f"calls {name}, which the library does not count")

    def made(self, op: Op, y: Tensor) -> None:
        """``y`` is the output of ``op``."""
        self._made_by[id(y)] = len(self.ops)
        self._kept.append(y)
        self.ops.append(op)

    def _follow(self, x: Tensor, y: Tensor) -> None:
        if id(x) in self._made_by:
            self._made_by[id(y)] = self._made_by[id(x)]
            self._kept.append(y)

    def _extend(self, what: str, x: Tensor, y: Tensor, **facts: Any) -> None:
        """What is fused into the operation before it."""
        index = self._made_by.get(id(x))
        if index is None or any(getattr(self.ops[index], key) not in (False, "none") for key in facts):
            raise self.refused(f"has {what} that follows no operation which could take it")
        self.ops[index] = replace(self.ops[index], **facts)
        self._follow(x, y)

    def convolved(self, conv: nn.Module, x: Tensor, y: Tensor) -> None:
        assert isinstance(conv, nn.Conv2d)
        kernel, stride = conv.kernel_size, conv.stride
        op = conv_op(
            conv.in_channels,
            conv.out_channels,
            x.shape[-1],
            kernel=kernel[0],
            stride=stride[0],
            groups=conv.groups,
            norm=False,
        )
        if (
            len({*kernel}) > 1
            or len({*stride}) > 1
            or {*conv.dilation} != {1}
            or op.output_size != y.shape[-1]
        ):
            raise self.refused(f"has {conv}: expected a square kernel, not dilated, padded by kernel // 2")
        self.made(replace(op, bias=conv.bias is not None), y)

    def normalised(self, norm: nn.Module, x: Tensor, y: Tensor) -> None:
        self._extend("a batch normalisation", x, y, norm=True)

    def activated(self, name: str, x: Tensor, y: Tensor) -> None:
        self._extend(f"an activation ({name})", x, y, activation=name)

    def pooled(self, x: Tensor, y: Tensor) -> None:
        if y.numel() != x.shape[1]:
            raise self.refused(
                f"averages {tuple(x.shape)} to {tuple(y.shape)}: only global averages are known"
            )
        self.made(Op("pool", x.shape[1], x.shape[1], x.shape[-1]), y)

    def averaged(self, pool: nn.Module, x: Tensor, y: Tensor) -> None:
        assert isinstance(pool, nn.AvgPool2d)
        kernel, stride = pool.kernel_size, pool.stride
        if not (kernel == stride and isinstance(stride, int) and pool.padding == 0 and pool.ceil_mode):
            raise self.refused(f"has {pool}: expected a window as wide as the stride, and ceil_mode")
        self.made(avg_pool_op(x.shape[1], x.shape[-1], stride=stride), y)

    def maximised(self, pool: nn.Module, x: Tensor, y: Tensor) -> None:
        assert isinstance(pool, nn.MaxPool2d)
        kernel, stride = pool.kernel_size, pool.stride
        if not (isinstance(kernel, int) and isinstance(stride, int) and pool.padding == kernel // 2):
            raise self.refused(f"has {pool}: expected a square window, padded by kernel // 2")
        self.made(max_pool_op(x.shape[1], x.shape[-1], kernel=kernel, stride=stride), y)


def _on_map(kind: str, y: Tensor) -> Op:
    return Op(kind, y.shape[1], y.shape[1], y.shape[-1] if y.dim() == 4 else 1)


def _flat(values: Any) -> list[Any]:
    if isinstance(values, (list, tuple)):
        return [each for value in values for each in _flat(value)]
    return [values]


_KNOWN: dict[type[nn.Module], Callable[[_Trace, Any, Tensor, Tensor], None]] = {
    nn.Conv2d: _Trace.convolved,
    nn.BatchNorm2d: _Trace.normalised,
    nn.AdaptiveAvgPool2d: lambda trace, module, x, y: trace.pooled(x, y),
    nn.ChannelShuffle: lambda trace, module, x, y: trace.made(_on_map("shuffle", y), y),
    nn.Hardsigmoid: lambda trace, module, x, y: trace.made(_on_map("sigmoid", y), y),
    nn.Sigmoid: lambda trace, module, x, y: trace.made(_on_map("logistic", y), y),
    nn.AvgPool2d: _Trace.averaged,
    nn.MaxPool2d: _Trace.maximised,
    **{
        kind: lambda trace, module, x, y: trace.activated(_ACTIVATIONS[type(module)], x, y)
        for kind in _ACTIVATIONS
    },
}
