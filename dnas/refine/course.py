"""The course of a refinement: everything evaluated, in order, and what the front was worth after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import index
from typing import Any, NamedTuple

import numpy as np

from dnas.refine.devices import AnyProblem
from dnas.refine.population import Genome, Record
from dnas.refine.problem import QUALITY, normalised_hypervolume
from dnas.search.evolution.algorithm import FloatArray, IntArray
from dnas.search.evolution.assistance import Report
from dnas.search.evolution.front import Front
from dnas.search.evolution.pareto import costs_of
from dnas.search.evolution.resume import all_or_nothing
from dnas.search.evolution.seen import genomes_from_plain


class Step(NamedTuple):
    """After a generation: evaluations so far, and the hypervolume of their front as a share of the box.

    Attributes:
        hypervolume: of (quality, latency, params); with several devices the mean of those of each.
        by_device: of several devices, in their order.
    """

    generation: int
    evaluations: int
    hypervolume: float
    by_device: tuple[float, ...] = ()


class Course:
    """Everything evaluated so far.

    Attributes:
        generations: done; an algorithm's ask and tell is one.
        found: genome and the generation that it was found in, in the order of evaluation.
        reports: by generation, how its children were chosen by predictions.
        seconds_to_choose: of the last such generation.
    """

    def __init__(self, problem: AnyProblem) -> None:
        self._problem, self._box = problem, problem.box()
        self._front = Front(len(problem.space), problem.maximize)
        # Not parts of the joint one: of networks that tie on a device, others may dominate one elsewhere.
        self._fronts = {
            device: (view, one.box(), Front(len(problem.space), one.maximize))
            for view, (device, one) in zip(problem.views or (), problem.devices.items(), strict=True)
        }
        self.generations = 0
        self.found: dict[Genome, int] = {}
        self.records: list[Record] = []
        self.steps: list[Step] = []
        self.reports: dict[int, Report] = {}
        self.seconds_to_choose = 0.0

    def chosen_by(self, report: Report, seconds: float) -> None:
        """Note how the children of this generation were chosen, before they are evaluated."""
        self.reports[self.generations], self.seconds_to_choose = report, seconds

    def add(self, genomes: IntArray, records: Sequence[Record]) -> None:
        """Take a generation's feasible, evaluated genomes, (n, L)."""
        self._extend(genomes, self._values(genomes, records))
        self.found.update((tuple(genome), self.generations) for genome in genomes.tolist())
        self.records += records
        self.steps.append(Step(self.generations, len(self.found), *self._worth()))
        self.generations += 1

    def front(self, device: str | None = None) -> IntArray:
        """The genomes, (n, L), that no other evaluated one dominates; best quality first.

        Args:
            device: on this one alone; None: in all objectives.
        """
        front = self._front if device is None else self._fronts[device][-1]
        return front.members()[0]

    def rivals_of(self, genome: Genome) -> IntArray:
        """Of the front those, (n, L), that are no worse in latency and parameters than a genome."""
        members, values = self._front.members()
        free = self._problem.values(np.array([genome]), [None])
        maximize = self._problem.maximize
        ahead = np.delete(costs_of(values, maximize) <= costs_of(free, maximize), QUALITY, axis=1)
        return members[ahead.all(axis=1)]

    def genomes(self) -> IntArray:
        """All evaluated ones, (n, L)."""
        return np.array(list(self.found), dtype=np.int64).reshape(-1, len(self._problem.space))

    def state_dict(self) -> dict[str, Any]:
        """Plain data; the evaluations themselves are in the store."""
        state = {
            "generations": self.generations,
            "found": [[list(genome), generation] for genome, generation in self.found.items()],
            "steps": [[*step[:3], *step.by_device] for step in self.steps],
        }
        if self.reports:
            state["reports"] = [[generation, *report] for generation, report in self.reports.items()]
        return state

    @all_or_nothing
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where the state was taken; :meth:`recall` gives the evaluations back.

        Raises:
            DamagedState: it is not whole, or holds what no course writes.
        """
        genomes = [genome for genome, _ in state["found"]]
        genomes = genomes_from_plain(genomes, self._problem.space.num_choices).tolist()
        generations = [index(generation) for _, generation in state["found"]]
        self.found = dict(zip(map(tuple, genomes), generations, strict=True))
        self.steps = [
            Step(index(n), index(done), float(worth), tuple(map(float, by_device)))
            for n, done, worth, *by_device in state["steps"]
        ]
        self.generations = index(state["generations"])
        if self.generations != len(self.steps) or not set(generations) <= set(range(self.generations)):
            raise ValueError(f"its generations are not {len(self.steps)}, as many as its steps")
        if {len(step.by_device) for step in self.steps} - {len(self._fronts)}:
            raise ValueError(f"its steps have not one hypervolume for each of {len(self._fronts)} devices")
        reports = state.get("reports", ())
        self.reports = {index(generation): Report(*report) for generation, *report in reports}

    def recall(self, records: Sequence[Record]) -> None:
        """Take the records of all genomes of a loaded state, in the order of `found`."""
        self.records = list(records)
        self._extend(self.genomes(), self._values(self.genomes(), self.records))

    def _extend(self, genomes: IntArray, values: FloatArray) -> None:
        """Put genomes on the fronts that they belong on."""
        self._front.add(genomes, values)
        for view, _, front in self._fronts.values():
            front.add(genomes, values[:, view])

    def _worth(self) -> tuple[float, tuple[float, ...]]:
        """The hypervolume, and that of each of several devices."""
        if not self._fronts:
            return normalised_hypervolume(self._front.members()[1], self._box), ()
        worths = tuple(
            normalised_hypervolume(front.members()[1], box) for _, box, front in self._fronts.values()
        )
        return float(np.mean(worths)), worths

    def _values(self, genomes: IntArray, records: Sequence[Record]) -> FloatArray:
        return self._problem.values(genomes, [record.evaluation for record in records])
