"""What a refinement for several devices optimises: quality, a latency of each device, and parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from dnas.costs import Costs
from dnas.device_tables import DeviceTables
from dnas.refine.problem import Problem, Quality, excesses, feasible, latency_bound, params_bound, qualities
from dnas.runs.evaluator import Evaluation
from dnas.search.evolution.algorithm import FloatArray, IntArray
from dnas.search.knapsack import Bound
from dnas.space import SearchSpace


@dataclass(frozen=True)
class DevicesProblem:
    """Objectives (quality, latency_ms of each of n devices, params) of a space under their tables.

    Args:
        tables: of two devices or more.
        classes, quality, params_above: as of :class:`Problem`.
        latency_below: bounds on latency in ms, by device.

    Raises:
        ValueError: an unknown quality.
        Infeasible: no architecture keeps the bounds of all devices; tells what is attainable.
    """

    tables: DeviceTables
    costs: Costs
    classes: int
    quality: Quality = "top1"
    latency_below: Mapping[str, float] = field(default_factory=dict)
    params_above: float | None = None

    def __post_init__(self) -> None:
        # All bounds together first: that message says which device is in the way.
        self.feasible()
        assert len(self.devices) > 1

    @cached_property
    def devices(self) -> dict[str, Problem]:
        """The problem of every device alone."""
        return {
            device: Problem(
                table,
                self.costs,
                self.classes,
                self.quality,
                self.latency_below.get(device),
                self.params_above,
            )
            for device, table in self.tables.items()
        }

    @property
    def space(self) -> SearchSpace:
        """That of all tables."""
        return self.costs.space

    @property
    def maximize(self) -> tuple[bool, ...]:
        """Whether more is better, of (quality, latency_ms of each device, params)."""
        return self.quality == "top1", *[False] * len(self.tables), True

    @property
    def views(self) -> list[list[int]]:
        """By device, which of the objectives are its own: (quality, its latency, params)."""
        number = len(self.tables)
        return [[0, 1 + index, 1 + number] for index in range(number)]

    @property
    def bounds(self) -> list[Bound]:
        """Those that there are: of devices in their order, then of parameters."""
        found = [
            latency_bound(f"latency on {device}", self.tables[device], limit)
            for device, limit in self._limits
        ]
        return found + ([] if self.params_above is None else [params_bound(self.costs, self.params_above)])

    def weights(self, given: Sequence[float] | None) -> list[float] | None:
        """A weight for every objective: the devices share that of latency, so that its sum stays."""
        if given is None:
            return None
        quality, latency, params = given
        return [quality, *[latency / len(self.tables)] * len(self.tables), params]

    def feasible(self) -> IntArray | None:
        """A genome, (L,), that keeps the bounds of all devices; None without bounds.

        Raises:
            Infeasible: none does; tells the attainable values.
        """
        return feasible(self.space, self.bounds)

    def violations(self, genomes: IntArray) -> FloatArray:
        """(n,) sums of relative excesses over the bounds of all devices; 0 keeps them."""
        totals: list[np.ndarray] = [self.tables[device].latency_ms(genomes) for device, _ in self._limits]
        if self.params_above is not None:
            totals.append(self.costs.params_of(genomes))
        return excesses(self.bounds, totals, len(genomes))

    def values(self, genomes: IntArray, evaluations: Sequence[Evaluation | None]) -> FloatArray:
        """(n, 2 + devices) objectives of (n, L) genomes; the quality of what was not evaluated is NaN."""
        latencies = [table.latency_ms(genomes) for table in self.tables.values()]
        quality = qualities(evaluations, self.quality)
        return np.column_stack([quality, *latencies, self.costs.params_of(genomes)])

    def box(self) -> dict[str, Any]:
        """[worst, best] of every objective in this space; latency_ms by device."""
        boxes = {device: problem.box() for device, problem in self.devices.items()}
        first = next(iter(boxes.values()))
        return first | {"latency_ms": {device: box["latency_ms"] for device, box in boxes.items()}}

    @property
    def _limits(self) -> list[tuple[str, float]]:
        return [
            (device, self.latency_below[device]) for device in self.tables if device in self.latency_below
        ]


# What a refinement works on: one table, or several.
AnyProblem = Problem | DevicesProblem
