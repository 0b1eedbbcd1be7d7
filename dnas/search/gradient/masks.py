"""How the (L, C) mask of one supernet step is drawn: FBNet (arXiv 1812.03443), GDAS (1910.04465),
ProxylessNAS (1812.00332), SPOS (1904.00420) and FairNAS (1907.01845), behind one interface.

One draw serves forward and cost. Everything random is decided on the CPU in float32 from an explicit
generator, so that ranks and devices agree; only the differentiable part runs on alpha's device.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

# log(-log(u)) must stay finite: the smallest normal float32, and the largest float32 below 1.
_UNIFORM_MIN = torch.finfo(torch.float32).tiny
_UNIFORM_MAX = 1.0 - 2.0**-24


class Sample(NamedTuple):
    """One drawn relaxation of the search space.

    mask: (L, C) weights on alpha's device, rows sum to 1; float32 (float64 if alpha is float64).
    active: the choices to execute per layer, ascending host ints; None means every valid choice.
    """

    mask: Tensor
    active: tuple[tuple[int, ...], ...] | None


class MaskStrategy(ABC):
    """Draws masks from architecture logits; stateless, so that it needs nothing in a checkpoint."""

    trains_alpha: ClassVar[bool]

    def draw(
        self, alpha: Tensor, *, tau: float, generator: torch.Generator, valid: Tensor | None = None
    ) -> tuple[Sample, ...]:
        """Draw the samples of one optimiser step (one; strictly fair: one per choice).

        Args:
            alpha: (L, C) architecture logits of any floating dtype, on any device.
            tau: temperature, finite and above 0 (strategies that do not train alpha ignore its value).
            generator: a CPU generator; the only source of randomness.
            valid: (L, C) bool, False at the padding of layers with fewer choices; None means all True.

        Raises:
            ValueError: naming everything wrong with the arguments, or the layers and choices whose alpha
                is not finite (looked at on the CPU only: a GPU's host would have to wait for it).
        """
        allowed = _checked(alpha, valid, _draw_problems(tau, generator))
        return self._draw(_as_float(alpha), tau, generator, allowed)

    @abstractmethod
    def _draw(
        self, alpha: Tensor, tau: float, generator: torch.Generator, allowed: Tensor
    ) -> tuple[Sample, ...]:
        """Draw from checked arguments: alpha in float32 or float64, allowed (L, C) bool on the CPU."""


class SoftGumbel(MaskStrategy):
    """Dense Gumbel-softmax of FBNet eq. 8: mask = softmax((alpha + g) / tau), g ~ Gumbel(0, 1)."""

    trains_alpha = True

    def _draw(
        self, alpha: Tensor, tau: float, generator: torch.Generator, allowed: Tensor
    ) -> tuple[Sample, ...]:
        noise = gumbel_noise(alpha.shape, generator)
        return (Sample(_softmax(alpha + _sent(noise, alpha), allowed, tau), None),)


class HardGumbel(MaskStrategy):
    """Straight-through Gumbel-softmax: the mask is exactly one-hot, its gradient that of the soft mask.

    Both settings give the same mask and the same gradient of a cost that is linear in the mask. They
    differ in the cross-entropy. With `all_paths` every block runs, so dCE/dmask_i = <dCE/dy, block_i(x)>
    is known for all i. Without it only the chosen block k runs (GDAS: single-path cost and memory) and
    dCE/dmask_i is taken as 0 for i != k: alpha learns from dCE/dmask_k * dsoft_k/dalpha alone, noisier
    and only by raising or lowering k against all others.

    Args:
        all_paths: Execute every valid choice, not only the chosen one.
    """

    trains_alpha = True

    def __init__(self, all_paths: bool = False) -> None:
        self.all_paths = all_paths

    def _draw(
        self, alpha: Tensor, tau: float, generator: torch.Generator, allowed: Tensor
    ) -> tuple[Sample, ...]:
        noise = gumbel_noise(alpha.shape, generator)
        choices = _perturbed(alpha, noise, allowed).argmax(dim=1)
        soft = _softmax(alpha + _sent(noise, alpha), allowed, tau)
        # In this order the forward adds an exact 0, so the mask is one-hot to the last bit.
        mask = _one_hot(choices, alpha) + (soft - soft.detach())
        return (Sample(mask, None if self.all_paths else _single_paths(choices)),)


class TwoPath(MaskStrategy):
    """Two distinct choices per layer, drawn from softmax(alpha) without replacement (ProxylessNAS sec. 3.2).

    The pair comes from the Gumbel top-2 trick; its weights are the softmax of its two alphas over tau, all
    other entries are exactly 0. A layer with a single valid choice has that one, with weight 1.
    """

    trains_alpha = True

    def _draw(
        self, alpha: Tensor, tau: float, generator: torch.Generator, allowed: Tensor
    ) -> tuple[Sample, ...]:
        scores = _perturbed(alpha, gumbel_noise(alpha.shape, generator), allowed)
        top = scores.topk(min(2, alpha.shape[1]), dim=1).indices
        pair = torch.zeros_like(allowed).scatter_(1, top, True) & allowed
        active = tuple(tuple(row.nonzero().flatten().tolist()) for row in pair)
        return (Sample(_softmax(alpha, pair, tau), active),)


class UniformPath(MaskStrategy):
    """One choice per layer, uniform over the valid ones (SPOS); the values of alpha have no effect."""

    trains_alpha = False

    def _draw(
        self, alpha: Tensor, tau: float, generator: torch.Generator, allowed: Tensor
    ) -> tuple[Sample, ...]:
        choices = torch.multinomial(allowed.float(), 1, generator=generator).squeeze(1)
        return (Sample(_one_hot(choices, alpha), _single_paths(choices)),)


class StrictlyFair(MaskStrategy):
    """Per layer a random permutation of its choices; sample k runs every layer's k-th (FairNAS sec. 3.2).

    All samples belong to one optimiser step (accumulate their gradients), after which all choices of a
    layer have had the same number of updates. A layer with fewer choices than the widest one runs several
    permutations, so its number of choices must divide the widest layer's.
    """

    trains_alpha = False

    def _draw(
        self, alpha: Tensor, tau: float, generator: torch.Generator, allowed: Tensor
    ) -> tuple[Sample, ...]:
        orders = torch.stack(_fair_orders(allowed, generator), dim=1)
        return tuple(Sample(_one_hot(choices, alpha), _single_paths(choices)) for choices in orders)


def probabilities(alpha: Tensor, valid: Tensor | None = None) -> Tensor:
    """Return softmax(alpha) over the valid choices, (L, C) in float32 or float64; 0 where invalid.

    Raises:
        ValueError: alpha or valid has the wrong shape or type, or a valid alpha is not finite.
    """
    return _log_probabilities(alpha, valid).exp()


def entropy(alpha: Tensor, valid: Tensor | None = None) -> Tensor:
    """Return the entropy of softmax(alpha) per layer, (L,) in nats; raises as `probabilities`."""
    log_p = _log_probabilities(alpha, valid)
    # Zero instead of -inf where invalid: 0 * -inf would be NaN, in the value and in the gradient.
    return -(log_p.exp() * log_p.masked_fill(log_p.isneginf(), 0.0)).sum(dim=1)


def argmax(alpha: Tensor, valid: Tensor | None = None) -> Tensor:
    """Return the best valid choice per layer, (L,) long, the first of equals; raises as `probabilities`."""
    # Of alpha itself: rounding in the softmax can make ties that alpha does not have.
    allowed = _checked(alpha, valid)
    return alpha.detach().masked_fill(~_sent(allowed, alpha, torch.bool), -math.inf).argmax(dim=1)


def generator_at(*position: int) -> torch.Generator:
    """A generator for a position (seed, phase, index of the draw): equal wherever it is asked for."""
    words = np.random.SeedSequence(position).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(words[0]) >> 1)


def gumbel_noise(shape: torch.Size | tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Return finite Gumbel(0, 1) noise, float32 on the CPU."""
    return gumbel_from_uniform(torch.rand(shape, generator=generator, dtype=torch.float32))


def gumbel_from_uniform(uniform: Tensor) -> Tensor:
    """Map float32 uniforms in [0, 1] to Gumbel(0, 1) values, finite for 0 and 1 too."""
    return -torch.log(-torch.log(uniform.clamp(_UNIFORM_MIN, _UNIFORM_MAX)))


def _as_float(alpha: Tensor) -> Tensor:
    return alpha if alpha.dtype == torch.float64 else alpha.float()


def _softmax(logits: Tensor, allowed: Tensor, tau: float) -> Tensor:
    """Softmax of logits / tau over the allowed entries; all others get exactly 0 and no gradient."""
    logits = logits.masked_fill(~_sent(allowed, logits, torch.bool), -math.inf)
    # Shifted before the division, so that no small tau overflows to inf - inf.
    shifted = logits - logits.detach().amax(dim=1, keepdim=True)
    return torch.softmax(shifted / tau, dim=1)


def _log_probabilities(alpha: Tensor, valid: Tensor | None) -> Tensor:
    allowed = _checked(alpha, valid)
    return _as_float(alpha).masked_fill(~_sent(allowed, alpha, torch.bool), -math.inf).log_softmax(dim=1)


def _perturbed(alpha: Tensor, noise: Tensor, allowed: Tensor) -> Tensor:
    """Return alpha + noise on the CPU, -inf where not allowed: the host decides which choices run."""
    return (alpha.detach().cpu() + noise).masked_fill(~allowed, -math.inf)


def _sent(values: Tensor, like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Host values on the device of ``like``, on which nobody waits for them."""
    return values.to(like.device, dtype or like.dtype, non_blocking=True)


def _one_hot(choices: Tensor, like: Tensor) -> Tensor:
    return _sent(F.one_hot(choices, like.shape[1]), like)


def _single_paths(choices: Tensor) -> tuple[tuple[int, ...], ...]:
    return tuple((choice,) for choice in choices.tolist())


def _fair_orders(allowed: Tensor, generator: torch.Generator) -> list[Tensor]:
    """Return, per layer, its choices in an order of `widest` steps that runs each equally often."""
    counts = allowed.sum(dim=1).tolist()
    widest = max(counts)
    unfair = [f"layer {layer} has {count}" for layer, count in enumerate(counts) if widest % count]
    if unfair:
        raise ValueError(
            f"strictly fair sampling needs every layer's number of choices to divide the largest, {widest}: "
            f"{', '.join(unfair)}. Use UniformPath for this space, or change the number of choices."
        )
    orders = []
    for row, count in zip(allowed, counts, strict=True):
        rounds = [torch.randperm(count, generator=generator) for _ in range(widest // count)]
        orders.append(row.nonzero().flatten()[torch.cat(rounds)])
    return orders


def _alpha_problems(alpha: Tensor) -> list[str]:
    if alpha.ndim == 2 and alpha.numel() and alpha.is_floating_point():
        return []
    return [
        f"alpha must be a non-empty (L, C) floating tensor, got shape {tuple(alpha.shape)}, {alpha.dtype}"
    ]


def _draw_problems(tau: float, generator: torch.Generator) -> list[str]:
    problems = []
    if not (math.isfinite(tau) and tau >= _UNIFORM_MIN):
        problems.append(f"tau must be finite and above 0 in float32, got {tau}; end its schedule above 0")
    if generator.device.type != "cpu":
        problems.append(f"generator must live on the CPU, got one on {generator.device}")
    return problems


def _checked(alpha: Tensor, valid: Tensor | None, problems: Sequence[str] = ()) -> Tensor:
    """Return valid on the CPU after checking all of the arguments; `problems` are those already found."""
    problems = [*_alpha_problems(alpha), *problems]
    if problems:
        raise ValueError("; ".join(problems))
    allowed = _allowed(alpha, valid)
    _check_finite(alpha, allowed)
    return allowed


def _allowed(alpha: Tensor, valid: Tensor | None) -> Tensor:
    """Return valid, checked, on the CPU."""
    if valid is None:
        return torch.ones(alpha.shape, dtype=torch.bool)
    if valid.shape != alpha.shape or valid.dtype != torch.bool:
        raise ValueError(
            f"valid must be a bool tensor of alpha's shape {tuple(alpha.shape)}, "
            f"got shape {tuple(valid.shape)}, {valid.dtype}"
        )
    allowed = valid.detach().cpu()
    empty = (~allowed.any(dim=1)).nonzero().flatten().tolist()
    if empty:
        raise ValueError(f"every layer needs a valid choice; layers without one: {empty}")
    return allowed


def _check_finite(alpha: Tensor, allowed: Tensor) -> None:
    if alpha.device.type != "cpu":
        return  # asking would make the host wait; what is not finite makes the loss so, which is watched
    values = alpha.detach()
    bad = (allowed & ~values.isfinite()).nonzero().tolist()
    if bad:
        places = ", ".join(f"layer {la} choice {ch} = {values[la, ch].item()}" for la, ch in bad)
        raise ValueError(
            f"alpha is not finite: {places}. The search has diverged: lower alpha's learning rate or clip "
            "its gradient."
        )
