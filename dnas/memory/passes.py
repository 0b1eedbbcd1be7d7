"""The forward and backward passes of a search's step, each with the heaviest choices it may have to run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from dnas.search.gradient.masks import MaskStrategy
from dnas.space import Decision, SearchSpace


class Pass(NamedTuple):
    """One forward and backward pass.

    active: the choices to execute per layer; None means all.
    weights_learn, alpha_learns: what gets gradients.
    holds_gradients: gradients of all weights are there already: they are accumulated.
    """

    active: tuple[tuple[int, ...], ...] | None
    weights_learn: bool = True
    alpha_learns: bool = False
    holds_gradients: bool = False


def plan_passes(
    space: SearchSpace,
    weight_masks: MaskStrategy,
    alpha_masks: MaskStrategy | None = None,
    *,
    bilevel: bool = True,
    accumulate: int = 1,
) -> tuple[Pass, ...]:
    """What a search's step runs, one after the other.

    Args:
        weight_masks: how masks are drawn when the weights learn.
        alpha_masks: how they are drawn when alpha learns; None if it never does.
        bilevel: False: one pass with ``alpha_masks``, in which both learn.
        accumulate: batches of an optimiser step.
    """
    if alpha_masks is not None and not bilevel:
        return (_pass(space, alpha_masks, accumulate)._replace(alpha_learns=True),)
    weights = _pass(space, weight_masks, accumulate)
    if alpha_masks is None:
        return (weights,)
    alpha = _pass(space, alpha_masks, accumulate)
    return weights, alpha._replace(weights_learn=False, alpha_learns=True)


def _pass(space: SearchSpace, masks: MaskStrategy, accumulate: int) -> Pass:
    alpha = torch.zeros(len(space), space.max_choices)
    valid, generator = torch.from_numpy(space.valid), torch.Generator().manual_seed(0)
    samples = masks.draw(alpha, tau=1.0, generator=generator, valid=valid)
    return Pass(heaviest(space, samples[0].active), holds_gradients=accumulate > 1 or len(samples) > 1)


def heaviest(
    space: SearchSpace, active: Sequence[Sequence[int]] | None
) -> tuple[tuple[int, ...], ...] | None:
    """As many choices per decision as a draw has, those that need most memory: every draw must fit."""
    if active is None:
        return None
    pairs = zip(space.decisions, active, strict=True)
    return tuple(tuple(sorted(_by_weight(decision)[: len(row)])) for decision, row in pairs)


def _by_weight(decision: Decision) -> list[int]:
    """Choices from the heaviest on: most values in the maps of their operations, then most parameters."""

    def weight(index: int) -> tuple[int, int]:
        pairs = zip(decision.layers, decision.blocks[index], strict=True)
        ops = [op for layer, block in pairs for op in block.ops(layer)]
        return sum(op.out_channels * op.output_size**2 for op in ops), sum(op.params for op in ops)

    return sorted(range(len(decision.names)), key=weight, reverse=True)
