"""The known phones: what their tables say of networks and of the blocks of a space, by kind of kernels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency.table import LatencyTable, load_table
from latency.table.errors import TableError
from latency.table.fit_to_space import Key, entries_of
from latency.table.loading import load_file
from latency.table.table import OVERHEAD
from latency.table.table_file import TableFile

STEM, HEAD = ("stem", ""), ("head", "")
BLOCK = "block"  # the one kind of kernels where a table does not tell kinds apart
Kinds = Mapping[str, float]


@dataclass(frozen=True, eq=False)
class KnownPhones:
    """Tables of one space.

    Attributes:
        names: of the tables, as the user gives them: shipped names or paths.
        kinds: kinds of kernels, the overhead first.
        by_kind: whether all tables tell kinds of kernels apart; if not, a block is of one kind.
    """

    space: SearchSpace
    names: tuple[str, ...]
    files: tuple[TableFile, ...]
    tables: tuple[LatencyTable, ...]
    kinds: tuple[str, ...]
    by_kind: bool

    @classmethod
    def load(cls, names: Sequence[str], space: SearchSpace) -> KnownPhones:
        """Tables by name or path.

        Raises:
            TableError: a table that is given twice, or does not fit ``space``; see
                :func:`latency.table.load_table`.
        """
        files = tuple(load_file(name, space) for name in names)
        tables = tuple(load_table(name, space) for name in names)
        seen: dict[str, list[str]] = {}
        for name, table in zip(names, tables, strict=True):
            seen.setdefault(table.sha256, []).append(str(name))
        twice = [", ".join(same) for same in seen.values() if len(same) > 1]
        if twice:
            raise TableError(
                f"The same table is given twice: {'; '.join(twice)}. Give each known phone once."
            )
        blocks = [rows(file, space) for file in files]
        by_kind = all(kinds for of_file in blocks for ms, kinds in of_file.values() if ms)
        found = {kind for of_file in blocks for _, kinds in of_file.values() for kind in kinds}
        kinds = (OVERHEAD, *(sorted(found) if by_kind else (BLOCK,)))
        return cls(space, tuple(names), files, tables, kinds, by_kind)

    def blocks(self, keys: Iterable[Key]) -> np.ndarray:
        """(P, m, K) milliseconds of blocks (layer, choice), of :data:`STEM` and of :data:`HEAD`."""
        keys = list(keys)
        of_files = [rows(file, self.space) for file in self.files]
        return np.array([[self._columns(*of_file[key]) for key in keys] for of_file in of_files])

    def block_deviations(self, keys: Iterable[Key]) -> np.ndarray:
        """(P, m) standard deviations of the blocks, in milliseconds, as the tables state them."""
        keys, found = list(keys), []
        for file in self.files:
            entries, slope = entries_of(file, self.space), _slope(file)
            found.append([slope * entries[key].ms * entries[key].relative_error for key in keys])
        return np.array(found)

    def overheads(self) -> np.ndarray:
        """(P, 1, K) the overhead per inference."""
        return np.array([[self._columns(0.0, {}, table.overhead_ms)] for table in self.tables])

    def networks(self, architectures: Mapping[str, Architecture]) -> np.ndarray:
        """(P, n, K) milliseconds of networks by name, of this space or of another that the tables hold.

        Raises:
            TableError: every network that a table does not hold, or that has kernels of other kinds.
        """
        tables: dict[SearchSpace, Sequence[LatencyTable | str]] = {self.space: self.tables}
        problems, found = [], []
        for name, architecture in architectures.items():
            space = architecture.space
            if space not in tables:
                tables[space] = [_table_or_name(each, space) for each in self.names]
            if absent := [each for each in tables[space] if isinstance(each, str)]:
                problems.append(f"{name}: not in {', '.join(absent)}")
                continue
            of_space = [table for table in tables[space] if isinstance(table, LatencyTable)]
            try:
                found.append([self._network(table, architecture) for table in of_space])
            except TableError as error:
                problems.append(f"{name}: {error}")
        if problems:
            raise TableError(
                f"{len(problems)} timed network(s) say nothing of {self.space.name}, or are not in the "
                "tables of the known phones; leave them out, or time networks of the space:\n  "
                + "\n  ".join(problems)
            )
        return np.array(found).transpose(1, 0, 2)

    def _network(self, table: LatencyTable, architecture: Architecture) -> list[float]:
        kinds = dict.fromkeys(self.kinds, 0.0)
        for part in table.breakdown(architecture):
            if part.part == OVERHEAD:
                continue
            if self.by_kind and part.ms and not set(part.kinds) <= set(kinds):
                unknown = ", ".join(sorted(set(part.kinds) - set(kinds)))
                raise TableError(f"kinds of kernels that no block of {self.space.name} has: {unknown}")
            for kind, ms in (part.kinds if self.by_kind else {BLOCK: part.ms}).items():
                kinds[kind] += ms
        kinds[OVERHEAD] = table.overhead_ms
        return [*kinds.values()]

    def _columns(self, ms: float, kinds: Kinds, overhead_ms: float = 0.0) -> list[float]:
        known = {**(kinds if self.by_kind else {BLOCK: ms}), OVERHEAD: overhead_ms}
        return [known.get(kind, 0.0) for kind in self.kinds]


def _table_or_name(name: str, space: SearchSpace) -> LatencyTable | str:
    """The table for this space; its name where it does not hold the space."""
    try:
        return load_table(name, space)
    except TableError:
        return name


def rows(file: TableFile, space: SearchSpace) -> dict[Key, tuple[float, Kinds]]:
    """Milliseconds, whole and by kind, of every block of ``space``, of stem and head; calibrated.

    Kinds are empty where the table does not know them.
    """
    slope, fixed = _slope(file), file.header["fixed"]
    found: dict[Key, tuple[float, Kinds]] = {
        key: (slope * entry.ms, _shares(entry.parts, slope * entry.ms))
        for key, entry in entries_of(file, space).items()
    }
    for key in (STEM, HEAD):
        ms = slope * fixed[f"{key[0]}_ms"]
        found[key] = ms, _shares(fixed.get(f"{key[0]}_parts", {}), ms)
    return found


def _slope(file: TableFile) -> float:
    return float((file.header["calibration"] or {"slope": 1.0})["slope"])


def _shares(parts: Kinds, ms: float) -> dict[str, float]:
    """Rounded milliseconds by kind, made to add up to ``ms``."""
    total = sum(parts.values())
    return {kind: part * ms / total for kind, part in parts.items()} if total else {}
