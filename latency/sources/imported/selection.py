"""The readings that are meant, where files hold several: of one device, of one processor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from latency.sources.imported.reading import Reading


@dataclass(frozen=True)
class Selection:
    """The readings that are meant, how many were not, and what must be said first."""

    readings: tuple[Reading, ...]
    left_out: int = 0
    problems: tuple[str, ...] = ()


def select(readings: Sequence[Reading], cpu: bool, table: str | None = None) -> Selection:
    """Those of one table, and those that ``cpu`` means of a key that ran on the CPU and on an accelerator."""
    tables = list(dict.fromkeys(each.table for each in readings if each.table))
    if table is None and len(tables) > 1:
        problem = f"the files hold {len(tables)} tables, give --table with one of {', '.join(tables)}"
        return Selection((), len(readings), (problem,))
    if table is not None and table not in tables:
        problem = f"--table {table}: the files hold {', '.join(tables) or 'a single table without a name'}"
        return Selection((), len(readings), (problem,))
    kept = [each for each in readings if each.table in (None, table or each.table)]
    on_both = {each.key for each in kept if each.cpu} & {each.key for each in kept if each.cpu is False}
    kept = [each for each in kept if each.key not in on_both or each.cpu in (None, cpu)]
    return Selection(tuple(kept), len(readings) - len(kept))
