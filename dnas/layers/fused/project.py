"""Gates and projections of many choices on one map of hidden channels, written into one output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dnas.layers.fused.checkpointing import Turn
from dnas.layers.fused.rows import to_rows, without_autocast


class Member(NamedTuple):
    """A choice: hidden channels [start, stop), gates (N, stop - start) if any, weights (out, ...)."""

    start: int
    stop: int
    gate: Tensor | None
    projection: Tensor


def project(maps: Tensor, members: Sequence[Member], turn: Turn = Turn.ONLY) -> Tensor:
    """(gate * maps[:, start:stop]) P^T of every member, side by side.

    Members lie side by side or within each other (slices of one block); each channel belongs to at least one.

    Args:
        maps: (N, H, h, w), channels last.
        turn: in a second turn nothing is multiplied, and the result is undefined.

    Returns:
        (N * h * w, members * out) rows.
    """
    spans = tuple((member.start, member.stop, member.gate is not None) for member in members)
    gates = [member.gate for member in members if member.gate is not None]
    projections = [member.projection for member in members]
    result: Tensor = _Project.apply(to_rows(maps), len(maps), spans, turn, *projections, *gates)
    return result


class _Project(torch.autograd.Function):
    """Autograd alone would pad the gradient of every slice to the whole map and add them up."""

    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        images: int,
        spans: Sequence[tuple[int, int, bool]],
        turn: Turn,
        *tensors: Tensor,
    ) -> Tensor:
        ctx.save_for_backward(rows, *tensors)
        ctx.images, ctx.spans = images, spans
        out = len(tensors[0])
        if turn is Turn.SECOND:
            return rows.new_empty(1, 1).expand(len(rows), len(spans) * out)
        result = rows.new_empty(len(rows), len(spans) * out)
        for target, (hidden, gate, projection) in zip(
            result.split(out, dim=1), _members(rows, spans, tensors), strict=True
        ):
            _multiply_into(target, _gated(hidden, gate, images), projection.t())
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        with without_autocast(dy):
            return _gradients(ctx, dy)


def _gradients(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
    rows, *tensors = ctx.saved_tensors
    spans, images = ctx.spans, ctx.images
    d_rows = torch.empty_like(rows)
    d_projections: list[Tensor] = [rows] * len(spans)
    d_gates: dict[int, Tensor] = {}
    members = list(zip(spans, dy.split(len(tensors[0]), dim=1), _members(rows, spans, tensors), strict=True))
    written: list[tuple[int, int]] = []
    # The widest first: what overlaps then lies within what is written already, and is added to it.
    for index in sorted(range(len(spans)), key=lambda i: spans[i][0] - spans[i][1]):
        (start, stop, _), d_out, (hidden, gate, projection) = members[index]
        d_projections[index] = d_out.t() @ _gated(hidden, gate, images)
        target = d_rows[:, start:stop]
        overlaps = any(begin <= start and stop <= end for begin, end in written)
        assert overlaps or not any(start < end and begin < stop for begin, end in written)
        written.append((start, stop))
        if gate is None:
            _multiply_into(target, d_out, projection, add=overlaps)
            continue
        d_hidden = d_out @ projection
        d_gates[index] = (d_hidden * hidden).view(images, -1, stop - start).sum(1)
        d_hidden = _gated(d_hidden, gate, images)
        target.add_(d_hidden) if overlaps else target.copy_(d_hidden)
    gates = [d_gates[index] for index in sorted(d_gates)]
    return d_rows, None, None, None, *d_projections, *gates


def _multiply_into(target: Tensor, a: Tensor, b: Tensor, add: bool = False) -> None:
    """target = a b, or target += a b, in place; a compiler takes no slices as outputs, but fuses copies."""
    if not torch.compiler.is_compiling():
        torch.addmm(target, a, b, beta=int(add), out=target)
    elif add:
        target.add_(a @ b)
    else:
        target.copy_(a @ b)


def _members(
    rows: Tensor, spans: Sequence[tuple[int, int, bool]], tensors: Sequence[Tensor]
) -> Iterator[tuple[Tensor, Tensor | None, Tensor]]:
    """(hidden rows, gate or None, projection) of every member."""
    gates = iter(tensors[len(spans) :])
    for (start, stop, gated), projection in zip(spans, tensors, strict=False):
        yield rows[:, start:stop], next(gates) if gated else None, projection


def _gated(rows: Tensor, gate: Tensor | None, images: int) -> Tensor:
    if gate is None:
        return rows
    return (rows.view(images, -1, rows.shape[1]) * gate[:, None]).view(len(rows), -1)
