"""Masks: distributions against their formulas, exact zeros and ones, noise that is always finite."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from dnas.search.gradient.masks import (
    HardGumbel,
    MaskStrategy,
    Sample,
    SoftGumbel,
    StrictlyFair,
    TwoPath,
    UniformPath,
    argmax,
    entropy,
    gumbel_from_uniform,
    gumbel_noise,
    probabilities,
)

TRAINING = (SoftGumbel(), HardGumbel(), HardGumbel(all_paths=True), TwoPath())
EVERY = (*TRAINING, UniformPath(), StrictlyFair())
VALID = torch.tensor([[True, True, True, True], [True, False, True, False], [False, False, True, False]])


def name(strategy: object) -> str:
    return f"{type(strategy).__name__}{'-all' if getattr(strategy, 'all_paths', False) else ''}"


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(
    strategy: MaskStrategy, alpha: Tensor, tau: float = 1.0, seed: int = 0, **kwargs
) -> tuple[Sample, ...]:
    return strategy.draw(alpha, tau=tau, generator=generator(seed), **kwargs)


def draws(strategy: MaskStrategy, alpha: Tensor, count: int) -> list[Sample]:
    source = generator()
    return [sample for _ in range(count) for sample in strategy.draw(alpha, tau=1.0, generator=source)]


@pytest.mark.parametrize("strategy", EVERY, ids=name)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("padded", [False, True])
def test_rows_sum_to_one_in_full_precision(strategy: MaskStrategy, dtype: torch.dtype, padded: bool) -> None:
    alpha = torch.randn(3, 4, generator=generator()).to(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        samples = draw(strategy, alpha, valid=VALID if padded else None)
    assert len(samples) == (4 if isinstance(strategy, StrictlyFair) else 1)
    for mask, active in samples:
        assert mask.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
        torch.testing.assert_close(mask.sum(dim=1), torch.ones_like(mask[:, 0]), rtol=0, atol=1e-6)
        if padded:
            assert mask[~VALID].eq(0).all()
            assert mask[2].tolist() == [0, 0, 1, 0]
        if active is not None:
            used = tuple(tuple(row.nonzero().flatten().tolist()) for row in mask.detach())
            assert active == used


@pytest.mark.parametrize("strategy", EVERY, ids=name)
def test_draws_depend_on_the_generator_alone(strategy: MaskStrategy) -> None:
    alpha = torch.zeros(5, 6)
    torch.manual_seed(1)
    first = draw(strategy, alpha, seed=3)
    state = torch.get_rng_state()
    torch.manual_seed(2)
    again = draw(strategy, alpha, seed=3)
    other = draw(strategy, alpha, seed=4)
    assert all(a.mask.equal(b.mask) and a.active == b.active for a, b in zip(first, again, strict=True))
    assert not all(a.mask.equal(b.mask) for a, b in zip(first, other, strict=True))
    torch.manual_seed(1)
    assert torch.get_rng_state().equal(state)


@pytest.mark.parametrize("tau", [0.3, 1.0, 5.0])
def test_soft_gumbel_is_fbnet_equation_8(tau: float) -> None:
    alpha = torch.tensor([[0.5, -1.0, 2.0], [0.0, 0.0, 0.0]])
    noise = gumbel_noise(alpha.shape, generator())
    weights = [
        [math.exp((a + g) / tau) for a, g in zip(*rows, strict=True)]
        for rows in zip(alpha, noise, strict=True)
    ]
    expected = torch.tensor([[w / sum(row) for w in row] for row in weights])
    ((mask, active),) = draw(SoftGumbel(), alpha, tau)
    torch.testing.assert_close(mask, expected)
    assert active is None


@pytest.mark.parametrize("all_paths", [False, True])
def test_hard_gumbel_is_one_hot_with_the_gradient_of_the_soft_mask(all_paths: bool) -> None:
    weights = torch.randn(6, 4, generator=generator(9))
    gradients = []
    masks = []
    for strategy in (SoftGumbel(), HardGumbel(all_paths)):
        alpha = torch.linspace(-1, 1, 24).reshape(6, 4).requires_grad_()
        (sample,) = draw(strategy, alpha, tau=0.7)
        (sample.mask * weights).sum().backward()
        gradients.append(alpha.grad)
        masks.append(sample)
    soft, hard = masks
    assert hard.mask.unique().tolist() == [0.0, 1.0]
    assert hard.mask.argmax(dim=1).equal(soft.mask.argmax(dim=1))
    assert (hard.active is None) == all_paths
    torch.testing.assert_close(*gradients, rtol=0, atol=0)
    assert gradients[0].abs().max() > 0.01


def test_hard_gumbel_chooses_by_the_probabilities_at_any_temperature() -> None:
    alpha = torch.log(torch.tensor([[0.5, 0.3, 0.2]]))
    source = generator()
    chosen = [HardGumbel().draw(alpha, tau=9.0, generator=source)[0].active[0][0] for _ in range(4000)]
    shares = torch.bincount(torch.tensor(chosen), minlength=3) / 4000
    torch.testing.assert_close(shares, torch.tensor([0.5, 0.3, 0.2]), rtol=0, atol=0.03)


def test_two_path_pairs_are_drawn_without_replacement() -> None:
    p = [0.5, 0.3, 0.2]
    counts: dict[tuple[int, ...], int] = {}
    for _, active in draws(TwoPath(), torch.log(torch.tensor([p])), 4000):
        counts[active[0]] = counts.get(active[0], 0) + 1
    for i, j in ((0, 1), (0, 2), (1, 2)):
        expected = p[i] * p[j] / (1 - p[i]) + p[j] * p[i] / (1 - p[j])
        assert counts[i, j] / 4000 == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("tau", [0.5, 1.0, 3.0])
def test_two_path_weights_are_the_softmax_of_the_pair(tau: float) -> None:
    alpha = torch.tensor([[0.4, -0.3, 1.1, 0.0], [2.0, 1.0, -1.0, 0.5]])
    ((mask, active),) = draw(TwoPath(), alpha, tau)
    for layer, (i, j) in enumerate(active):
        first = 1 / (1 + math.exp((alpha[layer, j] - alpha[layer, i]) / tau))
        assert mask[layer, i].item() == pytest.approx(first, rel=1e-5)
        assert mask[layer].count_nonzero() == 2


def test_two_path_without_a_second_choice_has_one() -> None:
    ((mask, active),) = draw(TwoPath(), torch.zeros(2, 1))
    assert (mask.tolist(), active) == ([[1.0], [1.0]], ((0,), (0,)))
    ((_, active),) = draw(TwoPath(), torch.zeros(3, 4), valid=VALID)
    assert [len(row) for row in active] == [2, 2, 1]
    assert active[1:] == ((0, 2), (2,))


def test_uniform_path_ignores_alpha_and_is_uniform_over_the_valid() -> None:
    alpha = torch.tensor([[50.0, 0.0, -50.0, 0.0]])
    valid = torch.tensor([[True, True, True, False]])
    source = generator()
    chosen = [
        UniformPath().draw(alpha, tau=1.0, generator=source, valid=valid)[0].active[0][0] for _ in range(3000)
    ]
    shares = torch.bincount(torch.tensor(chosen), minlength=4) / 3000
    torch.testing.assert_close(shares, torch.tensor([1, 1, 1, 0]) / 3, rtol=0, atol=0.03)


def test_strictly_fair_runs_every_choice_once_per_step_in_independent_orders() -> None:
    samples = draw(StrictlyFair(), torch.zeros(8, 5))
    total = torch.stack([sample.mask for sample in samples]).sum(dim=0)
    assert total.equal(torch.ones(8, 5))
    orders = {tuple(sample.active[layer][0] for sample in samples) for layer in range(8)}
    assert len(orders) > 4


def test_strictly_fair_repeats_narrow_layers() -> None:
    samples = draw(StrictlyFair(), torch.zeros(3, 4), valid=VALID)
    total = torch.stack([sample.mask for sample in samples]).sum(dim=0)
    assert total.tolist() == [[1, 1, 1, 1], [2, 0, 2, 0], [0, 0, 4, 0]]


def test_strictly_fair_refuses_what_it_cannot_share_out() -> None:
    valid = torch.tensor([[True] * 4, [True, True, True, False], [True, False, False, True]])
    with pytest.raises(ValueError, match=r"largest, 4: layer 1 has 3\. Use UniformPath"):
        draw(StrictlyFair(), torch.zeros(3, 4), valid=valid)


@pytest.mark.parametrize("strategy", EVERY, ids=name)
def test_only_training_strategies_reach_alpha(strategy: MaskStrategy) -> None:
    alpha = torch.randn(3, 4, generator=generator(), requires_grad=True)
    mask = draw(strategy, alpha)[0].mask
    assert strategy.trains_alpha == (strategy in TRAINING) == mask.requires_grad


@pytest.mark.parametrize("strategy", TRAINING, ids=name)
def test_padding_gets_no_gradient_whatever_alpha_holds_there(strategy: MaskStrategy) -> None:
    values = torch.randn(3, 4, generator=generator())
    values[~VALID] = torch.tensor([math.nan, math.inf, -math.inf, 1e30, math.nan])[: int((~VALID).sum())]
    alpha = values.requires_grad_()
    (sample,) = draw(strategy, alpha, valid=VALID)
    (sample.mask * torch.arange(12.0).reshape(3, 4)).sum().backward()
    assert alpha.grad is not None
    assert alpha.grad[~VALID].eq(0).all()
    assert alpha.grad.isfinite().all()
    assert alpha.grad[:2].abs().sum() > 0


@pytest.mark.parametrize("strategy", [SoftGumbel(), TwoPath()], ids=name)
@pytest.mark.parametrize("valid", [None, VALID], ids=["full", "padded"])
def test_gradcheck(strategy: MaskStrategy, valid: Tensor | None) -> None:
    alpha = torch.randn(3, 4, dtype=torch.float64, generator=generator(), requires_grad=True)
    assert torch.autograd.gradcheck(lambda a: draw(strategy, a, tau=0.8, valid=valid)[0].mask, alpha)


@pytest.mark.parametrize("strategy", TRAINING, ids=name)
@pytest.mark.parametrize("tau", [1e-37, 1e-6, 1e30])
@pytest.mark.parametrize("spread", [1.0, 1e4, 3e38])
def test_extreme_temperatures_and_logits_stay_finite(
    strategy: MaskStrategy, tau: float, spread: float
) -> None:
    alpha = torch.tensor([[-spread, 0.0, spread], [spread, spread / 2, 0.0]], requires_grad=True)
    (sample,) = draw(strategy, alpha, tau)
    (sample.mask * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert sample.mask.isfinite().all()
    assert alpha.grad is not None
    assert alpha.grad.isfinite().all()


def test_noise_is_finite_and_gumbel() -> None:
    noise = gumbel_noise((10_000_000,), generator())
    assert noise.isfinite().all()
    assert noise.mean().item() == pytest.approx(0.5772, abs=2e-3)
    assert noise.std().item() == pytest.approx(math.pi / math.sqrt(6), abs=2e-3)


def test_noise_of_uniforms_at_both_ends() -> None:
    low, middle, high = gumbel_from_uniform(torch.tensor([0.0, 0.5, 1.0])).tolist()
    assert -5 < low < middle < high < 17
    assert middle == pytest.approx(-math.log(math.log(2)), rel=1e-6)


@pytest.mark.parametrize("strategy", EVERY, ids=name)
def test_non_finite_alpha_is_located(strategy: MaskStrategy) -> None:
    alpha = torch.zeros(3, 4)
    alpha[0, 1], alpha[1, 2], alpha[1, 1] = math.nan, math.inf, math.nan
    with pytest.raises(ValueError, match=r"layer 0 choice 1 = nan, layer 1 choice 2 = inf\. The"):
        draw(strategy, alpha, valid=VALID)


@pytest.mark.parametrize("tau", [0.0, -1.0, math.nan, math.inf, 1e-50])
@pytest.mark.parametrize("strategy", EVERY, ids=name)
def test_bad_temperature_is_quoted(strategy: MaskStrategy, tau: float) -> None:
    with pytest.raises(ValueError, match=f"tau must be finite and above 0 .* got {tau}"):
        draw(strategy, torch.zeros(2, 3), tau)


@pytest.mark.parametrize(
    ("alpha", "valid", "said"),
    [
        (torch.zeros(3), None, r"alpha must be .* got shape \(3,\)"),
        (torch.zeros(0, 3), None, r"alpha must be .* got shape \(0, 3\)"),
        (torch.zeros(2, 3, dtype=torch.long), None, r"alpha must be .* torch.int64"),
        (torch.zeros(2, 3), torch.ones(2, 2, dtype=torch.bool), r"shape \(2, 3\), got shape \(2, 2\)"),
        (torch.zeros(2, 3), torch.ones(2, 3), "torch.float32"),
        (torch.zeros(2, 3), torch.tensor([[True] * 3, [False] * 3]), r"without one: \[1\]"),
    ],
)
@pytest.mark.parametrize(
    "function", [argmax, entropy, probabilities, lambda a, v: draw(TwoPath(), a, valid=v)]
)
def test_bad_shapes_are_named(function, alpha: Tensor, valid: Tensor | None, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        function(alpha, valid)


def test_bad_alpha_and_temperature_are_told_together() -> None:
    with pytest.raises(ValueError, match=r"alpha must .*; tau must"):
        draw(SoftGumbel(), torch.zeros(3), tau=0.0)


def test_probabilities_entropy_and_argmax_by_hand() -> None:
    alpha = torch.log(torch.tensor([[1.0, 1.0, 2.0, 4.0], [1.0, 9.0, 3.0, 9.0], [9.0, 9.0, 1.0, 9.0]]))
    expected = torch.tensor([[1 / 8, 1 / 8, 1 / 4, 1 / 2], [1 / 4, 0, 3 / 4, 0], [0, 0, 1, 0]])
    torch.testing.assert_close(probabilities(alpha, VALID), expected)
    nats = [1.75 * math.log(2), 2 * math.log(2) - 0.75 * math.log(3), 0.0]
    torch.testing.assert_close(entropy(alpha, VALID), torch.tensor(nats))
    torch.testing.assert_close(entropy(torch.zeros(2, 12)), torch.full((2,), math.log(12)))
    assert argmax(alpha, VALID).tolist() == [3, 2, 2]
    assert argmax(torch.tensor([[1.0, 2.0, 2.0], [0.0, 0.0, 0.0]])).tolist() == [1, 0]
    # Nearer than a float32 softmax can tell apart:
    assert argmax(torch.tensor([[1.0, 1.0 + 2e-7]])).tolist() == [1]


def test_entropy_has_finite_gradients_beside_padding_and_certainty() -> None:
    alpha = torch.tensor(
        [[0.0, 500.0, 0.0, 1.0], [1.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0]], requires_grad=True
    )
    entropy(alpha, VALID).sum().backward()
    assert alpha.grad is not None
    assert alpha.grad.isfinite().all()
    assert alpha.grad[1].tolist()[0] == pytest.approx(0.1966, abs=1e-4)  # p q (a_2 - a_0) = 0.2689 * 0.7311


@pytest.mark.gpu
@pytest.mark.parametrize("strategy", EVERY, ids=name)
def test_gpu_draws_what_the_cpu_draws(strategy: MaskStrategy) -> None:
    alpha = torch.randn(3, 4, generator=generator())
    pairs = zip(
        draw(strategy, alpha, valid=VALID), draw(strategy, alpha.cuda(), valid=VALID.cuda()), strict=True
    )
    for here, there in pairs:
        assert here.active == there.active
        assert there.mask.is_cuda
        torch.testing.assert_close(here.mask, there.mask.cpu(), rtol=0, atol=1e-6)
