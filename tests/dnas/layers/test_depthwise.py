"""The weight gradient of our own is that of PyTorch's convolution; it is taken only where it helps."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from dnas.layers import depthwise as module
from dnas.layers.depthwise import DepthwiseConv2d, depthwise, weight_gradient


def maps(*shape: int) -> Tensor:
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return x.contiguous(memory_format=torch.channels_last)


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our gradient for every kernel and map, not only where it is faster."""
    monkeypatch.setattr(module, "_own_gradient", lambda x, weight: True)


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
@pytest.mark.parametrize("size", [(1, 1), (1, 4), (2, 2), (3, 7), (4, 4), (9, 5), (28, 28)], ids=str)
def test_gradients_are_those_of_the_library(size: tuple[int, int], kernel: int, stride: int) -> None:
    x, weight = maps(3, 5, *size), maps(5, 1, kernel, kernel)
    expected = F.conv2d(x, weight, None, stride, kernel // 2, groups=5)
    torch.testing.assert_close(depthwise(x, weight, stride), expected, rtol=1e-12, atol=1e-12)
    check_gradients(x, weight, stride)


@pytest.mark.parametrize("stride", [1, 2])
def test_maps_that_cudnn_is_slow_for(stride: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their way to the gradient, on this device; the condition for it needs a GPU."""
    monkeypatch.setattr(module, "_own_gradient", lambda x, weight: False)
    monkeypatch.setattr(module, "_slow_for_cudnn", lambda x, weight: True)
    check_gradients(maps(3, 5, 9, 8), maps(5, 1, 7, 7), stride)


@pytest.mark.gpu
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [2, 9])
def test_wide_kernels_on_a_gpu(size: int, stride: int) -> None:
    x, weight = maps(3, 5, size, size).float().cuda(), maps(5, 1, 7, 7).float().cuda()
    y = depthwise(x, weight.requires_grad_(), stride)
    assert size == 2 or "_Depthwise" in y.grad_fn.name()  # type: ignore[union-attr]
    check_gradients(x, weight.detach(), stride, tolerance=1e-3)


def check_gradients(x: Tensor, weight: Tensor, stride: int, tolerance: float = 1e-10) -> None:
    """Those of depthwise are those of the library's convolution."""
    x, weight = x.requires_grad_(), weight.requires_grad_()
    y, expected = (
        depthwise(x, weight, stride),
        F.conv2d(x, weight, None, stride, weight.shape[-1] // 2, groups=x.shape[1]),
    )
    dy = torch.randn_like(y)
    for found, wanted in zip(
        torch.autograd.grad(y, (x, weight), dy), torch.autograd.grad(expected, (x, weight), dy), strict=True
    ):
        torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [5, 7])
def test_large_images_have_their_gradients_one_by_one(
    kernel: int, stride: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGE_IMAGE", 5 * 9 * 6 * 8)
    for size in [(9, 6), (9, 5)]:
        x, weight = maps(3, 5, *size), maps(5, 1, kernel, kernel)
        dy = maps(*depthwise(x, weight, stride).shape)
        expected = module._library_gradient(x, dy, weight, stride, 1)
        torch.testing.assert_close(weight_gradient(x, dy, weight, stride), expected)


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("size", [1, 5 * 36 * 8 * 2, 2**40])
def test_images_are_folded_a_few_at_a_time(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FOLDED_BYTES", size)
    x, weight, dy = maps(7, 5, 6, 6), maps(5, 1, 5, 5), maps(7, 5, 6, 6)
    expected = module._library_gradient(x, dy, weight, 1, 1)
    torch.testing.assert_close(weight_gradient(x, dy, weight, 1), expected)


@pytest.mark.parametrize(
    ("shape", "kernel", "own"),
    [
        ((2, 5, 8, 8), 5, True),
        ((2, 5, 2, 2), 3, True),
        ((2, 5, 56, 56), 7, True),
        ((2, 5, 8, 8), 3, False),
    ],
    ids=str,
)
def test_where_it_is_taken(shape: tuple[int, ...], kernel: int, own: bool) -> None:
    x, weight = maps(*shape).float(), torch.randn(5, 1, kernel, kernel, requires_grad=True)
    assert ("_Depthwise" in depthwise(x, weight, 1).grad_fn.name()) == own  # type: ignore[union-attr]
    assert "_Depthwise" not in depthwise(x.contiguous(), weight, 1).grad_fn.name()  # type: ignore[union-attr]
    assert "_Depthwise" not in depthwise(x.bfloat16(), weight.bfloat16(), 1).grad_fn.name()  # type: ignore[union-attr]


def test_the_gradient_of_one_pixel_is_no_convolution() -> None:
    """With one thread a 1x1 convolution of so many groups would run group by group, for seconds."""

    class Called(TorchDispatchMode):
        names: ClassVar[set[str]] = set()

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.names.add(func.__name__)
            return func(*args, **(kwargs or {}))

    x, dy, weight = maps(3, 5, 2, 2), maps(3, 5, 1, 1), maps(5, 1, 5, 5)
    with Called():
        weight_gradient(x, dy, weight, 2)
    assert Called.names and not any("convolution" in name for name in Called.names)


def test_no_gradient_is_made_that_nobody_takes() -> None:
    x, weight = maps(2, 5, 4, 4), maps(5, 1, 5, 5).requires_grad_()
    depthwise(x, weight, 1).sum().backward()
    assert x.grad is None and weight.grad is not None
    with torch.no_grad():
        assert depthwise(x, weight, 1).grad_fn is None


def test_the_module_is_an_ordinary_convolution() -> None:
    ours, stock = (
        DepthwiseConv2d(5, 5, 2).double(),
        torch.nn.Conv2d(5, 5, 5, 2, 2, groups=5, bias=False).double(),
    )
    stock.load_state_dict(ours.state_dict())
    torch.testing.assert_close(ours(maps(2, 5, 9, 9)), stock(maps(2, 5, 9, 9)))


def test_a_batch_norm_can_be_folded_into_it() -> None:
    conv, norm = DepthwiseConv2d(5, 3).double().eval(), torch.nn.BatchNorm2d(5).double().eval()
    with torch.no_grad():
        norm.bias.copy_(torch.arange(5))
    x = maps(2, 5, 4, 4)
    torch.testing.assert_close(torch.nn.utils.fuse_conv_bn_eval(conv, norm)(x), norm(conv(x)))
