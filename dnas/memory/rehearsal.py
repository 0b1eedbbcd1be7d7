"""A training step without data: executed on tensors that have a shape and no memory, while bytes are counted.

PyTorch's fake tensors go through forward, backward and optimiser as real ones do. Nothing is computed and
nothing allocated; what would be alive at any moment is known to the byte.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.nn import functional as F
from torch.optim import SGD, Optimizer
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from dnas.memory.passes import Pass
from dnas.nn.sharing import IndependentBlock
from dnas.nn.supernet import Supernet
from dnas.space import SearchSpace

OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]
PRECISIONS = {"32-true": None, "bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
DEVICES = ("cpu", "cuda")
MOMENTUM = partial(SGD, lr=0.1, momentum=0.9)


@dataclass(frozen=True)
class Footprint:
    """Bytes of one training step, at the moment when most of them are in use.

    Attributes:
        peak: all together.
        kept: what the forward pass leaves for the backward pass, of the pass that leaves most.
        parameters: parameters and buffers.
        gradients: gradients that are there at the peak.
        optimizer: state of the optimiser.
    """

    peak: int
    kept: int
    parameters: int
    gradients: int
    optimizer: int

    @property
    def activations(self) -> int:
        """Everything else at the peak: maps, images, what is needed for a moment."""
        return self.peak - self.parameters - self.gradients - self.optimizer


@dataclass(frozen=True)
class Setting:
    """All that decides the memory of a training step but its batch and its checkpointing.

    Args:
        passes: the forward and backward passes of a step, see :func:`dnas.memory.passes.plan_passes`.
        resolution: side of the training images in pixels; the space's if None.
        precision: 32-true, bf16-mixed or 16-mixed.
        device: cpu or cuda. Either is rehearsed on fake CPU tensors; for cuda without the tiles by which a
            CPU works through a layer.
        optimizer: makes the optimiser of the weights.
        num_classes, in_channels, stem_stride: instead of the space's, as for :class:`Supernet`.

    Raises:
        ValueError: an unknown precision or device, a resolution below 1.
    """

    space: SearchSpace
    passes: Sequence[Pass]
    sharing: str = "independent"
    resolution: int | None = None
    precision: str = "32-true"
    device: str = "cpu"
    optimizer: OptimizerFactory = MOMENTUM
    num_classes: int | None = None
    in_channels: int | None = None
    stem_stride: int | None = None

    def __post_init__(self) -> None:
        problems = [
            f"{name} must be one of {', '.join(known)}, got {value!r}"
            for name, value, known in (
                ("precision", self.precision, tuple(PRECISIONS)),
                ("device", self.device, DEVICES),
            )
            if value not in known
        ]
        if self.resolution is not None and self.resolution < 1:
            problems.append(f"resolution must be at least 1 pixel, got {self.resolution}")
        if problems:
            raise ValueError("Memory cannot be planned: " + "; ".join(problems) + ".")

    @property
    def adaptation(self) -> dict[str, Any]:
        """What :class:`Supernet` and ``SearchSpace.adapt`` take."""
        return {
            "num_classes": self.num_classes,
            "in_channels": self.in_channels,
            "stem_stride": self.stem_stride,
        }

    @property
    def side(self) -> int:
        """Side of the training images in pixels."""
        return self.resolution or self.space.resolution


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of distinct storages that are alive, and the most there have been since :meth:`mark`.

    ``gradients`` is whatever its owner keeps there; its value at the peak is remembered.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bytes = self.peak = self.gradients = self.gradients_at_peak = 0
        self._alive: dict[int, Any] = {}

    def mark(self) -> None:
        """Begin to look for a new peak."""
        self.peak, self.gradients_at_peak = self.bytes, self.gradients

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # Half of all calls ask for a device, which a fake tensor knows without the detour through its mode.
        if func is torch.ops.prim.device.default and isinstance(args[0], FakeTensor):
            return args[0].fake_device
        out = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.native_batch_norm.default and args[1] is not None:
            # Real statistics have the precision of scale and shift; fake ones that of the maps.
            out = (out[0], *(each.to(args[1].dtype) for each in out[1:]))
        for each in pytree.tree_leaves(out):
            if isinstance(each, Tensor):
                self.add(each)
        return out

    def add(self, tensor: Tensor) -> None:
        """Count a tensor that is there already; one that shares its storage with another adds nothing."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._alive:
            return
        size = storage.nbytes()
        self._alive[key] = weakref.ref(storage, lambda _: self._remove(key, size))
        self.bytes += size
        if self.bytes > self.peak:
            self.mark()

    def _remove(self, key: int, size: int) -> None:
        del self._alive[key]
        self.bytes -= size


class Rehearsal:
    """A supernet and its optimiser without memory, on which steps of any batch size can be tried.

    Raises:
        ValueError: see :class:`Setting` and :class:`Supernet`.
    """

    def __init__(self, setting: Setting) -> None:
        self.setting, self._live, self._fake = setting, LiveBytes(), FakeTensorMode()
        self._known: dict[tuple[int, str], Footprint] = {}
        with self._pretending():
            self._supernet = Supernet(setting.space, setting.sharing, **setting.adaptation)
            for block in self._supernet.mixed_blocks():
                if isinstance(block, IndependentBlock) and setting.device != "cpu":
                    block.tile_bytes = math.inf
            self._parameters = list(self._supernet.parameters())
            tensors = (*self._parameters, *self._supernet.buffers())
            self._parameter_bytes = sum(each.nbytes for each in tensors)
            self._optimizer = setting.optimizer(self._parameters)
            self._optimizer_bytes = self._make_state()
        for parameter in self._parameters:
            parameter.register_post_accumulate_grad_hook(self._count_gradients)
        self._with_gradient: set[int] = set()

    def measure(self, batch: int, checkpointing: str) -> Footprint:
        """The footprint of a step with ``batch`` images under a plan of :data:`checkpointing.PLANS`."""
        key = batch, checkpointing
        if key not in self._known:
            self._known[key] = self._measure(batch, checkpointing)
        return self._known[key]

    def _measure(self, batch: int, checkpointing: str) -> Footprint:
        for block in self._supernet.mixed_blocks():
            block.checkpointing = checkpointing
        found = []
        dtype = PRECISIONS[self.setting.precision]
        with self._pretending():
            # All images of a step are there from its beginning.
            images = [self._images(batch) for _ in self.setting.passes]
            with nullcontext() if dtype is None else torch.autocast("cpu", dtype=dtype):
                for each, (x, labels) in zip(self.setting.passes, images, strict=True):
                    found.append(self._run(each, x, labels))
        del images
        largest = max(found, key=lambda footprint: footprint.peak)
        return Footprint(
            largest.peak,
            max(each.kept for each in found),
            self._parameter_bytes,
            largest.gradients,
            self._optimizer_bytes,
        )

    def _run(self, each: Pass, images: Tensor, labels: Tensor) -> Footprint:
        space, live = self.setting.space, self._live
        for parameter in self._parameters:
            parameter.requires_grad_(each.weights_learn)
            if each.weights_learn and each.holds_gradients:
                parameter.grad = torch.empty_like(parameter)
                self._count_gradients(parameter)
        mask = torch.zeros(len(space), space.max_choices, requires_grad=each.alpha_learns)
        before = live.bytes
        live.mark()
        loss = F.cross_entropy(self._supernet(images, mask, each.active).float(), labels)
        kept = live.bytes - before
        loss.backward()
        if each.weights_learn:
            self._optimizer.step()
        result = Footprint(live.peak, kept, 0, live.gradients_at_peak, 0)
        self._optimizer.zero_grad()
        self._with_gradient.clear()
        live.gradients = 0
        return result

    def _images(self, batch: int) -> tuple[Tensor, Tensor]:
        space, side = self.setting.space.adapt(**self.setting.adaptation), self.setting.side
        images = torch.empty(batch, space.in_channels, side, side, memory_format=torch.channels_last)
        return images, torch.zeros(batch, dtype=torch.long)

    def _make_state(self) -> int:
        """State appears with the first step; its bytes."""
        before = self._live.bytes
        for parameter in self._parameters:
            parameter.grad = torch.zeros_like(parameter)
        self._optimizer.step()
        self._optimizer.zero_grad()
        return self._live.bytes - before

    def _count_gradients(self, parameter: Tensor) -> None:
        if id(parameter) not in self._with_gradient:
            self._with_gradient.add(id(parameter))
            self._live.gradients += parameter.nbytes

    @contextmanager
    def _pretending(self) -> Iterator[None]:
        with torch.random.fork_rng(devices=[]), self._fake, self._live:
            yield
