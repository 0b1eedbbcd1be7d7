"""The continuous relaxation of a search space: logits alpha, and what a mask drawn from them costs.

FBNet (arXiv 1812.03443): one mask per step, used by the forward pass and by the cost alike.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from dnas.costs import Costs, expected
from dnas.search.gradient.devices import JointLatency
from dnas.search.gradient.masks import MaskStrategy, Sample, argmax, entropy, generator_at, probabilities
from dnas.search.gradient.objective import centred
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture


class LatencyCosts(Protocol):
    """What the search needs of a latency table: milliseconds of every choice and of the fixed part."""

    @property
    def ms(self) -> np.ndarray: ...
    @property
    def fixed_ms(self) -> float: ...


class Expected(NamedTuple):
    """Expected costs of a mask, scalars differentiable in it."""

    latency_ms: Tensor
    params: Tensor
    madds: Tensor


class Relaxation(nn.Module):
    """Alpha, a (D, C) parameter held in float32, with the costs of every choice beside it.

    Args:
        space: decisions and choices; alpha starts at zero, all choices equally likely.
        costs: exact parameters and multiply-adds of ``space``.
        table: latency of ``space``.
        seed: with the index of a draw, decides its noise: equal on every process, nothing to save.
        joint: latencies of several devices, instead of the table's.
    """

    def __init__(
        self,
        space: SearchSpace,
        costs: Costs,
        table: LatencyCosts,
        seed: int = 0,
        joint: JointLatency | None = None,
    ) -> None:
        super().__init__()
        self.space, self.seed, self.joint = space, seed, joint
        self.alpha = nn.Parameter(torch.zeros(len(space), space.max_choices))
        self.fixed = (table.fixed_ms, costs.fixed_params, costs.fixed_madds)
        for name, values in (("latency", table.ms), ("params", costs.params), ("madds", costs.madds)):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32), persistent=False)
        # On the CPU, where masks are drawn: asking a device for it would stop the device.
        self.valid = torch.from_numpy(space.valid)

    def draw(self, strategy: MaskStrategy, tau: float, index: int, phase: int = 0) -> tuple[Sample, ...]:
        """Draw the masks of one step; the same (seed, phase, index) gives the same noise on every process."""
        generator = generator_at(self.seed, phase, index)
        return strategy.draw(self.alpha, tau=tau, generator=generator, valid=self.valid)

    def expected(self, mask: Tensor) -> Expected:
        """Expected latency in ms, parameters and multiply-adds of a (D, C) mask."""
        tables = map(self.get_buffer, ("latency", "params", "madds"))
        costs = Expected(
            *(expected(values, fixed, mask) for values, fixed in zip(tables, self.fixed, strict=True))
        )
        if self.joint is None:
            return costs
        return costs._replace(latency_ms=self.joint.join(self.joint.of(mask)))

    def centred(self, mask: Tensor) -> Expected:
        """Those of a mask, its latency's value that of softmax(alpha); see `objective.centred`."""
        costs, probable = self.expected(mask), self.probabilities()
        if self.joint is None:
            latency_ms = centred(costs.latency_ms, self.expected(probable).latency_ms)
        else:
            # Each device by itself: which one is the worst is decided by the expectation, not by the draw.
            latency_ms = self.joint.join(centred(self.joint.of(mask), self.joint.of(probable)))
        return costs._replace(latency_ms=latency_ms)

    def probabilities(self) -> Tensor:
        """(D, C) softmax of alpha, 0 where a decision has no such choice."""
        return probabilities(self.alpha, self.valid)

    def layer_entropy(self) -> Tensor:
        """(D,) entropy of every decision in nats."""
        return entropy(self.alpha, self.valid)

    def best(self) -> Architecture:
        """The architecture of highest probability: argmax of alpha in every row, the first of equals."""
        return Architecture(self.space, tuple(argmax(self.alpha, self.valid).tolist()))

    @torch.no_grad()
    def describe(self) -> dict[str, float]:
        """Metrics of the present alpha: expected costs under softmax(alpha), costs of its argmax, entropy."""
        chosen = torch.nn.functional.one_hot(argmax(self.alpha, self.valid), self.space.max_choices).float()
        masks = {"expected": self.probabilities(), "argmax": chosen}
        metrics = {
            f"{which}_{name}": value.item()
            for which, mask in masks.items()
            for name, value in self.expected(mask)._asdict().items()
        }
        if self.joint is not None:
            metrics |= {
                f"{which}_latency_ms/{device}": value
                for which, mask in masks.items()
                for device, value in zip(self.joint.devices, self.joint.of(mask).tolist(), strict=True)
            }
        return {**metrics, "entropy": self.layer_entropy().mean().item(), **self._skip_share()}

    def _skip_share(self) -> dict[str, float]:
        """Share of layers skipped, averaged over the decisions that can: collapse to skips shows here."""
        skipped = [
            [sum(block.skip for block in blocks) / len(blocks) for blocks in decision.blocks]
            for decision in self.space.decisions
        ]
        shares = [
            (row[: len(part)] * torch.tensor(part)).sum().item()
            for row, part in zip(self.probabilities().cpu(), skipped, strict=True)
            if any(part)
        ]
        return {"skip_share": sum(shares) / len(shares)} if shares else {}
