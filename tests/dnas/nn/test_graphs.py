"""Layers replayed as CUDA graphs train as others do.

What belongs to the replaying of our own is tested everywhere, with emulated graphs (the fixture
``captures``); real ones need a GPU.
"""

from __future__ import annotations

import copy
import itertools
import pickle
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dnas.layers.fused.checkpointing import PLANS
from dnas.nn.supernet import Supernet
from dnas.space import SearchSpace

SHARINGS = ["independent", "entangled"]


@pytest.fixture
def space(get_space: Callable[[str], SearchSpace]) -> SearchSpace:
    return get_space("motley")


def make_pair(
    space: SearchSpace, sharing: str, device: str = "cpu", plan: str = "none"
) -> tuple[Supernet, Supernet]:
    """A supernet in float64, and the same with graphs."""
    torch.manual_seed(0)
    plain = Supernet(space, sharing, checkpointing=plan).to(device, torch.float64)
    plain = plain.to(memory_format=torch.channels_last)
    captured = copy.deepcopy(plain)
    captured.capture_layers()
    return plain, captured


def make_batch(supernet: Supernet, seed: int, size: int = 27) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    like = next(supernet.parameters())
    space = supernet.space
    images = torch.randn(4, 1, size, size, generator=generator, dtype=torch.float64)
    mask = torch.rand(len(space), space.max_choices, generator=generator, dtype=torch.float64)
    return images.contiguous(memory_format=torch.channels_last).to(like), mask.to(like).requires_grad_()


def train(supernet: Supernet, accumulate: int = 1, sizes: Sequence[int] = (27,) * 4) -> list[Tensor]:
    """Losses and gradients of the mask, and everything that the supernet has in the end."""
    torch.manual_seed(1)  # of dropout
    optimizer = torch.optim.SGD(supernet.parameters(), lr=0.05, momentum=0.9)
    found = []
    for index, size in enumerate(sizes):
        images, mask = make_batch(supernet, index, size)
        loss = supernet(images, mask).square().mean()
        loss.backward()
        found += [loss.detach(), mask.grad]
        if (index + 1) % accumulate == 0:
            optimizer.step()
            optimizer.zero_grad()
    return [*found, *supernet.state_dict().values()]


def assert_train_alike(plain: Supernet, captured: Supernet, **options: Any) -> None:
    for found, wanted in zip(train(captured, **options), train(plain, **options), strict=True):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("accumulate", [1, 2, 4])
@pytest.mark.parametrize("sharing", SHARINGS)
def test_replayed_layers_train_as_others(
    space: SearchSpace, sharing: str, accumulate: int, captures: list[int]
) -> None:
    assert_train_alike(*make_pair(space, sharing), accumulate=accumulate)
    assert captures == [len(space)], "captured once, all layers together"


def test_images_of_another_size_run_without_graphs(space: SearchSpace, captures: list[int]) -> None:
    assert_train_alike(*make_pair(space, "independent"), sizes=[27, 21, 27, 21])
    assert captures == [len(space)]


def test_what_learns_has_graphs_of_its_own(space: SearchSpace, captures: list[int]) -> None:
    """As in a bilevel search, whose optimisers take turns."""
    plain, captured = make_pair(space, "entangled")
    turns = [(True, False), (False, True), (True, True)]
    for weights_learn, mask_learns in [*turns, *turns]:
        gradients = []
        for supernet in (plain, captured):
            supernet.requires_grad_(weights_learn).zero_grad()
            images, mask = make_batch(supernet, 0)
            mask.requires_grad_(mask_learns)
            torch.manual_seed(1)
            supernet(images, mask).square().mean().backward()
            gradients.append([mask.grad, *(each.grad for each in supernet.parameters())])
        for found, wanted in zip(*gradients, strict=True):
            assert (found is None) == (wanted is None)
            if found is not None:
                torch.testing.assert_close(found, wanted)
    assert captures == [len(space)] * 3


def test_graphs_are_for_dense_training_only(space: SearchSpace, captures: list[int]) -> None:
    _, supernet = make_pair(space, "independent")
    images, mask = make_batch(supernet, 0)
    supernet(images, torch.zeros(len(space), dtype=torch.long))
    supernet(images, mask, [[0]] * len(space))
    with torch.no_grad():
        supernet(images, mask)
    supernet.eval()(images, mask)
    assert not captures


def test_moved_weights_are_captured_again(space: SearchSpace, captures: list[int]) -> None:
    """Graphs would read where the weights were."""
    plain, captured = make_pair(space, "independent")
    train(plain), train(captured)
    assert_train_alike(plain.to(torch.float64), captured.to(torch.float64))
    assert captures == [len(space)] * 2


@pytest.mark.slow
def test_copies_have_no_graphs_of_the_original(space: SearchSpace, captures: list[int]) -> None:
    plain, captured = make_pair(space, "independent")
    train(plain), train(captured)
    for twin in (copy.deepcopy(captured), pickle.loads(pickle.dumps(captured))):
        assert_train_alike(copy.deepcopy(plain), twin)
    assert captures == [len(space)] * 3
    assert_train_alike(plain, captured)


@pytest.mark.usefixtures("captures")
def test_two_passes_at_a_time_are_refused(space: SearchSpace) -> None:
    _, supernet = make_pair(space, "independent")
    images, mask = make_batch(supernet, 0)
    first = supernet(images, mask)
    with pytest.raises(RuntimeError, match=r"one pass at a time: call backward\(\)"):
        supernet(images, mask)
    first.sum().backward()
    second = supernet(images, mask)
    del second, first
    supernet(images, mask).sum().backward()  # nobody can ask for the backward pass of the second any more


def test_only_the_capturing_thread_is_watched(
    space: SearchSpace, captures: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loader's thread that pins memory meanwhile ended capture and loading (pytorch/pytorch#188832)."""
    emulated, context, modes = torch.cuda.make_graphed_callables, torch.cuda.graph, []

    def make_in_new_pytorch(layers: Any, samples: Any, capture_error_mode: str = "global") -> None:
        modes.append(capture_error_mode)
        emulated(layers, samples)

    def make_in_old_pytorch(layers: Any, samples: Any) -> None:
        modes.append(torch.cuda.graph.keywords["capture_error_mode"])
        raise MemoryError

    _, supernet = make_pair(space, "entangled")
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", make_in_old_pytorch)
    with pytest.raises(MemoryError):
        train(supernet)
    assert torch.cuda.graph is context
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", make_in_new_pytorch)
    train(supernet)
    assert modes == ["thread_local"] * 2


def test_without_a_gpu_nothing_changes(space: SearchSpace) -> None:
    assert_train_alike(*make_pair(space, "entangled"))


@pytest.mark.gpu
@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("sharing", SHARINGS)
def test_on_a_gpu(space: SearchSpace, sharing: str, plan: str, accumulate: int) -> None:
    assert_train_alike(*make_pair(space, sharing, "cuda", plan), accumulate=accumulate)


@pytest.mark.gpu
def test_batches_are_pinned_while_a_gpu_captures(space: SearchSpace) -> None:
    plain, captured = make_pair(space, "independent", "cuda")
    ended, pinned, size = threading.Event(), [], itertools.count(1)

    def pin() -> None:
        # Each larger than all before, so that none is at hand.
        while not ended.is_set():
            pinned.append(torch.empty(next(size) * 4096).pin_memory().is_pinned())

    with ThreadPoolExecutor(1) as pool:
        pinning = pool.submit(pin)
        try:
            assert_train_alike(plain, captured)
        finally:
            ended.set()
        pinning.result()
    assert len(pinned) > 10 and all(pinned)


@pytest.mark.gpu
@pytest.mark.parametrize("sharing", SHARINGS)
def test_a_gpu_computes_what_a_cpu_does(space: SearchSpace, sharing: str) -> None:
    here, _ = make_pair(space, sharing)
    there, captured = (copy.deepcopy(here).to("cuda") for _ in range(2))
    captured.capture_layers()
    for found, replayed, wanted in zip(
        *(train(each.apply(without_dropout)) for each in (there, captured, here)), strict=True
    ):
        torch.testing.assert_close(found.cpu(), wanted)
        torch.testing.assert_close(replayed.cpu(), wanted)


def without_dropout(module: nn.Module) -> None:
    if isinstance(module, nn.Dropout):
        module.p = 0.0


@pytest.mark.gpu
@pytest.mark.parametrize("sharing", SHARINGS)
def test_half_precision_on_a_gpu(space: SearchSpace, sharing: str) -> None:
    plain, captured = (each.float() for each in make_pair(space, sharing, "cuda"))
    losses = []
    for supernet in (plain, captured):
        images, mask = make_batch(supernet, 0)
        torch.manual_seed(1)
        for _ in range(2):
            with torch.autocast("cuda", torch.bfloat16):
                loss = supernet(images, mask).float().square().mean()
            loss.backward()
        losses.append([loss.detach(), mask.grad])
    torch.testing.assert_close(*losses, rtol=0.05, atol=0.05)
