"""NetAdapt's greedy descent in latency, as MobileNetV3 uses it (Howard et al. 2019, arXiv 1905.02244, 4.2).

The original is Yang et al. 2018 (arXiv 1804.03230). Both papers fine-tune every proposal for a while before
they compare; here the values are whatever is told.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dnas.search.evolution.algorithm import FloatArray, IntArray, check_told, real_array
from dnas.search.evolution.networks import Canonical, networks_of
from dnas.search.evolution.resume import (
    all_or_nothing,
    check_settings,
    floats_from_plain,
    floats_to_plain,
    rows,
)
from dnas.search.evolution.seen import checked_choices, genome_array, genomes_from_plain
from dnas.search.knapsack import TOLERANCE

Genome = tuple[int, ...]


class NetAdapt:
    """From a given network, one changed layer at a time, to a faster one: the change that costs least per ms.

    The start is asked for alone. Then every step asks for all its proposals together: the networks with
    another choice in one layer that save at least ``min_reduction`` of the start's latency. The one with
    the largest (quality gained) / (ms saved) is kept; where quality falls, that is the least loss per ms.
    Of equals the first layer's, then the first choice. The search ends when the target is met or there is
    nothing to propose.

    A layer that changes once more has proposals that were evaluated before. They take part with the values
    they had and are not asked for again; a step with no others is taken at once.

    Violations: a feasible proposal wins against an infeasible one, of infeasible ones the lower violation.
    A bound on latency belongs into ``target_ms`` instead, as all networks on the way to it break it. A
    quality that is not finite loses against any other; while the current network's is not, its proposals
    are compared by quality alone.

    Nothing is random. Latencies are correctly rounded sums, and ``target_ms`` and ``min_reduction`` may be
    missed by a relative 1e-9, so that rounding does not decide.

    Args:
        choices: Number of choices of each layer.
        start: (L,) the genome to begin with.
        latency: (L, C) ms of every choice, C the largest number of choices; entries beyond a layer's own
            choices are not read.
        fixed_ms: What every network takes besides (stem, head, overhead).
        min_reduction: The least that a step saves, as a share of the start's latency, in (0, 1).
        target_ms: The latency to reach; None: as low as the steps lead.
        quality_maximize: Whether the first objective is better when higher (accuracy) or lower (loss).
        canonical: See `NSGA2`; proposals of one network are one, with the latency of the canonical one.

    Raises:
        ValueError: names everything that is out of range.
    """

    def __init__(
        self,
        choices: Sequence[int],
        start: npt.ArrayLike,
        latency: npt.ArrayLike,
        *,
        fixed_ms: float = 0.0,
        min_reduction: float = 0.01,
        target_ms: float | None = None,
        quality_maximize: bool = True,
        canonical: Canonical | None = None,
    ) -> None:
        self._choices = checked_choices(choices)
        table = real_array("latency", latency)
        problems = _table_problems(table, self._choices)
        problems += _number_problems(fixed_ms, min_reduction, target_ms)
        try:
            self._networks = networks_of(canonical, self._choices)
            (self._start,) = self._forms(_genomes(genome_array(np.asarray(start)[None], self._choices)))
        except ValueError as error:
            problems.append(f"start: {error}")
        if problems:
            raise ValueError("; ".join(problems))
        listed = zip(table.tolist(), self._choices, strict=True)
        self._latency: list[list[float]] = [row[:count] for row, count in listed]
        self._fixed_ms, self._min_reduction, self._target_ms = fixed_ms, min_reduction, target_ms
        self._sign = 1.0 if quality_maximize else -1.0
        self._path = [self._start]
        # Signed quality (higher is better) and violation of everything told.
        self._known: dict[Genome, tuple[float, float]] = {}

    @property
    def path(self) -> IntArray:
        """The start and what every step so far has kept, (1 + steps, L); each is faster than the last."""
        return self._array(self._path)

    def ask(self) -> IntArray:
        """Return the start, or the proposals that are not known yet, (n, L); see `Algorithm.ask`."""
        candidates = self._proposals() if self._known else [self._start]
        return self._array(genome for genome in candidates if genome not in self._known)

    def tell(self, genomes: IntArray, values: FloatArray, violations: FloatArray | None = None) -> None:
        """Take the values, (n, M), of which only the first column is read, and step; see `Algorithm.tell`."""
        genomes, values, violations = check_told(self.ask(), genomes, values, violations)
        qualities = (self._sign * values[:, 0]).tolist()
        told = zip(qualities, violations.tolist(), strict=True)
        self._known.update(zip(_genomes(genomes), told, strict=True))
        while (proposals := self._proposals()) and all(genome in self._known for genome in proposals):
            self._path.append(max(proposals, key=self._worth))

    def state_dict(self) -> dict[str, Any]:
        """Return plain JSON data; see `Algorithm.state_dict`."""
        return {
            "settings": self._settings(),
            "path": self._array(self._path).tolist(),
            "genomes": self._array(self._known).tolist(),
            "known": floats_to_plain(np.array(list(self._known.values()))),
        }

    @all_or_nothing
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where the state was taken; see `Algorithm.load_state_dict`."""
        check_settings(self._settings(), state)
        known = map(tuple, rows(floats_from_plain(state["known"]), 2).tolist())
        path, genomes = (genomes_from_plain(state[name], self._choices) for name in ("path", "genomes"))
        if not len(path):
            raise ValueError("its path is empty")
        self._path = _genomes(path)
        self._known = dict(zip(_genomes(genomes), known, strict=True))

    def _proposals(self) -> list[Genome]:
        """Return the changes of one layer that save enough, by layer, then choice; none at the target."""
        current = self._path[-1]
        ms = self._ms(current)
        if self._target_ms is not None and ms <= self._target_ms * (1 + TOLERANCE):
            return []
        least = self._min_reduction * self._ms(self._start) * (1 - TOLERANCE)
        changed = (
            (*current[:layer], choice, *current[layer + 1 :])
            for layer, count in enumerate(self._choices)
            for choice in range(count)
        )
        return [genome for genome in self._forms(changed) if ms - self._ms(genome) >= least > 0]

    def _forms(self, genomes: Iterable[Genome]) -> list[Genome]:
        """Return the genomes in their order, of those that build the same network the canonical one, once."""
        if self._networks is None:
            return list(genomes)
        return list(dict.fromkeys(_genomes(self._networks(self._array(genomes)))))

    def _worth(self, proposal: Genome) -> tuple[float, float]:
        """Return what proposals of the current network are compared by, feasibility first."""
        current = self._path[-1]
        (quality, violation), (before, _) = self._known[proposal], self._known[current]
        if not math.isfinite(quality):
            return -violation, -math.inf
        if not math.isfinite(before):
            return -violation, quality
        return -violation, (quality - before) / (self._ms(current) - self._ms(proposal))

    def _ms(self, genome: Genome) -> float:
        listed = zip(self._latency, genome, strict=True)
        return math.fsum([self._fixed_ms, *(row[choice] for row, choice in listed)])

    def _array(self, genomes: Iterable[Genome]) -> IntArray:
        return np.array(list(genomes), dtype=np.int64).reshape(-1, len(self._choices))

    def _settings(self) -> dict[str, Any]:
        return {
            "algorithm": "netadapt",
            "choices": list(self._choices),
            "start": list(self._start),
            "latency": self._latency,
            "fixed_ms": self._fixed_ms,
            "min_reduction": self._min_reduction,
            "target_ms": self._target_ms,
            "quality_maximize": self._sign > 0,
            **({} if self._networks is None else {"networks": self._networks.distinct}),
        }


def _genomes(array: IntArray) -> list[Genome]:
    return [tuple(genome) for genome in array.tolist()]


def _table_problems(table: FloatArray, choices: Sequence[int]) -> list[str]:
    expected = (len(choices), max(choices))
    if table.shape != expected:
        return [f"latency must have shape (layers, most choices), {expected}, got {table.shape}"]
    valid = np.arange(max(choices)) < np.array(choices)[:, None]
    wrong = np.argwhere(valid & ~(np.isfinite(table) & (table >= 0))).tolist()
    return [f"latency must be finite ms, 0 or above; it is not at (layer, choice) {wrong}"] if wrong else []


def _number_problems(fixed_ms: float, min_reduction: float, target_ms: float | None) -> list[str]:
    problems = []
    if not 0 <= fixed_ms < math.inf:
        problems.append(f"fixed_ms must be finite, 0 or above, got {fixed_ms}")
    if not 0 < min_reduction < 1:
        problems.append(f"min_reduction must be between 0 and 1, got {min_reduction}")
    if target_ms is not None and not 0 < target_ms < math.inf:
        problems.append(f"target_ms must be finite and above 0, or None, got {target_ms}")
    return problems
