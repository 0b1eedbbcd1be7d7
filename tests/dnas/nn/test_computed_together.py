"""Choices that are computed together compute what a loop over stock blocks does (contract 6), in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from plain_loop import PlainLoop
from torch import Tensor, nn

from dnas.nn.mixed_block import MixedBlock
from dnas.nn.sharing import SHARINGS, IndependentBlock
from dnas.space import Choice, Layer, SearchSpace

Get = Callable[[str], SearchSpace]
CHOICES = (
    Choice.of("e1_k3", expansion=1, kernel=3),
    Choice.of("e2_k7", expansion=2, kernel=7),
    Choice.of("e2_k5_se", expansion=2, kernel=5, se=0.25),
    Choice.of("e1_k7_se", expansion=1, kernel=7, se=0.5),
    Choice.of("e3_k3_se", expansion=3, kernel=3, se=0.25),
    Choice.of("e1_k1", expansion=1, kernel=1),
)
MOGA, FBNET = (SearchSpace.load(name).choices(1) for name in ("moga", "fbnet"))
Gradients = dict[str, Tensor]


def layer(
    choices: tuple[Choice, ...] = CHOICES, stride: int = 1, activation: str = "hswish", out: int = 4
) -> Layer:
    return Layer(0, 4, out, stride, 8, activation, choices)


def make(which: Layer, sharing: str = "independent", plan: str = "none") -> MixedBlock:
    torch.manual_seed(0)
    block = SHARINGS[sharing](which).double().train()
    block.checkpointing = plan
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return block


def plain(block: IndependentBlock) -> PlainLoop:
    """Stock modules with the weights and statistics of ``block``."""
    loop = PlainLoop(block.layer).double().train(block.training)
    loop.load_state_dict(block.state_dict())
    return loop


def images(batch: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(batch, 4, height, width, generator=generator, dtype=torch.float64)
    # Means and scales of their own: what is folded through the covariance must not need centred inputs.
    x = x * torch.tensor([1.0, 3.0, 0.1, 1.0])[:, None, None].double() + torch.arange(4)[:, None, None]
    return x.contiguous(memory_format=torch.channels_last)


def step(block: nn.Module, x: Tensor, active: list[int], count: int) -> tuple[Tensor, Gradients]:
    """Output, and the gradients of input, mask and every weight of a loss that is not symmetric."""
    weights = torch.rand(count, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    weights, x = weights.requires_grad_(), x.clone().requires_grad_()
    y = block(x, weights, active)
    (y * torch.linspace(-1, 2, y.numel(), dtype=torch.float64).view_as(y)).sum().backward()
    assert x.grad is not None and weights.grad is not None
    named = {name: p.grad for name, p in block.named_parameters() if p.grad is not None}
    return y.detach(), named | {"input": x.grad, "mask": weights.grad}


def assert_equal(block: IndependentBlock, x: Tensor, active: list[int] | None = None) -> None:
    count = len(block.layer.choices)
    active = list(range(count)) if active is None else active
    loop = plain(block)
    y, gradients = step(block, x, active, count)
    expected, expected_gradients = step(loop, x, active, count)
    close = {"rtol": 1e-7, "atol": 1e-8}
    torch.testing.assert_close(y, expected, **close)
    assert gradients.keys() == expected_gradients.keys()
    for name, gradient in expected_gradients.items():
        scale = gradient.abs().max().clamp(min=1.0)
        torch.testing.assert_close(gradients[name] / scale, gradient / scale, **close, msg=name)
    for (name, found), (same, value) in zip(block.named_buffers(), loop.named_buffers(), strict=True):
        assert name == same
        torch.testing.assert_close(found, value, **close, msg=name)


def independent(*args: object, **options: object) -> IndependentBlock:
    block = make(*args, **options)  # type: ignore[arg-type]
    assert isinstance(block, IndependentBlock)
    return block


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(
    "size", [(1, 1), (2, 2), (3, 3), (4, 4), (7, 7), (8, 5), (9, 9), (16, 16), (33, 33)], ids=str
)
def test_maps_of_every_size(size: tuple[int, int], stride: int) -> None:
    assert_equal(independent(layer(stride=stride)), images(3, *size))


@pytest.mark.slow
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [56, 112])
def test_large_maps(size: int, stride: int) -> None:
    assert_equal(independent(layer(stride=stride)), images(2, size, size))


@pytest.mark.parametrize("choices", [CHOICES, MOGA, FBNET], ids=["own", "moga", "fbnet"])
@pytest.mark.parametrize(("stride", "out"), [(1, 4), (1, 6), (2, 4)])
def test_every_kind_of_choice(choices: tuple[Choice, ...], stride: int, out: int) -> None:
    """Residual or not; grouped convolutions and skips are computed one by one and added."""
    assert_equal(independent(layer(choices, stride, out=out)), images(2, 6, 6))


@pytest.mark.parametrize("activation", ["relu", "relu6", "hswish", "swish", "none"])
def test_every_activation(activation: str) -> None:
    assert_equal(independent(layer(activation=activation)), images(3, 5, 5))


@pytest.mark.parametrize("active", [[0, 1], [3, 2], [1, 4, 5], [2]], ids=str)
def test_some_choices(active: list[int]) -> None:
    block = independent(layer())
    assert_equal(block, images(3, 6, 6), active)
    touched = {name.split(".")[1] for name, p in block.named_parameters() if p.grad is not None}
    assert touched == {str(choice) for choice in active}, "the others have no gradient, not a zero one"


def test_tiles_of_any_size() -> None:
    """How many choices are computed at a time decides nothing."""
    for size in (1, 4 * 4 * 36 * 3 * 8, 2**40):
        block = independent(layer(MOGA))
        block.tile_bytes = size
        assert_equal(block, images(3, 6, 6))


def test_ordinary_layout() -> None:
    block, x = independent(layer()), images(3, 6, 6).contiguous()
    assert_equal(block, x)


@pytest.mark.parametrize("active", [[0, 1, 2, 3, 4, 5], [2]], ids=str)
def test_evaluation_of_a_single_image(active: list[int]) -> None:
    block = independent(layer()).eval()
    assert_equal(block, images(1, 1, 1), active)


def test_a_single_value_per_channel_is_refused_as_ever() -> None:
    block = independent(layer())
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        block(images(1, 1, 1), torch.ones(6).double(), range(6))


@pytest.mark.parametrize(
    ("options", "together"),
    [
        ({"expansion": 1}, True),
        ({"hidden": 4}, True),
        ({"expansion": 2, "expand_always": False}, True),
        ({"expansion": 2, "se": 0.5, "se_of": "input", "se_gate": "sigmoid", "se_activation": "relu"}, True),
        ({"expansion": 1, "expand_always": False}, False),
        ({"hidden": 4, "expand_always": False}, False),
        ({"expansion": 2, "residual": False}, False),
        ({"expansion": 1, "groups": 2}, False),
    ],
)
@pytest.mark.parametrize("sharing", SHARINGS)
def test_which_choices_are_computed_together(
    options: dict[str, Any], together: bool, sharing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others run alone beside them, and the sum is the same."""
    block = make(layer((*CHOICES[:3], Choice.of("other", kernel=3, **options))), sharing)
    ran, project = list[int](), block.project
    monkeypatch.setattr(
        block, "project", lambda how, x, choices: (ran.extend(choices), project(how, x, choices))[1]
    )
    x, weights = images(3, 8, 8), torch.linspace(0.2, 1, 4, dtype=torch.float64)
    each = [block.extract(choice)(x) for choice in range(4)]
    y = block(x, weights, range(4))
    assert (3 in ran, set(ran) >= {0, 1, 2}) == (together, True)
    torch.testing.assert_close(y, sum(w * part for w, part in zip(weights, each, strict=True)))


def test_exchanged_batch_norms_are_respected() -> None:
    """Synchronised or otherwise special batch norms see every map of their own."""

    class Doubling(nn.BatchNorm2d):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * super().forward(x)

    block, x, weights = independent(layer()), images(2, 4, 4), torch.ones(6).double()
    before = block(x, weights, range(6))
    alone = block(x, weights, (0,)) - x
    special = Doubling(4).double()
    special.load_state_dict(block.blocks[0].project.bn.state_dict())
    block.blocks[0].project.bn = special
    torch.testing.assert_close(block(x, weights, range(6)), before + alone)


def test_frozen_weights_get_no_gradient_and_the_mask_the_same() -> None:
    """The step of alpha does not pay for the gradients of weights."""
    block = independent(layer())
    x, weights = images(3, 6, 6), torch.rand(6, dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(block(x, weights, range(6)).square().sum(), weights)
    block.requires_grad_(False)
    block(x, weights, range(6)).square().sum().backward()
    torch.testing.assert_close(weights.grad, expected)
    assert all(parameter.grad is None for parameter in block.parameters())


@pytest.mark.parametrize("plan", ["none", "choice", "block"])
@pytest.mark.parametrize(
    "active", [[0, 1, 2, 3, 4, 5], [0, 4, 1], [1, 3, 5], [4, 0, 2], [0, 1], [5]], ids=str
)
@pytest.mark.parametrize("stride", [1, 2])
def test_entangled_choices_are_the_sum_of_their_runs(stride: int, active: list[int], plan: str) -> None:
    block, loop = (make(layer(stride=stride), "entangled", p) for p in (plan, "none"))
    x = images(3, 6, 6)
    loop.forward = lambda x, w, a: sum(w[i] * loop.run(x, i) for i in a)  # type: ignore[method-assign]
    y, gradients = step(block, x, active, 6)
    expected, expected_gradients = step(loop, x, active, 6)
    torch.testing.assert_close(y, expected, rtol=1e-8, atol=1e-8)
    assert gradients.keys() == expected_gradients.keys()
    for name, gradient in expected_gradients.items():
        torch.testing.assert_close(gradients[name], gradient, rtol=1e-7, atol=1e-7, msg=name)
    for (name, found), (_, value) in zip(block.named_buffers(), loop.named_buffers(), strict=True):
        torch.testing.assert_close(found, value, rtol=1e-8, atol=1e-8, msg=name)


@pytest.mark.parametrize("sharing", sorted(SHARINGS))
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_mixed_precision_is_near_and_statistics_stay_exact(sharing: str, dtype: torch.dtype) -> None:
    """Maps in half precision; statistics, covariance and mask in float32."""
    which = layer(MOGA, activation="relu")
    exact, mixed = (make(which, sharing).float() for _ in range(2))
    x = images(8, 8, 8).float().contiguous(memory_format=torch.channels_last)
    weights = torch.rand(12, generator=torch.Generator().manual_seed(2)).requires_grad_()
    expected = exact(x, weights, range(12))
    with torch.autocast("cpu", dtype=dtype):
        y = mixed(x, weights, range(12))
        assert y.dtype == dtype
        # Lightning's manual optimisation calls backward under autocast too.
        (gradient,) = torch.autograd.grad(y.float().square().mean(), weights)
    (expected_gradient,) = torch.autograd.grad(expected.square().mean(), weights)
    torch.testing.assert_close(y.float(), expected, rtol=0.1, atol=0.1 * expected.abs().max().item())
    torch.testing.assert_close(gradient, expected_gradient, rtol=0.1, atol=0.1)
    assert gradient.dtype == torch.float32
    for name, buffer in mixed.named_buffers():
        assert not buffer.is_floating_point() or buffer.dtype == torch.float32
        if "expand" in name and "num" not in name:
            # From the covariance of the input, which was rounded once: not from rounded products.
            torch.testing.assert_close(buffer, dict(exact.named_buffers())[name], rtol=0.02, atol=0.02)
