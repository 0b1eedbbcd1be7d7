"""Latencies of several devices, joined into the one that a latency form takes.

Phones differ by factors: a slow one would decide every sum of milliseconds. So each latency counts as a
multiple of its device's reference, and what is joined is given back in milliseconds of the first device: a
form's target is that device's, and the others aim at the same multiple of their references.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dnas.costs import expected
from dnas.device_tables import DeviceTables

Numbers = Mapping[str, float]


@dataclass(frozen=True)
class Across(ABC):
    """Joins what several devices take, as multiples of their references.

    Args:
        reference_ms: a latency of every device that is worth the same, such as each one's target; None: the
            mean over the space, which is the expectation before anything is learned.
    """

    reference_ms: Numbers | None = None

    @abstractmethod
    def join(self, multiples: Tensor, devices: Sequence[str]) -> Tensor:
        """One multiple, a scalar with gradient, of (N,) multiples of devices in order."""

    def problems(self, devices: Sequence[str]) -> list[str]:
        """What is wrong with the options for these devices."""
        return _wrong("reference_ms", self.reference_ms, devices)


@dataclass(frozen=True)
class WorstCase(Across):
    """The device that takes the largest multiple decides; devices that tie share the gradient evenly."""

    def join(self, multiples: Tensor, devices: Sequence[str]) -> Tensor:
        # Not max(): amax divides the gradient among equals.
        return multiples.amax()


@dataclass(frozen=True)
class WeightedMean(Across):
    """The weighted mean of the multiples.

    Args:
        weights: of every device, above 0, in any unit; None: all alike.
    """

    weights: Numbers | None = None

    def join(self, multiples: Tensor, devices: Sequence[str]) -> Tensor:
        if self.weights is None:
            return multiples.mean()
        weights = multiples.new_tensor([self.weights[device] for device in devices])
        return (weights * multiples).sum() / weights.sum()

    def problems(self, devices: Sequence[str]) -> list[str]:
        return [*super().problems(devices), *_wrong("weights", self.weights, devices)]


class JointLatency(nn.Module):
    """What masks cost on each of several devices, and joined. It has no parameters and saves nothing.

    Args:
        tables: of one space, by device.
        across: how devices are joined.

    Raises:
        ValueError: the options of ``across`` name other devices, or are no numbers above 0.
    """

    def __init__(self, tables: DeviceTables, across: Across) -> None:
        super().__init__()
        self.devices, self.across = tuple(tables), across
        if problems := across.problems(self.devices):
            raise ValueError(f"across: {'; '.join(problems)}. The devices are {', '.join(self.devices)}.")
        self.fixed_ms = [table.fixed_ms for table in tables.values()]
        ms = torch.stack([torch.tensor(table.ms, dtype=torch.float32) for table in tables.values()])
        self.register_buffer("ms", ms, persistent=False)
        if across.reference_ms is None:
            valid = torch.from_numpy(next(iter(tables.values())).space.valid)
            references = self.of(valid / valid.sum(dim=1, keepdim=True))
        else:
            references = torch.tensor([across.reference_ms[device] for device in self.devices])
        self.register_buffer("references", references, persistent=False)

    def of(self, mask: Tensor) -> Tensor:
        """(N,) expected milliseconds of a (D, C) mask, by device; differentiable."""
        each = zip(self.get_buffer("ms"), self.fixed_ms, strict=True)
        return torch.stack([expected(ms, fixed, mask) for ms, fixed in each])

    def join(self, latency_ms: Tensor) -> Tensor:
        """One latency in milliseconds of the first device, of (N,) latencies; differentiable."""
        references = self.get_buffer("references").to(latency_ms)
        return self.across.join(latency_ms / references, self.devices) * references[0]


def _wrong(option: str, values: Numbers | None, devices: Sequence[str]) -> list[str]:
    if values is None:
        return []
    problems = [f"{option} has {name}, which is no device" for name in values if name not in devices]
    problems += [f"{option} has no {device}" for device in devices if device not in values]
    problems += [
        f"{option} of {name} must be a number above 0, got {value}"
        for name, value in values.items()
        if not (math.isfinite(value) and value > 0)
    ]
    return problems
