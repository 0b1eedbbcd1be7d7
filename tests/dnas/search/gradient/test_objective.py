"""The objective: forms against their formulas, gradients that reach alpha, searches that end well."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial

import jsonargparse
import pytest
import torch
from torch import Tensor

from dnas.search.gradient.masks import HardGumbel, MaskStrategy, SoftGumbel, TwoPath, argmax, probabilities
from dnas.search.gradient.objective import (
    AbsoluteLatency,
    AdditiveLatency,
    FBNetLatency,
    HingeLatency,
    LatencyForm,
    MnasNetLatency,
    Objective,
    centred,
)

FORMS: dict[str, LatencyForm] = {
    "fbnet": FBNetLatency(a=0.2, b=0.6),
    "additive": AdditiveLatency(weight_per_ms=0.1),
    "mnasnet": MnasNetLatency(target_ms=6.0, exponent=0.5),
    "absolute": AbsoluteLatency(target_ms=6.0, weight=0.8),
    "hinge": HingeLatency(target_ms=6.0, weight=0.8),
}
STRATEGIES = [SoftGumbel(), HardGumbel(), HardGumbel(all_paths=True), TwoPath()]
# Which paths run makes no difference where only costs act.
COSTS_ONLY = [SoftGumbel(), HardGumbel(), TwoPath()]

# (L, C) = (4, 5): milliseconds, and a toy cross-entropy that would rather have the slow choices.
MS = torch.tensor(
    [[1, 2, 3, 4, 5], [2.5, 0.5, 1.5, 3, 2], [1, 1.2, 1.4, 1.6, 1.8], [3, 2.2, 1, 0.8, 4]],
    dtype=torch.float64,
)
FIXED_MS = 0.9
PARAMS = 1e6 * MS.flip(1)
MADDS = 1e8 * MS.roll(1, 1)


def name(strategy: object) -> str:
    return f"{type(strategy).__name__}{'-all' if getattr(strategy, 'all_paths', False) else ''}"


def out_of_reach(label: str) -> LatencyForm:
    """The form with a target below every architecture's latency, so that the hinge is open."""
    form = FORMS[label]
    return replace(form, target_ms=3.0) if hasattr(form, "target_ms") else form  # type: ignore[type-var]


def scalar(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("ms", [0.5, 5.9, 6.3, 24.0])
@pytest.mark.parametrize(
    ("label", "formula"),
    [
        ("fbnet", lambda ce, ms, s: ce * 0.2 * math.log(1000 * ms) ** (0.6 * s)),
        ("additive", lambda ce, ms, s: ce + s * 0.1 * ms),
        ("mnasnet", lambda ce, ms, s: ce * (ms / 6) ** (0.5 * s)),
        ("absolute", lambda ce, ms, s: ce + s * 0.8 * abs(ms / 6 - 1)),
        ("hinge", lambda ce, ms, s: ce + s * 0.8 * max(0, ms / 6 - 1)),
    ],
)
def test_formula_and_gradient(label: str, formula: Callable[..., float], ms: float, scale: float) -> None:
    ce, latency = scalar(2.3).requires_grad_(), scalar(ms).requires_grad_()
    assert FORMS[label](ce, latency, scale).item() == pytest.approx(formula(2.3, ms, scale), rel=1e-12)
    assert torch.autograd.gradcheck(lambda c, t: FORMS[label](c, t, scale), (ce, latency))


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (FBNetLatency(), 0.2 * 9.0**0.6),  # log(e^9 us) = 9; log(LAT^b) would be 0.2 * 5.4
        (MnasNetLatency(target_ms=math.exp(9) / 2000), 2**0.07),
    ],
)
def test_published_defaults(loss: LatencyForm, expected: float) -> None:
    assert loss(scalar(1.0), scalar(math.exp(9) / 1000)).item() == pytest.approx(expected, rel=1e-12)


def test_all_forms_are_covered() -> None:
    assert {type(each) for each in FORMS.values()} == set(LatencyForm.__subclasses__())


def test_forms_that_compare_with_a_target_say_so() -> None:
    assert {label for label, form in FORMS.items() if form.compares_with_target} == {"absolute", "hinge"}
    aims = {label: Objective(form).target_ms for label, form in FORMS.items()}
    assert aims == {"fbnet": None, "additive": None, "mnasnet": 6.0, "absolute": 6.0, "hinge": 6.0}


@pytest.mark.parametrize("label", FORMS)
@pytest.mark.parametrize("latency", [math.nan, math.inf, 0.0, -1.0])
def test_impossible_latency_is_refused(label: str, latency: float) -> None:
    with pytest.raises(ValueError, match=f"latency_ms must be finite and above .* got {latency}"):
        FORMS[label](scalar(1.0), scalar(latency))


def test_fbnet_needs_more_than_a_microsecond() -> None:
    assert FORMS["fbnet"](scalar(1.0), scalar(0.0011)).isfinite()
    with pytest.raises(ValueError, match=r"above 0\.001 ms for FBNetLatency, got 0\.001;"):
        FORMS["fbnet"](scalar(1.0), scalar(0.001))


@pytest.mark.parametrize("scale", [-0.1, math.nan, math.inf])
def test_bad_scale_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match=f"scale must .* got {scale}"):
        FORMS["additive"](scalar(1.0), scalar(1.0), scale)


@pytest.mark.parametrize("label", FORMS)
@pytest.mark.parametrize("cross_entropy", [True, False])
def test_terms_add_up_and_rewards_lower_the_loss(label: str, cross_entropy: bool) -> None:
    objective = Objective(FORMS[label], 0.02, madds_reward=-0.3, cross_entropy=cross_entropy)
    ce, latency = scalar(2.3).requires_grad_(), scalar(9.0).requires_grad_()
    loss = objective(ce, latency, scalar(5e6), scalar(3e8), scale=0.5)
    base = scalar(2.3 if cross_entropy else 1.0)
    assert loss.ce == base
    assert loss.latency == FORMS[label](base, latency, 0.5) - base
    assert loss.params.item() == pytest.approx(-0.5 * 0.02 * 5)
    assert loss.madds.item() == pytest.approx(+0.5 * 0.3 * 3)
    assert loss.total.item() == pytest.approx(float(sum(loss[1:])), rel=1e-12)
    assert [term.requires_grad for term in loss] == [True, False, False, False, False]
    loss.total.backward()
    assert latency.grad is not None
    assert latency.grad.item() > 0
    assert (ce.grad is not None) == cross_entropy


def test_rewards_are_differentiable() -> None:
    objective = Objective(AbsoluteLatency(6.0, weight=1.0), params_reward=0.02, madds_reward=0.1)
    inputs = tuple(scalar(v).requires_grad_() for v in (2.0, 9.0, 5e6, 3e8))
    objective(*inputs).total.backward()
    gradients = [x.grad.item() for x in inputs if x.grad is not None]
    assert gradients == pytest.approx([1.0, 1 / 6, -0.02e-6, -0.1e-8], rel=1e-12)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            partial(HingeLatency, target_ms=0.0, weight=-1.0),
            [
                "target_ms must be finite and above 0, got 0.0; weight must be finite and not negative",
                "got -1.0",
            ],
        ),
        (partial(AbsoluteLatency, target_ms=math.inf, weight=math.nan), ["got inf; weight", "got nan"]),
        (partial(MnasNetLatency, target_ms=math.nan, exponent=-0.07), ["got nan", "got -0.07"]),
        (partial(AdditiveLatency, weight_per_ms=-1.0), ["weight_per_ms must be finite and not negative"]),
        (
            partial(HingeLatency, target_ms=1e308, weight=1e10),
            ["target_ms must be at most 1e+09", "got 10000000000.0"],
        ),
        (partial(Objective, madds_reward=-1e308), ["objective: madds_reward must be at most 1e+09 in size"]),
        (partial(FBNetLatency, a=0.0, b=math.inf), ["a must be finite and above 0, got 0.0", "got inf"]),
        (
            partial(Objective, params_reward=math.nan, madds_reward=math.inf),
            ["objective: params_reward must be finite, got nan; madds_reward must be finite, got inf"],
        ),
    ],
)
def test_all_that_is_wrong_is_said_at_once(make: Callable[[], object], said: list[str]) -> None:
    with pytest.raises(ValueError) as error:
        make()
    assert [text for text in said if text not in str(error.value)] == []


@pytest.mark.parametrize("label", FORMS)
def test_can_be_written_in_yaml(label: str) -> None:
    parser = jsonargparse.ArgumentParser()
    parser.add_argument("--objective", type=Objective)
    # Named `instantiate` from jsonargparse 4.49 on.
    instantiate = getattr(parser, "instantiate", None) or parser.instantiate_classes
    form = {"class_path": type(FORMS[label]).__name__, "init_args": asdict(FORMS[label])}  # type: ignore[call-overload]
    config = parser.parse_object({"objective": {"form": form, "params_reward": 0.02}})
    assert instantiate(config).objective == Objective(FORMS[label], params_reward=0.02)


# Contract 1: the cost reaches alpha, by the right amount, for every loss form and mask strategy.


def toy_ce(mask: Tensor) -> Tensor:
    """A positive, curved function of the whole mask, that prefers the slow choices."""
    return 0.5 + torch.exp(-0.3 * (mask * MS).sum()) + ((mask * MS.sin()).sum() - 0.7) ** 2


def toy_total(objective: Objective, mask: Tensor) -> Tensor:
    latency = (mask * MS).sum() + FIXED_MS
    return objective(toy_ce(mask), latency, (mask * PARAMS).sum(), (mask * MADDS).sum()).total


def drawn(strategy: MaskStrategy, alpha: Tensor) -> Tensor:
    return strategy.draw(alpha, tau=0.9, generator=torch.Generator().manual_seed(11))[0].mask


def surrogate(
    strategy: MaskStrategy, loss: Callable[[Tensor], Tensor], alpha: Tensor
) -> Callable[[Tensor], Tensor]:
    """Return the function of alpha whose true gradient the strategy's backward must be.

    For masks that are smooth in alpha this is the loss itself. Straight-through masks are not; theirs is the
    loss linearised at the hard mask and moved along the soft mask of the same noise.
    """
    if not isinstance(strategy, HardGumbel):
        return lambda a: loss(drawn(strategy, a))
    hard = drawn(strategy, alpha).detach().requires_grad_()
    (slope,) = torch.autograd.grad(loss(hard), hard)
    return lambda a: (slope * drawn(SoftGumbel(), a)).sum()


def finite_differences(function: Callable[[Tensor], Tensor], alpha: Tensor, step: float = 1e-5) -> Tensor:
    slopes = []
    for index in range(alpha.numel()):
        move = torch.zeros_like(alpha).flatten()
        move[index] = step
        move = move.reshape(alpha.shape)
        slopes.append((function(alpha + move) - function(alpha - move)) / (2 * step))
    return torch.stack(slopes).reshape(alpha.shape)


def gradient(strategy: MaskStrategy, loss: Callable[[Tensor], Tensor], alpha: Tensor) -> Tensor:
    leaf = alpha.clone().requires_grad_()
    (slope,) = torch.autograd.grad(loss(drawn(strategy, leaf)), leaf)
    return slope


@pytest.mark.parametrize("strategy", STRATEGIES, ids=name)
@pytest.mark.parametrize("label", FORMS)
def test_cost_reaches_alpha(label: str, strategy: MaskStrategy) -> None:
    objective = Objective(out_of_reach(label), params_reward=0.02, madds_reward=-0.05)
    alpha = torch.randn(MS.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    total = gradient(strategy, lambda mask: toy_total(objective, mask), alpha)
    alone = gradient(strategy, toy_ce, alpha)
    assert (total - alone).abs().max() > 1e-2
    expected = finite_differences(surrogate(strategy, lambda m: toy_total(objective, m), alpha), alpha)
    torch.testing.assert_close(total, expected.detach(), rtol=1e-5, atol=1e-8)


# Contract 2: without cross-entropy the cheapest wins; with a target the expected latency goes there.


def search(
    objective: Objective, strategy: MaskStrategy, steps: int, centre: bool = False, momentum: float = 0.9
) -> Tensor:
    """Return alpha after gradient descent on the costs alone."""
    alpha = torch.zeros(MS.shape, requires_grad=True)
    optimizer = torch.optim.Adam([alpha], lr=0.05, betas=(momentum, 0.999))
    decay = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, total_iters=steps)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        (sample,) = strategy.draw(alpha, tau=1.0, generator=generator)
        latency = expected_ms(sample.mask)
        if centre:
            latency = centred(latency, expected_ms(probabilities(alpha)))
        optimizer.zero_grad()
        objective(torch.tensor(2.0), latency, torch.tensor(0.0), torch.tensor(0.0)).total.backward()
        optimizer.step()
        decay.step()
    return alpha.detach()


def expected_ms(mask: Tensor) -> Tensor:
    return (mask * MS).sum() + FIXED_MS


@pytest.mark.parametrize("strategy", COSTS_ONLY, ids=name)
@pytest.mark.parametrize("label", FORMS)
def test_without_cross_entropy_the_cheapest_architecture_wins(label: str, strategy: MaskStrategy) -> None:
    alpha = search(Objective(out_of_reach(label), cross_entropy=False), strategy, steps=250)
    assert argmax(alpha).tolist() == MS.argmin(dim=1).tolist()


@pytest.mark.parametrize("strategy", COSTS_ONLY, ids=name)
@pytest.mark.parametrize("target_ms", [5.0, 6.0, 9.0, 13.0])
def test_expected_latency_converges_to_the_target(strategy: MaskStrategy, target_ms: float) -> None:
    objective = Objective(AbsoluteLatency(target_ms, weight=1.0), cross_entropy=False)
    alpha = search(objective, strategy, steps=400, centre=True)
    assert expected_ms(probabilities(alpha)).item() == pytest.approx(target_ms, rel=0.02)


@pytest.mark.parametrize("strategy", COSTS_ONLY, ids=name)
def test_hinge_stops_at_its_target(strategy: MaskStrategy) -> None:
    objective = Objective(HingeLatency(6.0, weight=1.0), cross_entropy=False)
    # Momentum would carry alpha past the target, where no gradient brings it back.
    alpha = search(objective, strategy, steps=400, centre=True, momentum=0.0)
    assert expected_ms(probabilities(alpha)).item() == pytest.approx(6.0, rel=0.02)


def test_centred_has_the_expectation_and_the_gradient_of_the_draw() -> None:
    sampled, expected = scalar(7.0).requires_grad_(), scalar(5.0).requires_grad_()
    value = centred(sampled, expected)
    value.backward()
    assert value.item() == 5.0
    assert sampled.grad == 1.0
    assert expected.grad is None
