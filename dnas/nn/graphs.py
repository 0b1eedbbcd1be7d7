"""Dense training steps of a supernet's layers as CUDA graphs.

A dense step of MoGA's space is more than ten thousand kernel launches, and a GPU is done with most of them
sooner than the host can launch the next. Captured once, each layer is one launch forward and one backward.
"""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class LayerGraphs:
    """Captures the layers at their first training step, and replays them in later ones.

    Learning weights, a learning mask and each precision of autocast have graphs of their own, which keep the
    memory of one pass. Images of another size than the first run without graphs, with the same result.
    """

    def __init__(self) -> None:
        self._captured: dict[_Kind, _Captured] = {}
        self._parameters: list[nn.Parameter] = []
        self._kept: dict[Tensor, int] = {}
        self._latest: Callable[[], _Pass | None] = lambda: None

    def __deepcopy__(self, memo: dict[int, Any]) -> LayerGraphs:
        return LayerGraphs()  # what is captured belongs to the weights of this supernet

    def __reduce__(self) -> tuple[type[LayerGraphs], tuple[()]]:
        return LayerGraphs, ()

    def run(
        self, blocks: Sequence[nn.Module], x: Tensor, rows: Sequence[Tensor], active: Sequence[Sequence[int]]
    ) -> Tensor | None:
        """What the last layer gives; None where it must be computed without graphs.

        Args:
            blocks: the layers in their order, called as :class:`dnas.nn.mixed_block.MixedBlock` is.
            x: (N, C, H, W) input of the first.
            rows: the mask of every layer.
            active: the choices of every layer, the same in all calls.

        Raises:
            RuntimeError: the backward pass of the last call is still to come.
        """
        training = torch.is_grad_enabled() and all(block.training for block in blocks)
        if not (training and _has_graphs(x.device)):
            return None
        if not self._parameters:
            # Once: looking at every module takes milliseconds.
            self._parameters = [each for block in blocks for each in block.parameters()]
        kind = _Kind.of(self._parameters, x, rows)
        if kind not in self._captured:
            self._captured[kind] = _capture(blocks, x, rows, active, kind)
        captured = self._captured[kind]
        if x.shape != captured.shape:
            return None
        self._begin()
        for layer, row in zip(captured.layers, rows, strict=True):
            x = layer(x, row)
        this = _Pass()
        self._latest = weakref.ref(this)
        result: Tensor = _Mark.apply(x, this)
        return result

    def _begin(self) -> None:
        latest = self._latest()
        if latest is not None and not latest.ended:
            raise RuntimeError(
                "CUDA graphs hold one pass at a time: call backward() of a loss before the next forward "
                "pass, or use a supernet without graphs."
            )
        # Gradients to be added to must not lie where the graphs write theirs.
        for each in self._parameters:
            if each.grad is not None and self._kept.get(each) != each.grad.data_ptr():
                each.grad = each.grad.clone()
                self._kept[each] = each.grad.data_ptr()


class _Kind(NamedTuple):
    """What graphs depend on, but for the size of the images."""

    weights_learn: bool
    mask_learns: bool
    images_learn: bool
    autocast: torch.dtype | None

    @classmethod
    def of(cls, parameters: Sequence[Tensor], x: Tensor, rows: Sequence[Tensor]) -> _Kind:
        device = x.device.type
        autocast = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
        weights_learn = any(each.requires_grad for each in parameters)
        return cls(weights_learn, rows[0].requires_grad, x.requires_grad, autocast)


class _Captured(NamedTuple):
    """Layers as graphs, for images of one shape."""

    shape: torch.Size
    layers: Sequence[nn.Module]


class _Pass:
    """A forward pass; it lives as long as somebody can ask for its backward pass."""

    ended = False


class _Mark(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, this: _Pass) -> Tensor:
        ctx.this = this
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, dx: Tensor) -> tuple[Tensor, None]:
        ctx.this.ended = True
        return dx, None


class _Layer(nn.Module):
    """A layer with all its choices, as a function of tensors only."""

    def __init__(self, block: nn.Module, choices: Sequence[int]) -> None:
        super().__init__()
        self.block, self.choices = block, choices

    def forward(self, x: Tensor, row: Tensor) -> Tensor:
        result: Tensor = self.block(x, row, self.choices)
        return result


def _capture(
    blocks: Sequence[nn.Module],
    x: Tensor,
    rows: Sequence[Tensor],
    active: Sequence[Sequence[int]],
    kind: _Kind,
) -> _Captured:
    layers = tuple(map(_Layer, blocks, active))
    # What autocast casts in one graph is of no use in another.
    autocast = torch.autocast(x.device.type, kind.autocast, kind.autocast is not None, cache_enabled=False)
    with autocast, _statistics_restored(blocks):
        samples = tuple(_samples(layers, x, rows))
        _exchange_forward(layers, samples)
    return _Captured(x.shape, layers)


def _exchange_forward(layers: Sequence[_Layer], samples: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Make graphs of the layers, whatever other threads do: a loader's may be pinning the next batch."""
    cuda: Any = torch.cuda
    own_thread = {"capture_error_mode": "thread_local"}
    if own_thread.keys() <= inspect.signature(cuda.make_graphed_callables).parameters.keys():
        cuda.make_graphed_callables(layers, samples, **own_thread)
        return
    # Older PyTorch makes each graph in this context, and has no argument for its mode.
    context = cuda.graph
    cuda.graph = functools.partial(context, **own_thread)
    try:
        cuda.make_graphed_callables(layers, samples)
    finally:
        cuda.graph = context


def _samples(layers: Sequence[_Layer], x: Tensor, rows: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs of every layer as in this pass; the graphs read theirs from these tensors."""
    for index, (layer, row) in enumerate(zip(layers, rows, strict=True)):
        learns = x.requires_grad or index > 0
        yield _place(x, learns), _place(row, row.requires_grad)
        with torch.no_grad():
            x = layer(x, row)


def _place(tensor: Tensor, learns: bool) -> Tensor:
    return tensor.detach().clone().requires_grad_(learns)


def _has_graphs(device: torch.device) -> bool:
    return device.type == "cuda"


@contextmanager
def _statistics_restored(blocks: Sequence[nn.Module]) -> Iterator[None]:
    """Capturing runs a batch several times, and a batch counts once."""
    buffers = [each for block in blocks for each in block.buffers()]
    before = [each.clone() for each in buffers]
    try:
        yield
    finally:
        with torch.no_grad():
            for each, value in zip(buffers, before, strict=True):
                each.copy_(value)
