"""How small and how large, how fast and how slow the networks of a space can be; no network is built."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from dnas.costs import LatencyCosts, LoadTable, count
from dnas.space import SearchSpace

# Where a number is given in scientific notation, too; and where that is all that can be read.
HUGE, UNREADABLE = 10**7, 10**60


class Range(NamedTuple):
    """The least and the most that a network of a space can have."""

    low: int
    high: int

    def __str__(self) -> str:
        return f"{self.low:,} to {self.high:,}"


class Counts(NamedTuple):
    """Parameters, and multiply-adds of one image; see :mod:`dnas.costs` for what is counted."""

    params: Range
    madds: Range

    @classmethod
    def of(cls, space: SearchSpace) -> Counts:
        """Costs add up over decisions, so that the extremes are sums of theirs."""
        costs = count(space)
        return cls(
            _range(costs.params, costs.fixed_params, space), _range(costs.madds, costs.fixed_madds, space)
        )


class Latency(NamedTuple):
    """Milliseconds of the fastest and of the slowest network under a table, each with its 90 % interval."""

    table: str
    kind: str
    fastest: float
    fastest_interval: tuple[float, float]
    slowest: float
    slowest_interval: tuple[float, float]

    @classmethod
    def of(cls, table: LatencyCosts) -> Latency:
        """The range under a table."""
        ends = table.cheapest(), table.dearest()
        (fastest, inner), (slowest, outer) = (
            (table.latency_ms(each), table.latency_interval(each)) for each in ends
        )
        return cls(table.name, table.kind, fastest, inner, slowest, outer)


class Misfit(NamedTuple):
    """A table that does not fit the space, and why."""

    table: str
    reason: str


def latencies(
    space: SearchSpace, tables: Sequence[str], shipped: Sequence[str], load_table: LoadTable
) -> tuple[list[Latency], list[Misfit]]:
    """The range under every table.

    Args:
        tables: names or files that must fit.
        shipped: names of tables that need not.
        load_table: reads a table for a space.

    Raises:
        ValueError: one of ``tables`` cannot be used.
    """
    found = [Latency.of(load_table(name, space)) for name in dict.fromkeys(tables)]
    misfits = []
    for name in shipped:
        if name in tables:
            continue
        try:
            found.append(Latency.of(load_table(name, space)))
        except ValueError as error:
            reason = _first_reason(str(error)).removeprefix(f"The table {name} ")
            misfits.append(Misfit(name, reason))
    return found, misfits


def number(value: int) -> str:
    """A count as people read it: exact, and where that is hard to grasp as a power of ten, too."""
    power = f"{Decimal(value):.2e}".replace("e+", "e")
    if value < HUGE:
        return f"{value:,}"
    return f"{value:,} ({power})" if value < UNREADABLE else power


def _range(values: np.ndarray, fixed: int, space: SearchSpace) -> Range:
    low = np.where(space.valid, values, np.iinfo(values.dtype).max).min(axis=1)
    high = np.where(space.valid, values, 0).max(axis=1)
    return Range(int(low.sum()) + fixed, int(high.sum()) + fixed)


def _first_reason(message: str) -> str:
    """One line of a message: its first listed problem, or else its first sentence."""
    first, *others = message.splitlines()
    listed = [line.strip() for line in others if line.startswith("  ")]
    return listed[0] if listed else first.partition(". ")[0].rstrip(".")
