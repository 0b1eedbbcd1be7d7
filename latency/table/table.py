"""A latency table: milliseconds of every choice of every layer on one device, for one image.

The latency of a network is the sum of its blocks and a fixed part (FBNet, arXiv 1812.03443, eq. 3, and
MoGA, arXiv 1908.01314, read it from such a table).
"""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np

from dnas.costs import expected, gather
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture, index_array
from latency.table.entry import Entry
from latency.table.errors import TableError, raise_all
from latency.table.fit_to_space import entries_of, lacking, space_problems
from latency.table.table_file import (
    TableFile,
    not_shipped,
    read_file,
    read_shipped,
    shipped_files,
    shipped_tables,
)

if TYPE_CHECKING:
    from torch import Tensor


__all__ = ["LatencyTable", "load_table", "shipped_tables"]

FIXED = "fixed part"
OVERHEAD = "overhead"
UNKNOWN = "unknown"
# Of a normal error, the mean of its magnitude is sigma * sqrt(2 / pi).
SIGMA_PER_MAPE = math.sqrt(math.pi / 2)
Several = Iterable[Architecture] | np.ndarray
Cell = tuple[int, int]


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
    """Milliseconds of every choice of ``space`` on one device; make one with :func:`load_table`.

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


def load_table(name_or_path: str | Path, space: SearchSpace) -> LatencyTable:
    """Load a shipped table by name, or a file of one's own, for exactly this ``space``.

    Raises:
        TableError: unknown, unreadable, edited or cut file, another unit, batch, space or resolution,
            missing, unknown, repeated or impossible entries: everything that is wrong in one message.
    """
    file = _shipped_with(space, str(name_or_path)) or read_file(
        name_or_path, space.name, *filter(None, [space.reduced_from])
    )
    raise_all([*file.problems, *space_problems(file, space)], file.source)
    return _build(file, space)


def _shipped_with(space: SearchSpace, name: str) -> TableFile | None:
    """A shipped table of that name for spaces of other names, if it has all operations of this one.

    Raises:
        TableError: it ships for other spaces alone, and for none that has; says what the closest one lacks.
    """
    named = {other for each, other in shipped_files() if each == name}
    if not named or named & {space.name, space.reduced_from}:
        return None
    files = [read_shipped(name, other) for other in sorted(named)]
    fitting = next((file for file in files if not space_problems(file, space)), None)
    if fitting is None:
        closest = min(files, key=lambda file: lacking(file, space))
        why = space_problems(closest, space)[0].removeprefix("space: ")
        raise not_shipped(name, [space.name], f"; the closest one: {why}")
    return fitting


def _build(file: TableFile, space: SearchSpace) -> LatencyTable:
    """With an end-to-end calibration, t = offset + slope * (stem + blocks + head), ms are shares of t."""
    fixed, calibration = file.header["fixed"], file.header["calibration"] or {"slope": 1.0, "offset_ms": 0.0}
    slope = calibration["slope"]
    stem_ms, head_ms = slope * fixed["stem_ms"], slope * fixed["head_ms"]
    cells = _cells(file, space)
    parts = [(cell, _scaled(entry.parts, slope * entry.ms)) for cell, entry in cells]
    names = dict.fromkeys(kind for _, kinds in parts for kind in kinds)
    by_layer = _array([(cell, slope * entry.ms) for cell, entry in cells], space)
    errors = _array([(cell, entry.relative_error) for cell, entry in cells], space)
    sources = _array([(cell, entry.source) for cell, entry in cells], space, dtype="U16")
    return LatencyTable(
        name=file.header["name"],
        kind=file.header["kind"],
        space=space,
        ms=_fixed(space.sum_of_layers(by_layer)),
        relative_error=_fixed(_errors(by_layer, errors, space)),
        sources=_fixed(_sources(sources, space)),
        kinds={
            name: _fixed(
                space.sum_of_layers(_array([(cell, kinds.get(name, 0.0)) for cell, kinds in parts], space))
            )
            for name in names
        },
        stem_kinds=_scaled(fixed.get("stem_parts", {}), stem_ms),
        head_kinds=_scaled(fixed.get("head_parts", {}), head_ms),
        stem_ms=stem_ms,
        head_ms=head_ms,
        overhead_ms=fixed["overhead_ms"] + calibration["offset_ms"],
        provenance=copy.deepcopy(file.header),
        sha256=file.header["sha256"],
    )


def _cells(file: TableFile, space: SearchSpace) -> list[tuple[Cell, Entry]]:
    """The entry of every choice with its row and column; a table may have more, of a larger space."""
    entries = entries_of(file, space)
    return [
        ((layer.index, column), entries[layer.name, choice.name])
        for layer in space.layers
        for column, choice in enumerate(layer.choices)
    ]


def _array(values: Sequence[tuple[Cell, Any]], space: SearchSpace, dtype: Any = np.float64) -> np.ndarray:
    """(L, K): what the file says of every choice of every layer."""
    array = np.zeros(space.layers_by_choices, dtype)
    for cell, value in values:
        array[cell] = value
    return array


def _fixed(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def _errors(ms: np.ndarray, errors: np.ndarray, space: SearchSpace) -> np.ndarray:
    """(D, C) relative errors of sums of layers, whose errors are independent."""
    if not space.shared:
        return errors
    total = space.sum_of_layers(ms)
    variance = space.sum_of_layers((ms * errors) ** 2)
    return np.divide(np.sqrt(variance), total, out=np.zeros_like(total), where=total > 0)


def _sources(by_layer: np.ndarray, space: SearchSpace) -> np.ndarray:
    """(D, C); several layers with other sources are ``mixed``, those that do nothing do not count."""
    if not space.shared:
        return by_layer
    table = np.zeros((len(space), space.max_choices), by_layer.dtype)
    for decision in space.decisions:
        for choice, columns in enumerate(decision.columns):
            cells = zip(decision.layers, columns, decision.blocks[choice], strict=True)
            every = [(str(by_layer[layer.index, column]), block.ops(layer)) for layer, column, block in cells]
            found = {source for source, ops in every if ops} or {source for source, _ in every}
            table[decision.index, choice] = found.pop() if len(found) == 1 else "mixed"
    return table


def _scaled(parts: Mapping[str, float], ms: float) -> dict[str, float]:
    """``parts`` (rounded milliseconds per kernel kind) made to add up to ``ms`` exactly."""
    total = sum(parts.values())
    return {kind: part * ms / total for kind, part in parts.items()} if total else {}


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
