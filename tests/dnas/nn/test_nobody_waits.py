"""A training step asks its device for no value, so that the host never waits for a GPU.

Tensors of the ``meta`` device, and fake ones, have no values: whoever asks for one gets an error, on any
machine.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.nn import functional as F

from dnas.costs import count
from dnas.layers.fused.checkpointing import PLANS
from dnas.nn.supernet import Supernet
from dnas.search.gradient.masks import MaskStrategy, SoftGumbel, UniformPath
from dnas.search.gradient.objective import (
    AbsoluteLatency,
    AdditiveLatency,
    FBNetLatency,
    HingeLatency,
    MnasNetLatency,
    Objective,
)
from dnas.search.gradient.relaxation import Relaxation
from dnas.space import SearchSpace

OBJECTIVES = [
    Objective(FBNetLatency()),
    Objective(AdditiveLatency(), params_reward=0.1, madds_reward=0.1),
    Objective(MnasNetLatency(target_ms=1.0)),
    Objective(AbsoluteLatency(target_ms=1.0, weight=1.0)),
    Objective(HingeLatency(target_ms=1.0, weight=1.0)),
]


class Milliseconds:
    """A table of one millisecond for everything."""

    fixed_ms = 1.0

    def __init__(self, space: SearchSpace) -> None:
        self.ms = np.ones((len(space), space.max_choices))


@pytest.fixture
def space(get_space: Callable[[str], SearchSpace]) -> SearchSpace:
    return get_space("motley")


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda each: type(each.form).__name__)
@pytest.mark.parametrize("masks", [SoftGumbel(), UniformPath()], ids=lambda each: type(each).__name__)
def test_draw_and_objective(space: SearchSpace, masks: MaskStrategy, objective: Objective) -> None:
    relaxation = Relaxation(space, count(space), Milliseconds(space)).to("meta")
    (sample,) = relaxation.draw(masks, tau=1.0, index=0)
    assert sample.mask.is_meta
    costs = relaxation.expected(sample.mask)
    loss = objective(torch.ones((), device="meta"), *costs).total
    assert loss.is_meta
    if masks.trains_alpha:
        loss.backward()


@pytest.mark.parametrize("sharing", ["independent", "entangled"])
@pytest.mark.parametrize("plan", PLANS)
def test_forward_and_backward(space: SearchSpace, sharing: str, plan: str) -> None:
    # Fake tensors have no values either, and unlike meta ones a device on which autocast can be asked for.
    with FakeTensorMode():
        supernet = Supernet(space, sharing, checkpointing=plan)
        mask = torch.full((len(space), space.max_choices), 0.2, requires_grad=True)
        supernet(torch.empty(4, 1, 27, 27), mask).sum().backward()
        assert mask.grad is not None


def test_values_that_are_asked_for_are_noticed() -> None:
    value: Tensor = torch.ones((), device="meta")
    with pytest.raises(RuntimeError):
        bool(value > 0)
    with FakeTensorMode(), pytest.raises(DataDependentOutputException):
        bool(torch.ones(()) > 0)


def make_step(
    space: SearchSpace, masks: MaskStrategy, objective: Objective, supernet: Supernet
) -> Callable[[], None]:
    relaxation = Relaxation(space, count(space), Milliseconds(space)).to("cuda")
    supernet = supernet.to("cuda", memory_format=torch.channels_last)
    images = torch.empty(4, 1, 27, 27, device="cuda").contiguous(memory_format=torch.channels_last)
    labels = torch.zeros(4, dtype=torch.long, device="cuda")

    def step() -> None:
        for sample in relaxation.draw(masks, tau=1.0, index=0):
            ce = F.cross_entropy(supernet(images, *sample), labels)
            objective(ce, *relaxation.expected(sample.mask)).total.backward()

    return step


@pytest.mark.gpu
@pytest.mark.parametrize("sharing", ["independent", "entangled"])
@pytest.mark.parametrize("masks", [SoftGumbel(), UniformPath()], ids=lambda each: type(each).__name__)
def test_on_a_gpu(space: SearchSpace, sharing: str, masks: MaskStrategy) -> None:
    step = make_step(space, masks, Objective(FBNetLatency()), Supernet(space, sharing))
    step()
    torch.cuda.set_sync_debug_mode("error")
    try:
        step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.gpu
@pytest.mark.parametrize("sharing", ["independent", "entangled"])
def test_a_cuda_graph_captures_the_dense_step(space: SearchSpace, sharing: str) -> None:
    """Replayed with another mask and other images it gives the gradients of an ordinary step."""
    layout = torch.channels_last
    supernet = Supernet(space, sharing).to("cuda", memory_format=layout).eval()
    images = torch.randn(4, 1, 27, 27, device="cuda").contiguous(memory_format=layout)
    mask = torch.full((len(space), space.max_choices), 0.2, device="cuda", requires_grad=True)

    def step() -> None:
        supernet(images, mask).square().sum().backward()

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    supernet.zero_grad()
    mask.grad = None
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    with torch.no_grad():
        images.normal_()
        mask.uniform_()
    graph.replay()
    assert mask.grad is not None
    captured = mask.grad.clone()
    mask.grad = None
    step()
    torch.testing.assert_close(captured, mask.grad, rtol=1e-3, atol=1e-3)
