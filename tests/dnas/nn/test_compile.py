"""Compiled layers compute what they compute without a compiler."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from dnas.nn.supernet import Supernet
from dnas.space import SearchSpace

pytestmark = pytest.mark.slow

WIDTHS = (8, 10, 12)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Nothing is compiled yet, and a function may be compiled once only."""
    limit = torch._dynamo.config.cache_size_limit
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    torch._dynamo.config.cache_size_limit = 1
    yield
    torch._dynamo.config.cache_size_limit = limit
    torch._dynamo.reset()


@pytest.fixture
def space() -> SearchSpace:
    layers = [{"out": width, "stride": 1, "activation": "hswish"} for width in WIDTHS]
    layers[1]["stride"] = 2
    choices = {
        "E2K3": {"expansion": 2, "kernel": 3},
        "E3K3": {"expansion": 3, "kernel": 3},
        "E3K5SE": {"expansion": 3, "kernel": 5, "se": 0.25},
    }
    stem = [{"type": "conv", "out": 8, "kernel": 3, "stride": 1, "activation": "relu"}]
    parts = {"stem": stem, "choices": choices, "layers": layers, "head": [{"type": "pool"}]}
    return SearchSpace.from_dict(
        {"format": "dnas-space/1", "name": "distinct", "resolution": 8, "num_classes": 3, **parts}
    )


def step(supernet: Supernet, images: Tensor, mask: Tensor) -> list[Tensor]:
    mask = mask.clone().requires_grad_()
    logits = supernet(images, mask)
    return [logits, *torch.autograd.grad(logits.square().sum(), [mask, *supernet.parameters()])]


def step_twice(supernet: Supernet) -> Iterator[Tensor]:
    """What two equal steps give, one after the other."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, 8, 8, generator=generator).contiguous(memory_format=torch.channels_last)
    mask = torch.softmax(torch.randn(len(WIDTHS), 3, generator=generator), 1)
    for _ in range(2):
        yield from step(supernet, images, mask)


@pytest.mark.parametrize("sharing", ["independent", "entangled"])
def test_compiled_layers_equal_plain_ones(space: SearchSpace, sharing: str) -> None:
    plain = Supernet(space, sharing).to(memory_format=torch.channels_last)
    compiled = copy.deepcopy(plain)
    compiled.compile_layers("aot_eager")
    for found, wanted in zip(step_twice(compiled), step_twice(plain), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    for found, wanted in zip(compiled.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(found, wanted)
    assert list(compiled.state_dict()) == list(plain.state_dict())


@pytest.mark.skipif(torch.__version__ < (2, 14), reason="PyTorch 2.6 makes several graphs of a layer")
@pytest.mark.parametrize("sharing", ["independent", "entangled"])
def test_every_layer_is_one_graph_for_all_steps(space: SearchSpace, sharing: str) -> None:
    """In spite of the limit of one."""
    supernet = Supernet(space, sharing).to(memory_format=torch.channels_last)
    supernet.compile_layers("aot_eager")
    list(step_twice(supernet))
    counted: dict[str, Counter[str]] = torch._dynamo.utils.counters
    assert counted["stats"]["unique_graphs"] == len(WIDTHS) and not counted["graph_break"]


def test_refusals(space: SearchSpace) -> None:
    with pytest.raises(ValueError, match=r"'inducktor': expected one of .*inductor"):
        Supernet(space).compile_layers("inducktor")
    with pytest.raises(ValueError, match="checkpointing must be 'none'"):
        Supernet(space, checkpointing="choice").compile_layers()
