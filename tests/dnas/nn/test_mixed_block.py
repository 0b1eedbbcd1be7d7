"""A supernet layer is the plain sum of its blocks; entangled choices are slices of the same weights."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from dnas.layers.layers import Block, init_weights
from dnas.nn.mixed_block import MixedBlock
from dnas.nn.sharing import SHARINGS, EntangledBlock, IndependentBlock
from dnas.space import Choice, Layer, SearchSpace

Get = Callable[[str], SearchSpace]
CHOICES = (
    Choice.of("small_k3", expansion=1, kernel=3),
    Choice.of("large_k7", expansion=2, kernel=7),
    Choice.of("large_k5_se", expansion=2, kernel=5, se=0.25),
    Choice.of("small_k3_se", expansion=1, kernel=3, se=1.0),
)
LAYER = Layer(0, 4, 4, 1, 6, "hswish", CHOICES)


def randomise(block: nn.Module) -> nn.Module:
    """Weights, biases and statistics that differ in every entry: nothing agrees by chance."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
        for name, buffer in block.named_buffers():
            if buffer.is_floating_point():
                value = torch.rand(buffer.shape, generator=generator)
                buffer.copy_(value + 0.5 if "var" in name else value - 0.5)
    return block


def make(sharing: str, layer: Layer = LAYER) -> MixedBlock:
    block = randomise(SHARINGS[sharing](layer).double())
    assert isinstance(block, MixedBlock)
    return block


def images(size: int = 6, batch: int = 3, channels: int = 4) -> Tensor:
    return torch.randn(
        batch, channels, size, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )


def layers() -> list[Layer]:
    spaces = [SearchSpace.load("moga"), SearchSpace.load("fbnet")]
    return [
        Layer(0, 8, out, stride, 7, "relu", s.choices(0)) for s in spaces for out, stride in ((8, 1), (12, 2))
    ]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("sharing", sorted(SHARINGS))
@pytest.mark.parametrize(
    "layer", [LAYER, *layers()], ids=["own", "moga_same", "moga_s2", "fbnet_same", "fbnet_s2"]
)
def test_dense_mixture_is_the_sum_of_extracted_blocks(layer: Layer, sharing: str, training: bool) -> None:
    block = make(sharing, layer).train(training)
    count = len(layer.choices)
    plain = [block.extract(choice) for choice in range(count)]
    x = images(7, channels=layer.in_channels)
    weights = torch.rand(count + 1, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    y = block(x, weights, range(count))
    torch.testing.assert_close(y, sum(w * b(x) for w, b in zip(weights, plain, strict=False)))
    for choice, before in enumerate(plain):
        after = block.extract(choice)
        for name, value in before.state_dict().items():
            if "num_batches" not in name:
                torch.testing.assert_close(
                    after.state_dict()[name], value, msg=f"{layer.choices[choice]} {name}"
                )


@pytest.mark.parametrize("sharing", sorted(SHARINGS))
def test_without_weights_the_one_active_block_runs_alone(sharing: str) -> None:
    block = make(sharing).eval()
    torch.testing.assert_close(block(images(), None, (2,)), block.extract(2)(images()))


@pytest.mark.parametrize("sharing", sorted(SHARINGS))
def test_extraction_copies(sharing: str) -> None:
    block = make(sharing).eval()
    before = {name: value.clone() for name, value in block.state_dict().items()}
    plain = block.extract(1)
    randomise(plain.train())(images())
    assert all(torch.equal(value, before[name]) for name, value in block.state_dict().items())
    assert all(p.requires_grad and p.is_leaf and p.dtype == torch.float64 for p in plain.parameters())


@pytest.mark.parametrize("sharing", sorted(SHARINGS))
def test_extraction_draws_no_random_numbers(sharing: str) -> None:
    block, before = make(sharing), torch.get_rng_state()
    block.extract(1)
    assert torch.equal(torch.get_rng_state(), before)


def test_independent_choices_share_nothing() -> None:
    block = make("independent")
    block(images(), None, (1,)).sum().backward()
    assert isinstance(block, IndependentBlock)
    touched = [{p.grad is not None for p in each.parameters()} for each in block.blocks]
    assert touched == [{False}, {True}, {False}, {False}]
    pointers = [p.data_ptr() for p in block.parameters()]
    assert len(pointers) == len(set(pointers)) == sum(len(list(each.parameters())) for each in block.blocks)


def test_entangled_choices_are_slices() -> None:
    block = make("entangled")
    small, large, se = (block.extract(choice) for choice in (0, 1, 2))
    assert isinstance(small, Block) and isinstance(large, Block)
    kernel = large.depthwise.conv.weight
    assert kernel.shape == (8, 1, 7, 7)
    assert torch.equal(small.depthwise.conv.weight, kernel[:4, :, 2:5, 2:5]), "3 x 3 is the centre of 7 x 7"
    assert torch.equal(se.depthwise.conv.weight, kernel[:, :, 1:6, 1:6]), "5 x 5 is the centre of 7 x 7"
    assert torch.equal(small.expand.conv.weight, large.expand.conv.weight[:4]), "first hidden channels"
    assert torch.equal(small.project.conv.weight, large.project.conv.weight[:, :4])
    assert torch.equal(small.expand.bn.weight, large.expand.bn.weight[:4])
    assert torch.equal(small.project.bn.bias, large.project.bn.bias)


def test_unequal_squeeze_ratios_share_first_channels() -> None:
    """The widest squeeze (4 of 4 channels) is not the widest block's (2 of 8)."""
    block = make("entangled")
    wide, narrow = block.extract(2), block.extract(3)
    assert wide.se.reduce.weight.shape == (2, 8, 1, 1) and narrow.se.reduce.weight.shape == (4, 4, 1, 1)
    assert torch.equal(wide.se.reduce.weight[:2, :4], narrow.se.reduce.weight[:2, :4])
    assert torch.equal(wide.se.expand.weight[:4, :2], narrow.se.expand.weight[:4, :2])
    assert torch.equal(wide.se.reduce.bias, narrow.se.reduce.bias[:2])


def test_training_one_choice_moves_the_others() -> None:
    block = make("entangled").train()
    before = block.extract(1)
    block.run(images(), 0).square().sum().backward()
    with torch.no_grad():
        for parameter in block.parameters():
            if parameter.grad is not None:
                parameter -= parameter.grad
    after = block.extract(1)
    moved = (after.depthwise.conv.weight - before.depthwise.conv.weight) != 0
    inside = torch.zeros_like(moved)
    inside[:4, :, 2:5, 2:5] = True
    assert torch.equal(moved, inside), "only the slice that choice 0 uses"
    moved = (after.expand.conv.weight != before.expand.conv.weight).flatten(1).any(1)
    assert moved.tolist() == [True] * 4 + [False] * 4


def test_statistics_are_kept_per_choice() -> None:
    block = make("entangled").train()
    before = {name: value.clone() for name, value in block.named_buffers()}
    block.run(images(), 2)
    changed = {name for name, value in block.named_buffers() if not torch.equal(value, before[name])}
    parts = ("expand", "depthwise", "project")
    assert changed == {f"{part}_{which}_2" for part in parts for which in ("mean", "var")}


def test_grouped_choices_share_within_equal_groups_and_expansion(get_space: Get) -> None:
    layer = get_space("motley").layers[0]
    block = make("entangled", layer)
    assert isinstance(block, EntangledBlock)
    names = [choice.name for choice in layer.choices]
    family = dict(zip(names, block.family, strict=True))
    assert family["grouped"] == family["grouped_k5"] and len(set(family.values())) == 3
    small, large = block.extract(names.index("grouped")), block.extract(names.index("grouped_k5"))
    assert torch.equal(small.depthwise.conv.weight, large.depthwise.conv.weight[:, :, 1:4, 1:4])
    assert torch.equal(small.expand.conv.weight, large.expand.conv.weight)


def test_kernel_larger_than_the_map() -> None:
    block = make("entangled").eval()
    torch.testing.assert_close(block.run(images(1), 1), block.extract(1)(images(1)))


@pytest.mark.parametrize("sharing", sorted(SHARINGS))
def test_gradients_reach_the_mask(sharing: str) -> None:
    block = make(sharing).eval()
    weights = torch.tensor([0.2, 0.0, 0.8, 0.0], dtype=torch.float64, requires_grad=True)
    y = block(images(), weights, (0, 2))
    (gradient,) = torch.autograd.grad(y.sum(), weights)
    sums = [block.extract(choice)(images()).sum().item() for choice in (0, 2)]
    assert gradient.tolist() == pytest.approx([sums[0], 0.0, sums[1], 0.0])


def test_init_weights_reaches_all_of_them() -> None:
    block = SHARINGS["entangled"](LAYER)
    before = {name: value.clone() for name, value in block.named_parameters() if "conv" in name}
    block.apply(init_weights)
    assert before and all(not torch.equal(p, before[n]) for n, p in block.named_parameters() if n in before)
