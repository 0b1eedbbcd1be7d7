"""Computing again instead of keeping: the same outputs, gradients and statistics, for less memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from dnas.layers.activations import ACTIVATIONS
from dnas.layers.fused.checkpointing import PLANS, Turn, twice
from dnas.layers.fused.expand_depthwise import expand_depthwise
from dnas.layers.fused.rows import Shape
from dnas.nn.supernet import Supernet
from dnas.space import SearchSpace

Get = Callable[[str], SearchSpace]
Result = tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]


def supernet(space: SearchSpace, sharing: str, plan: str) -> Supernet:
    torch.manual_seed(0)
    net = Supernet(space, sharing, checkpointing=plan).double()
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def step(net: Supernet, mask: Tensor) -> Result:
    """Output, all gradients (mask included) and all buffers after one backward pass."""
    shape = (3, net.space.in_channels, net.space.resolution, net.space.resolution)
    images = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    floating = mask.is_floating_point()
    mask = mask.clone().requires_grad_(floating)
    output = net(images.contiguous(memory_format=torch.channels_last), mask)
    output.square().sum().backward()
    gradients = {name: p.grad for name, p in net.named_parameters() if p.grad is not None}
    if floating:
        assert mask.grad is not None
        gradients["mask"] = mask.grad
    return output.detach(), gradients, {name: buffer.clone() for name, buffer in net.named_buffers()}


def dense(space: SearchSpace) -> Tensor:
    logits = torch.randn(len(space), space.max_choices, generator=torch.Generator().manual_seed(2))
    return logits.double().masked_fill(~torch.tensor(space.valid), -torch.inf).softmax(1)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("plan", ["choice", "block"])
@pytest.mark.parametrize("sharing", ["independent", "entangled"])
def test_every_plan_computes_the_same(get_space: Get, sharing: str, plan: str, training: bool) -> None:
    space = get_space("motley")
    for mask in (dense(space), torch.zeros(len(space), dtype=torch.long)):
        kept = step(supernet(space, sharing, "none").train(training), mask)
        again = step(supernet(space, sharing, plan).train(training), mask)
        torch.testing.assert_close(again[0], kept[0], rtol=1e-12, atol=1e-12)
        for found, expected in zip(again[1:], kept[1:], strict=True):
            assert found.keys() == expected.keys()
            for name in expected:
                torch.testing.assert_close(found[name], expected[name], rtol=1e-9, atol=1e-9, msg=name)


def test_a_batch_counts_once(get_space: Get) -> None:
    net = supernet(get_space("motley"), "independent", "choice").train()
    step(net, dense(net.space))
    counts = {int(buffer) for name, buffer in net.named_buffers() if "num_batches" in name}
    assert counts == {1}
    assert {part.momentum for part in net.modules() if isinstance(part, torch.nn.BatchNorm2d)} == {0.1}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_expanded_twice_is_expanded_once(activation: str) -> None:
    generator = torch.Generator().manual_seed(0)
    shape = Shape(3, 5, 4)
    rows, weight, kernels = (
        torch.randn(*size, generator=generator, dtype=torch.float64, requires_grad=True)
        for size in ((3 * 5 * 4, 8), (6, 8), (6, 1, 5, 5))
    )

    def expanded(turn: Turn, *tensors: Tensor) -> Tensor:
        return expand_depthwise(*tensors, shape, 2, activation, turn)

    once, again = expanded(Turn.ONLY, rows, weight, kernels), twice(expanded, rows, weight, kernels)
    assert torch.equal(once, again)
    dy = torch.randn(once.shape, generator=generator, dtype=torch.float64)
    for found, expected in zip(
        torch.autograd.grad(again, (rows, weight, kernels), dy),
        torch.autograd.grad(once, (rows, weight, kernels), dy),
        strict=True,
    ):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("sharing", ["independent", "entangled"])
def test_projections_are_not_multiplied_again(get_space: Get, sharing: str) -> None:
    class Products(TorchDispatchMode):
        """Of projections and their gradients: those that are written into a part of a matrix."""

        count = 0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.count += func is torch.ops.aten.addmm.out
            return func(*args, **(kwargs or {}))

    def products(plan: str) -> int:
        net = supernet(get_space("motley"), sharing, plan).train()
        with Products() as counted:
            step(net, dense(net.space))
        return counted.count

    assert products("choice") == products("none") > 0


def saved_bytes(net: Supernet, mask: Tensor) -> int:
    """Bytes of activations that autograd keeps."""
    own = {parameter.untyped_storage().data_ptr() for parameter in net.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    size = net.space.resolution
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = net(torch.randn(2, 3, size, size, dtype=torch.float64), mask)
    assert output.requires_grad  # the graph, and so what it keeps, is still alive here
    return sum(kept.values())


@pytest.mark.slow
@pytest.mark.parametrize("sharing", ["independent", "entangled"])
def test_plans_keep_less_and_less(sharing: str) -> None:
    space = SearchSpace.load("moga").adapt(resolution=32)
    mask = dense(space).requires_grad_()
    none, choice, block = (saved_bytes(supernet(space, sharing, plan), mask) for plan in PLANS)
    assert block < choice < 0.2 * none


def test_unknown_plan(get_space: Get) -> None:
    with pytest.raises(ValueError, match="'layer': expected one of none, choice, block"):
        Supernet(get_space("motley"), checkpointing="layer")
