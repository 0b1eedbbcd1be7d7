"""Contract 1: the cost term reaches alpha, with the gradient that finite differences give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dnas.costs import count
from dnas.search.gradient.masks import HardGumbel, MaskStrategy, Sample, SoftGumbel, TwoPath
from dnas.search.gradient.objective import (
    AbsoluteLatency,
    AdditiveLatency,
    FBNetLatency,
    HingeLatency,
    LatencyForm,
    MnasNetLatency,
    Objective,
)
from lightning_modules.search import DifferentiableSearch

FORMS: list[LatencyForm] = [
    FBNetLatency(),
    AdditiveLatency(weight_per_ms=0.5),
    MnasNetLatency(target_ms=1.0, exponent=0.5),
    AbsoluteLatency(target_ms=1.0, weight=2.0),
    HingeLatency(target_ms=0.1, weight=2.0),
]
STRATEGIES = [SoftGumbel(), HardGumbel(), HardGumbel(all_paths=True), TwoPath()]
STEP = 1e-6


@pytest.fixture(
    params=[(form, strategy) for form in FORMS for strategy in STRATEGIES],
    ids=lambda pair: "-".join(type(each).__name__ for each in pair),
)
def search(request: pytest.FixtureRequest, make_search: Callable[..., DifferentiableSearch]) -> Any:
    form, strategy = request.param
    objective = Objective(form, params_reward=30.0, madds_reward=-50.0)
    search = make_search(objective=objective, alpha={"masks": strategy}).double().train()
    # Dropout would be another function at every call; logging needs a trainer.
    for module in search.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    search.log = lambda *arguments, **options: None
    generator = torch.Generator().manual_seed(1)
    search.relaxation.alpha.data.copy_(torch.randn(3, 4, generator=generator))
    return search


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    images = torch.rand(6, 3, 8, 8, generator=generator, dtype=torch.float64)
    return images, torch.arange(6)


def cross_entropy(search: DifferentiableSearch, batch: tuple[Tensor, Tensor], sample: Sample) -> Tensor:
    images, labels = batch
    logits = search.supernet(images.contiguous(memory_format=torch.channels_last), *sample)
    return nn.functional.cross_entropy(logits, labels)


def total_of_mask(search: DifferentiableSearch, batch: Any, sample: Sample) -> Callable[[Tensor], Tensor]:
    """The loss as a function of the mask, from the tables themselves.

    Forms with a target take the expected latency's value at the present alpha and the drawn mask's gradient:
    the difference between the two is a constant.
    """
    table, costs = search.table, count(search.space)
    sizes = [(costs.params, costs.fixed_params), (costs.madds, costs.fixed_madds)]

    def latency_of(mask: Tensor) -> Tensor:
        return (mask * torch.tensor(table.ms)).sum() + table.fixed_ms

    offset = 0.0
    if search.objective.form.compares_with_target:
        valid = torch.from_numpy(search.space.valid)
        share = torch.where(valid, search.relaxation.alpha.detach(), -torch.inf).softmax(dim=1)
        offset = float(latency_of(share) - latency_of(sample.mask.detach()))

    def total(mask: Tensor) -> Tensor:
        ce = cross_entropy(search, batch, Sample(mask, sample.active))
        params, madds = ((mask * torch.tensor(values)).sum() + fixed for values, fixed in sizes)
        return search.objective(ce, latency_of(mask) + offset, params, madds).total

    return total


def differences(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """Central differences; (shape of the value, shape of ``at``)."""
    columns = []
    for index in range(at.numel()):
        step = torch.zeros(at.numel(), dtype=at.dtype)
        step[index] = STEP
        step = step.view_as(at)
        with torch.no_grad():
            columns.append((function(at + step) - function(at - step)) / (2 * STEP))
    value_shape = columns[0].shape
    return torch.stack(columns, dim=-1).reshape(*value_shape, *at.shape)


def soft_mask(search: DifferentiableSearch, strategy: MaskStrategy) -> Callable[[Tensor], Tensor]:
    """The differentiable mask as a function of alpha; straight-through masks have the soft one's gradient."""
    soft = SoftGumbel() if isinstance(strategy, HardGumbel) else strategy

    def mask(alpha: Tensor) -> Tensor:
        search.relaxation.alpha.data.copy_(alpha)
        return search.relaxation.draw(soft, search.tau, index=5, phase=1)[0].mask.detach().clone()

    return mask


def test_gradient_of_the_loss_equals_finite_differences(search: DifferentiableSearch, batch: Any) -> None:
    strategy, alpha = search.alpha.masks, search.relaxation.alpha
    (sample,) = search.relaxation.draw(strategy, search.tau, index=5, phase=1)
    search._loss(batch, sample, costs=True).backward()
    total = total_of_mask(search, batch, sample)
    by_mask = differences(total, sample.mask.detach())
    by_alpha = differences(soft_mask(search, strategy), alpha.detach().clone())
    assert alpha.grad is not None and alpha.grad.abs().max() > 1e-3
    torch.testing.assert_close(
        alpha.grad, torch.einsum("lc,lcij->ij", by_mask, by_alpha), rtol=1e-4, atol=1e-6
    )


def test_costs_change_the_direction_of_the_gradient(search: DifferentiableSearch, batch: Any) -> None:
    """Not only its length: a factor on the cross-entropy would not make anything faster."""
    alpha = search.relaxation.alpha
    (sample,) = search.relaxation.draw(search.alpha.masks, search.tau, index=5, phase=1)
    (ce,) = torch.autograd.grad(cross_entropy(search, batch, sample), alpha)
    (sample,) = search.relaxation.draw(search.alpha.masks, search.tau, index=5, phase=1)
    (total,) = torch.autograd.grad(search._loss(batch, sample, costs=True), alpha)
    across = total - ce * (total * ce).sum() / (ce * ce).sum()
    assert across.norm() > 1e-3


def test_a_scale_of_zero_leaves_the_cross_entropy(make_search: Any, batch: Any) -> None:
    search = make_search(objective=Objective(AdditiveLatency(weight_per_ms=0.5), params_reward=3.0))
    search.log = lambda *arguments, **options: None
    batch = batch[0].float(), batch[1]
    search.latency_scale = 0.0
    (sample,) = search.relaxation.draw(search.alpha.masks, search.tau, index=5, phase=1)
    for module in search.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    (ce,) = torch.autograd.grad(cross_entropy(search, batch, sample), search.relaxation.alpha)
    (sample,) = search.relaxation.draw(search.alpha.masks, search.tau, index=5, phase=1)
    (total,) = torch.autograd.grad(search._loss(batch, sample, costs=True), search.relaxation.alpha)
    torch.testing.assert_close(total, ce)
