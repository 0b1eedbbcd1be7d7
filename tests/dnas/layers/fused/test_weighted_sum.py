"""A weighted sum with a backward pass of its own."""

from __future__ import annotations

import pytest
import torch

from dnas.layers.fused.weighted_sum import weighted_sum


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients(layout: torch.memory_format) -> None:
    generator = torch.Generator().manual_seed(0)
    maps = [
        torch.randn(2, 3, 4, 5, generator=generator, dtype=torch.float64)
        .contiguous(memory_format=layout)
        .requires_grad_()
        for _ in range(3)
    ]
    weights = [torch.rand((), generator=generator, dtype=torch.float64).requires_grad_() for _ in range(3)]
    torch.testing.assert_close(
        weighted_sum(maps, weights), sum(w * m for w, m in zip(weights, maps, strict=True))
    )
    assert torch.autograd.gradcheck(lambda *t: weighted_sum(t[:3], t[3:]), (*maps, *weights))


def test_many_small_products_count_in_half_precision() -> None:
    maps = [torch.full((1, 64, 32, 32), 0.01, dtype=torch.bfloat16)]
    weight = torch.ones((), requires_grad=True)
    weighted_sum(maps, [weight]).backward(torch.full_like(maps[0], 0.01))
    assert weight.grad is not None
    assert weight.grad.item() == pytest.approx(64 * 32 * 32 * maps[0][0, 0, 0, 0].item() ** 2, rel=1e-3)


def test_frozen_weights_are_spared() -> None:
    maps = [torch.ones(1, 1, 2, 2, requires_grad=True)]
    weighted_sum(maps, [torch.tensor(2.0)]).sum().backward()
    assert torch.equal(maps[0].grad, torch.full((1, 1, 2, 2), 2.0))  # type: ignore[arg-type]
