"""A latency table: milliseconds of every choice of every layer on one device, for one image.

The latency of a network is the sum of its blocks and a fixed part (FBNet, arXiv 1812.03443, eq. 3, and
MoGA, arXiv 1908.01314, read it from such a table).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor

from dnas.architecture import Architecture, index_array
from dnas.costs import expected, gather
from dnas.space import SearchSpace
from latency.entry import Entry
from latency.errors import raise_all
from latency.fit_to_space import space_problems
from latency.table_file import TableFile, read_file, shipped_tables

__all__ = ["LatencyTable", "load_table", "shipped_tables"]


@dataclass(frozen=True, eq=False, repr=False)
class LatencyTable:
    """Milliseconds of every choice of ``space`` on one device; make one with :func:`load_table`.

    Attributes:
        name: the table's own name.
        kind: ``measured``, ``assembled`` (from measured kernels), ``calibrated`` or ``predicted``.
        ms: (L, C) float64, read-only; entries that stand for no choice are 0 (see ``SearchSpace.valid``).
        relative_error: (L, C) float64, read-only: estimated error of every entry as a fraction of it.
        stem_ms, head_ms, overhead_ms: the parts that every network has; overhead is per inference.
        provenance: the header of the file: device, runtime, source, licence, error statement, ...
        sha256: of the file's content, the identity of its numbers.
    """

    name: str
    kind: str
    space: SearchSpace
    ms: np.ndarray
    relative_error: np.ndarray
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
    def latency_ms(self, architectures: Iterable[Architecture] | np.ndarray) -> np.ndarray: ...

    def latency_ms(
        self, architectures: Architecture | Iterable[Architecture] | np.ndarray
    ) -> float | np.ndarray:
        """Milliseconds of one architecture (float), or of several / an (n, L) integer array ((n,) float64).

        A million architectures are fastest as a column-major array of uint8.

        Raises:
            ArchitectureError: another space, a wrong shape, or indices out of range.
        """
        totals = gather(self.ms, self.fixed_ms, index_array(architectures, self.space))
        return float(totals[0]) if isinstance(architectures, Architecture) else totals

    def expected_ms(self, mask: Tensor) -> Tensor:
        """Expected milliseconds under an (L, C) mask; differentiable (FBNet, arXiv 1812.03443, eq. 9)."""
        return expected(torch.tensor(self.ms), self.fixed_ms, mask)

    def breakdown(self, architecture: Architecture) -> list[tuple[str, str, float]]:
        """(part, choice, ms) of stem, layers, head and overhead; their sum is the latency."""
        genome = index_array(architecture, self.space)[0]
        layers = [
            (layer.name, layer.choices[choice].name, float(self.ms[layer.index, choice]))
            for layer, choice in zip(self.space.layers, genome, strict=True)
        ]
        return [
            ("stem", "", self.stem_ms),
            *layers,
            ("head", "", self.head_ms),
            ("overhead", "", self.overhead_ms),
        ]

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
    file = read_file(name_or_path)
    raise_all([*file.problems, *space_problems(file, space)], file.source)
    return _build(file, space)


def _build(file: TableFile, space: SearchSpace) -> LatencyTable:
    """With an end-to-end calibration, t = offset + slope * (stem + blocks + head), ms are shares of t."""
    fixed, calibration = file.header["fixed"], file.header["calibration"] or {"slope": 1.0, "offset_ms": 0.0}
    slope = calibration["slope"]
    return LatencyTable(
        name=file.header["name"],
        kind=file.header["kind"],
        space=space,
        ms=_array([(entry, slope * entry.ms) for entry in file.entries], space),
        relative_error=_array([(entry, entry.relative_error) for entry in file.entries], space),
        stem_ms=slope * fixed["stem_ms"],
        head_ms=slope * fixed["head_ms"],
        overhead_ms=fixed["overhead_ms"] + calibration["offset_ms"],
        provenance=copy.deepcopy(file.header),
        sha256=file.header["sha256"],
    )


def _array(values: Sequence[tuple[Entry, float]], space: SearchSpace) -> np.ndarray:
    rows = {layer.name: layer for layer in space.layers}
    array = np.zeros((len(space), space.max_choices))
    for entry, value in values:
        layer = rows[entry.layer]
        column = [choice.name for choice in layer.choices].index(entry.choice)
        array[layer.index, column] = value
    array.flags.writeable = False
    return array
