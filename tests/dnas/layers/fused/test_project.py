"""Projections of many choices on one map, against slices written out, side by side and nested."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dnas.layers.fused.project import Member, project
from dnas.layers.fused.rows import to_rows

SPANS = {
    "side by side": [(0, 3), (3, 5)],
    "nested": [(0, 5), (0, 3), (0, 5)],
    "small first": [(0, 2), (0, 5)],
}


def make(spans: list[tuple[int, int]], gated: bool) -> tuple[Tensor, list[Member]]:
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    maps = random(2, 5, 3, 4).contiguous(memory_format=torch.channels_last).requires_grad_()
    members = []
    for index, (start, stop) in enumerate(spans):
        gate = random(2, stop - start).requires_grad_() if gated or index % 2 else None
        members.append(Member(start, stop, gate, random(3, stop - start).requires_grad_()))
    return maps, members


def written_out(maps: Tensor, members: list[Member]) -> Tensor:
    parts = []
    for start, stop, gate, projection in members:
        hidden = maps[:, start:stop]
        hidden = hidden if gate is None else hidden * gate[..., None, None]
        parts.append(to_rows(hidden) @ projection.t())
    return torch.cat(parts, 1)


@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("spans", SPANS.values(), ids=SPANS)
def test_values_and_gradients(spans: list[tuple[int, int]], gated: bool) -> None:
    maps, members = make(spans, gated)
    y, expected = project(maps, members), written_out(maps, members)
    torch.testing.assert_close(y, expected)
    inputs = [maps, *(m.projection for m in members), *(m.gate for m in members if m.gate is not None)]
    dy = torch.randn(y.shape, dtype=torch.float64)
    for found, wanted in zip(
        torch.autograd.grad(y, inputs, dy), torch.autograd.grad(expected, inputs, dy), strict=True
    ):
        torch.testing.assert_close(found, wanted)


def test_half_overlapping_members_are_refused() -> None:
    maps, members = make([(0, 3), (2, 5)], gated=False)
    with pytest.raises(AssertionError):
        project(maps, members).sum().backward()
