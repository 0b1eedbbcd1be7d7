"""What the architecture minimises: cross-entropy, a latency form, and rewards for size.

Forms: FBNet (arXiv 1812.03443 eq. 2), ProxylessNAS (1812.00332 eq. 5), MnasNet (1807.11626 eq. 2),
TuNAS (2008.06120 sec. 3). Every form keeps the gradient of its latency.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

_US_PER_MS = 1000.0
# Of every number of an objective: products of it and of costs stay far below what float32 holds.
LARGEST = 1e9


class LatencyForm(ABC):
    """Joins a cross-entropy and an expected latency in milliseconds into one differentiable loss.

    A form that aims at a latency has it as ``target_ms``.
    """

    # Exclusive lower bound of the latency for which the formula holds.
    floor_ms: ClassVar[float] = 0.0
    # |x - T| and max(0, x - T) of a draw are not those of the expectation: see `centred`.
    compares_with_target: ClassVar[bool] = False

    def __call__(self, ce: Tensor, latency_ms: Tensor, scale: float = 1.0) -> Tensor:
        """Return the loss.

        Args:
            ce: cross-entropy, any shape that broadcasts with latency_ms (usually both are scalars).
            latency_ms: expected latency of the drawn mask in milliseconds.
            scale: scheduled strength >= 0; multiplies a weight or an exponent. 0 leaves the cross-entropy
                (times its constant factor, for `fbnet`).

        Raises:
            ValueError: scale is negative or not finite; a latency is not finite or not above `floor_ms`
                (looked at on the CPU only: a GPU's host would have to wait for it).
        """
        problems = []
        if not (math.isfinite(scale) and scale >= 0.0):
            problems.append(f"scale must be finite and not negative, got {scale}")
        measured = latency_ms.detach()
        at_hand = measured.device.type == "cpu"
        if at_hand and not bool((measured.isfinite() & (measured > self.floor_ms)).all()):
            problems.append(
                f"latency_ms must be finite and above {self.floor_ms:g} ms for {type(self).__name__}, "
                f"got {measured.tolist()}; check the table's unit and alpha"
            )
        if problems:
            raise ValueError("; ".join(problems))
        return self._loss(ce, latency_ms, scale)

    @abstractmethod
    def _loss(self, ce: Tensor, latency_ms: Tensor, scale: float) -> Tensor:
        """Return the loss for checked arguments."""


@dataclass(frozen=True)
class FBNetLatency(LatencyForm):
    """ce * a * log(latency in microseconds)^(scale * b), natural logarithm: log(LAT)^b, not log(LAT^b).

    Args:
        a: Constant factor of the loss.
        b: Exponent of the logarithm.
    """

    a: float = 0.2
    b: float = 0.6
    # Below 1 us the logarithm is negative and has no real power.
    floor_ms: ClassVar[float] = 1.0 / _US_PER_MS

    def __post_init__(self) -> None:
        _check(above_zero={"a": self.a}, not_negative={"b": self.b})

    def _loss(self, ce: Tensor, latency_ms: Tensor, scale: float) -> Tensor:
        return ce * self.a * torch.log(latency_ms * _US_PER_MS) ** (self.b * scale)


@dataclass(frozen=True)
class AdditiveLatency(LatencyForm):
    """ce + scale * weight_per_ms * latency (ProxylessNAS).

    Args:
        weight_per_ms: Loss per millisecond; the default is our assumption, made for losses of the order of 1.
    """

    weight_per_ms: float = 0.1

    def __post_init__(self) -> None:
        _check(not_negative={"weight_per_ms": self.weight_per_ms})

    def _loss(self, ce: Tensor, latency_ms: Tensor, scale: float) -> Tensor:
        return ce + scale * self.weight_per_ms * latency_ms


@dataclass(frozen=True)
class MnasNetLatency(LatencyForm):
    """ce * (latency / target)^(scale * exponent): the loss form of MnasNet's reward ACC * (LAT / T)^-0.07.

    The reward is maximised and has a negative exponent; a loss is minimised, so its exponent is positive.

    Args:
        target_ms: Latency at which the factor is 1.
        exponent: Strength; 0.07 is the paper's.
    """

    target_ms: float
    exponent: float = 0.07

    def __post_init__(self) -> None:
        _check(above_zero={"target_ms": self.target_ms}, not_negative={"exponent": self.exponent})

    def _loss(self, ce: Tensor, latency_ms: Tensor, scale: float) -> Tensor:
        return ce * (latency_ms / self.target_ms) ** (self.exponent * scale)


@dataclass(frozen=True)
class AbsoluteLatency(LatencyForm):
    """ce + scale * weight * |latency / target - 1| (TuNAS; weight is -beta of its reward).

    Args:
        target_ms: Latency at which the term is 0.
        weight: Loss at a latency of 0 or of twice the target.
    """

    target_ms: float
    weight: float
    compares_with_target: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check(above_zero={"target_ms": self.target_ms}, not_negative={"weight": self.weight})

    def _loss(self, ce: Tensor, latency_ms: Tensor, scale: float) -> Tensor:
        return ce + scale * self.weight * (latency_ms / self.target_ms - 1.0).abs()


@dataclass(frozen=True)
class HingeLatency(LatencyForm):
    """ce + scale * weight * max(0, latency / target - 1): no reward for being faster than the target.

    Args:
        target_ms: Latency up to which the term is 0.
        weight: Loss at twice the target.
    """

    target_ms: float
    weight: float
    compares_with_target: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check(above_zero={"target_ms": self.target_ms}, not_negative={"weight": self.weight})

    def _loss(self, ce: Tensor, latency_ms: Tensor, scale: float) -> Tensor:
        return ce + scale * self.weight * (latency_ms / self.target_ms - 1.0).relu()


class Loss(NamedTuple):
    """A loss and the terms that add up to it: total = ce + latency + params + madds.

    Only `total` carries gradients; the terms are detached, for logging. `latency` is what the latency form
    adds to the cross-entropy, for multiplicative forms too.
    """

    total: Tensor
    ce: Tensor
    latency: Tensor
    params: Tensor
    madds: Tensor


@dataclass(frozen=True)
class Objective:
    """The architecture's loss: form(ce, latency) - params_reward * params / 1e6 - madds_reward * madds / 1e8.

    Args:
        form: Joins cross-entropy and latency: FBNetLatency, AdditiveLatency, MnasNetLatency, AbsoluteLatency,
            HingeLatency, or one of your own.
        params_reward: Loss taken off per million parameters; negative penalises size.
        madds_reward: Loss taken off per hundred million multiply-adds; negative penalises them.
        cross_entropy: False replaces the cross-entropy by the constant 1, so that only the costs act.

    Raises:
        ValueError: naming every reward that is not finite, or beyond :data:`LARGEST`.
    """

    form: LatencyForm = field(default_factory=FBNetLatency)
    params_reward: float = 0.0
    madds_reward: float = 0.0
    cross_entropy: bool = True

    def __post_init__(self) -> None:
        rewards = {"params_reward": self.params_reward, "madds_reward": self.madds_reward}
        wrong = [f"{name} must be finite, got {x}" for name, x in rewards.items() if not math.isfinite(x)]
        wrong += _too_large(rewards)
        if wrong:
            raise ValueError(f"objective: {'; '.join(wrong)}")

    @property
    def target_ms(self) -> float | None:
        """The latency that the form aims at, in milliseconds; None where it aims at none."""
        return getattr(self.form, "target_ms", None)

    def __call__(
        self, ce: Tensor, latency_ms: Tensor, params: Tensor, madds: Tensor, scale: float = 1.0
    ) -> Loss:
        """Return the loss of one drawn mask; all arguments are scalars (or broadcast).

        Args:
            ce: cross-entropy of the forward that used the mask.
            latency_ms: expected latency of the mask in milliseconds.
            params: expected number of parameters of the mask.
            madds: expected number of multiply-adds of the mask.
            scale: scheduled strength >= 0 of all the cost terms; 0 leaves the cross-entropy.

        Raises:
            ValueError: scale is negative or not finite, or the latency is not one the form is defined for.
        """
        base = ce if self.cross_entropy else torch.ones_like(ce)
        joint = self.form(base, latency_ms, scale)
        size = -scale * self.params_reward * params / 1e6
        work = -scale * self.madds_reward * madds / 1e8
        terms = (base, joint - base, size, work)
        return Loss(joint + size + work, *(term.detach() for term in terms))


def centred(sampled: Tensor, expected: Tensor) -> Tensor:
    """Return the expectation's value with the drawn mask's gradient: sampled + (expected - sampled).detach().

    A cost is linear in the mask, so its gradient needs no correction; but a form that compares with a target
    sees one draw, and E|LAT(mask) - T| is least where the *median* draw meets the target, not where the
    expected latency under softmax(alpha) does: in a toy space soft masks end 2 %, hard ones 4 % and two-path
    masks 8 % off. Centred, every mask strategy converges to the target.

    Args:
        sampled: cost of the drawn mask, any shape, with gradient.
        expected: cost under softmax(alpha), same shape and unit.
    """
    return sampled + (expected - sampled).detach()


def _check(above_zero: dict[str, float] | None = None, not_negative: dict[str, float] | None = None) -> None:
    """Raise one ValueError naming every value that is out of range or not finite."""
    wrong = [
        f"{name} must be finite and above 0, got {value}"
        for name, value in (above_zero or {}).items()
        if not (math.isfinite(value) and value > 0.0)
    ]
    wrong += [
        f"{name} must be finite and not negative (the loss is minimised), got {value}"
        for name, value in (not_negative or {}).items()
        if not (math.isfinite(value) and value >= 0.0)
    ]
    wrong += _too_large({**(above_zero or {}), **(not_negative or {})})
    if wrong:
        raise ValueError("; ".join(wrong))


def _too_large(values: dict[str, float]) -> list[str]:
    return [
        f"{name} must be at most {LARGEST:g} in size, got {value}"
        for name, value in values.items()
        if LARGEST < abs(value) < math.inf
    ]
