"""Latency of random networks that share one choice of one layer (Mills et al., arXiv 2109.12426)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from latency.table import LatencyTable
from latency.table.errors import TableError

# The 1 % quantile of fewer networks would be their fastest one.
FEWEST_NETWORKS = 100
PERCENT = (1, 5, 95, 99)


@dataclass(frozen=True)
class Distribution:
    """Latencies of ``networks`` random networks, in ms; ``quantiles_ms`` are those of :data:`PERCENT`."""

    networks: int
    mean_ms: float
    std_ms: float
    quantiles_ms: tuple[float, ...]

    @classmethod
    def of(cls, ms: np.ndarray) -> Distribution:
        """Summarise (n,) latencies; the standard deviation is the sample's (n - 1)."""
        quantiles = tuple(map(float, np.percentile(ms, PERCENT)))
        return cls(len(ms), float(ms.mean()), float(ms.std(ddof=1)), quantiles)


@dataclass(frozen=True)
class Cell:
    """One choice of one layer, the other layers drawn uniformly.

    Attributes:
        ms: the table's own entry.
        shift_ms: by how much this choice moves the mean latency, exactly: ``ms`` minus the layer's mean.
        sampled_shift_ms: the same from the sample alone, against unconstrained random networks.
    """

    layer: str
    choice: str
    ms: float
    shift_ms: float
    sampled_shift_ms: float
    distribution: Distribution


def random_genomes(table: LatencyTable, count: int, generator: np.random.Generator) -> np.ndarray:
    """(count, D) integers, every choice of a decision equally likely."""
    return generator.integers(table.space.num_choices, size=(count, len(table.space)))


def reference(table: LatencyTable, networks: int, generator: np.random.Generator) -> Distribution:
    """Unconstrained random networks: as many as all cells of a layer have together."""
    count = check_networks(networks) * table.space.max_choices
    return Distribution.of(table.latency_ms(random_genomes(table, count, generator)))


def profile_cells(
    table: LatencyTable, networks: int, against: Distribution, generator: np.random.Generator
) -> Iterator[Cell]:
    """Every cell in turn, ``networks`` random networks for each; they are drawn as the iteration proceeds."""
    check_networks(networks)
    shifts = exact_shifts(table)
    for decision in table.space.decisions:
        for column, name in enumerate(decision.names):
            genomes = random_genomes(table, networks, generator)
            genomes[:, decision.index] = column
            found = Distribution.of(table.latency_ms(genomes))
            ms, shift = float(table.ms[decision.index, column]), float(shifts[decision.index, column])
            yield Cell(decision.name, name, ms, shift, found.mean_ms - against.mean_ms, found)


def exact_shifts(table: LatencyTable) -> np.ndarray:
    """(D, C) ms: how far each choice moves the mean over all networks; NaN where there is no choice.

    The table is additive, so E[latency | choice] - E[latency] = ms - mean of the layer's ms.
    """
    ms = np.where(table.space.valid, table.ms, np.nan)
    shifts: np.ndarray = ms - np.nanmean(ms, axis=1, keepdims=True)
    return shifts


def check_networks(networks: int) -> int:
    """``networks``, or a :class:`TableError` when they are too few for the quantiles."""
    if networks < FEWEST_NETWORKS:
        raise TableError(
            f"{networks} networks per choice are too few for quantiles of 1 % and 99 %; "
            f"take {FEWEST_NETWORKS} or more."
        )
    return networks
