"""A latency table: milliseconds of every choice of every layer on one device, for one image.

The latency of a network is the sum of its blocks and a fixed part (FBNet, arXiv 1812.03443, eq. 3, and
MoGA, arXiv 1908.01314, read it from such a table).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np

from dnas.costs import expected, gather
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture, index_array
from latency.table.errors import TableError

if TYPE_CHECKING:
    from torch import Tensor

FIXED = "fixed part"
OVERHEAD = "overhead"
UNKNOWN = "unknown"
# Of a normal error, the mean of its magnitude is sigma * sqrt(2 / pi).
SIGMA_PER_MAPE = math.sqrt(math.pi / 2)
Several = Iterable[Architecture] | np.ndarray


class Part(NamedTuple):
    """One line of a network's account: a decision with its choice, ``stem``, ``head`` or ``overhead``.

    ``kinds`` are its milliseconds per kernel kind, which add up to ``ms``; empty where they are not known.
    """

    part: str
    choice: str
    ms: float
    kinds: Mapping[str, float]


@dataclass(frozen=True)
class Coverage:
    """Where a table's numbers come from.

    Attributes:
        entries: number of entries per source (``measured``, ``predicted``, ...).
        mean_ms: milliseconds of the mean network, every choice of a layer equally likely.
        share: fraction of ``mean_ms`` per source, and of the fixed part, which has no source of its own.
    """

    entries: Mapping[str, int]
    mean_ms: float
    share: Mapping[str, float]

    def __str__(self) -> str:
        entries = ", ".join(f"{count} {source}" for source, count in self.entries.items())
        share = ", ".join(f"{fraction:.1%} {source}" for source, fraction in self.share.items())
        return f"entries: {entries}; milliseconds of the mean network ({self.mean_ms:.2f}): {share}"


@dataclass(frozen=True, eq=False, repr=False)
class LatencyTable:
    """Milliseconds of every choice of ``space`` on one device; make one with :func:`latency.load_table`.

    Attributes:
        name: the table's own name.
        kind: ``measured``, ``assembled`` (from measured kernels), ``calibrated`` or ``predicted``.
        ms: (D, C) float64, read-only; entries that stand for no choice are 0 (see ``SearchSpace.valid``).
        relative_error: (D, C) float64, read-only: standard deviation of every entry as a fraction of it.
        sources: (D, C) texts, read-only: the kind of every entry.
        kinds: kernel kind -> (D, C) milliseconds, read-only; empty if the table does not know them.
        stem_kinds, head_kinds: kernel kind -> milliseconds.
        stem_ms, head_ms, overhead_ms: the parts that every network has; overhead is per inference.
        provenance: the header of the file: device, runtime, source, licence, error statement, ...
        sha256: of the file's content, the identity of its numbers.
    """

    name: str
    kind: str
    space: SearchSpace
    ms: np.ndarray
    relative_error: np.ndarray
    sources: np.ndarray
    kinds: Mapping[str, np.ndarray]
    stem_kinds: Mapping[str, float]
    head_kinds: Mapping[str, float]
    stem_ms: float
    head_ms: float
    overhead_ms: float
    provenance: dict[str, Any]
    sha256: str

    @property
    def fixed_ms(self) -> float:
        """Stem, head and overhead together."""
        return self.stem_ms + self.head_ms + self.overhead_ms

    @property
    def is_measured(self) -> bool:
        """Whether every block was timed on the device; anything else is a model in whole or in part."""
        return self.kind == "measured"

    @overload
    def latency_ms(self, architectures: Architecture) -> float: ...

    @overload
    def latency_ms(self, architectures: Several) -> np.ndarray: ...

    def latency_ms(self, architectures: Architecture | Several) -> float | np.ndarray:
        """Milliseconds of one architecture (float), or of several / an (n, D) integer array ((n,) float64).

        A million architectures are fastest as a column-major array of uint8.

        Raises:
            ArchitectureError: another space, a wrong shape, or indices out of range.
        """
        totals = gather(self.ms, self.fixed_ms, index_array(architectures, self.space))
        return float(totals[0]) if isinstance(architectures, Architecture) else totals

    @overload
    def latency_interval(self, architectures: Architecture, level: float = 0.9) -> tuple[float, float]: ...

    @overload
    def latency_interval(
        self, architectures: Several, level: float = 0.9
    ) -> tuple[np.ndarray, np.ndarray]: ...

    def latency_interval(self, architectures: Architecture | Several, level: float = 0.9) -> tuple[Any, Any]:
        """Milliseconds between which the true latency lies with probability ``level``, errors being normal.

        The errors of entries are taken as independent, so their variances add up; what is wrong with all of
        them alike would be missed, so the standard deviation is never below that of whole networks, which
        the header's ``error.network_mean`` (a mean absolute error) states. A table that states neither has
        an interval of no width.

        Returns:
            (low, high): two floats for one architecture, two (n,) float64 for several; low is at least 0.

        Raises:
            TableError: ``level`` is not between 0 and 1.
            ArchitectureError: as for :meth:`latency_ms`.
        """
        if not 0 < level < 1:
            raise TableError(f"The level of an interval lies between 0 and 1, as 0.9; got {level!r}.")
        genomes = index_array(architectures, self.space)
        ms = gather(self.ms, self.fixed_ms, genomes)
        of_entries = np.sqrt(gather((self.ms * self.relative_error) ** 2, 0.0, genomes))
        of_networks = SIGMA_PER_MAPE * self.provenance["error"].get("network_mean", 0.0) * ms
        reach = -NormalDist().inv_cdf((1 - level) / 2) * np.maximum(of_entries, of_networks)
        low, high = np.maximum(ms - reach, 0.0), ms + reach
        return (float(low[0]), float(high[0])) if isinstance(architectures, Architecture) else (low, high)

    def expected_ms(self, mask: Tensor) -> Tensor:
        """Expected milliseconds under an (D, C) mask; differentiable (FBNet, arXiv 1812.03443, eq. 9)."""
        import torch  # here, because reading a table should not wait for it

        return expected(torch.tensor(self.ms), self.fixed_ms, mask)

    def breakdown(self, architecture: Architecture) -> list[Part]:
        """(part, choice, ms, kinds) of stem, layers, head and overhead; the sum of ms is the latency."""
        genome = index_array(architecture, self.space)[0]
        layers = [
            Part(
                decision.name,
                decision.names[choice],
                float(self.ms[decision.index, choice]),
                self._kinds_at(decision.index, choice),
            )
            for decision, choice in zip(self.space.decisions, genome, strict=True)
        ]
        return [
            Part("stem", "", self.stem_ms, self.stem_kinds),
            *layers,
            Part("head", "", self.head_ms, self.head_kinds),
            Part(OVERHEAD, "", self.overhead_ms, {}),
        ]

    def kernel_shares(self, architecture: Architecture) -> dict[str, float]:
        """Milliseconds per kernel kind (and ``overhead``) of a network; their sum is the latency.

        Empty if the table does not know kernel kinds; ``unknown`` sums the parts that do not.
        """
        return _kernel_shares(self.breakdown(architecture))

    def _kinds_at(self, decision: int, choice: int) -> dict[str, float]:
        return {kind: float(ms[decision, choice]) for kind, ms in self.kinds.items() if ms[decision, choice]}

    def coverage(self) -> Coverage:
        """How many entries, and how much of the mean network's milliseconds, come from which source."""
        valid = self.space.valid
        mean = np.where(valid, self.ms, 0.0) / valid.sum(axis=1, keepdims=True)
        total = self.fixed_ms + float(mean.sum())
        entries = dict(Counter(map(str, self.sources[valid])).most_common())
        share = {source: float(mean[valid & (self.sources == source)].sum()) / total for source in entries}
        return Coverage(entries, total, {**share, FIXED: self.fixed_ms / total})

    def cheapest(self) -> Architecture:
        """The fastest architecture of the space."""
        return self._extreme(np.inf, np.argmin)

    def dearest(self) -> Architecture:
        """The slowest architecture of the space."""
        return self._extreme(-np.inf, np.argmax)

    def _extreme(self, padding: float, pick: Any) -> Architecture:
        return Architecture(self.space, tuple(pick(np.where(self.space.valid, self.ms, padding), axis=1)))

    def identity(self) -> dict[str, str]:
        """What a checkpoint or an architecture file keeps, to know the table again."""
        return {"name": self.name, "kind": self.kind, "sha256": self.sha256}

    def __repr__(self) -> str:
        return f"LatencyTable({self.name!r}, {self.kind}, {self.space!r})"

    def describe(self) -> str:
        """One line for people: device, runtime, how the numbers came about and how wrong they may be."""
        facts = self.provenance
        where = f"{facts['device']} ({facts['gpu']}), {facts['runtime']} {facts['runtime_version']}"
        nature = "measured block by block" if self.is_measured else f"{self.kind}, not timed block by block"
        image = f"{facts['resolution']} px, batch {facts['batch']}"
        return f"{self.name}: {where}, {image}; {nature}; {facts['error']['statement']}"


def _kernel_shares(parts: Iterable[Part]) -> dict[str, float]:
    """Milliseconds per kernel kind of a whole network; empty when no part knows its kinds.

    Where only some parts do, the others count as ``unknown``, so that the sum stays the latency.
    """
    parts = list(parts)
    if not any(part.kinds for part in parts):
        return {}
    shares: dict[str, float] = {}
    for part in parts:
        name = OVERHEAD if part.part == OVERHEAD else UNKNOWN
        for kind, ms in (part.kinds or {name: part.ms}).items():
            shares[kind] = shares.get(kind, 0.0) + ms
    return {kind: ms for kind, ms in shares.items() if ms}
