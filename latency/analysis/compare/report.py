"""A comparison in tables: for the terminal, and rows of its CSV files (columns: docs/latency_profile.md)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from rich.table import Table

from latency.analysis.compare.devices import DeviceComparison


def choice_rows(comparison: DeviceComparison) -> list[dict[str, Any]]:
    """One row per (layer, choice): ms, position and rank on every device, and how far positions differ."""
    return [
        {
            "layer": decision.name,
            "choice": name,
            **_per_table(comparison, decision.index, column),
            "spread": comparison.spread[decision.index, column],
        }
        for decision in comparison.space.decisions
        for column, name in enumerate(decision.names)
    ]


def tau_rows(comparison: DeviceComparison) -> list[dict[str, Any]]:
    """The matrix of Kendall's tau."""
    return [
        {"table": label, **dict(zip(comparison.labels, row, strict=True))}
        for label, row in zip(comparison.labels, comparison.tau, strict=True)
    ]


def kernel_rows(comparison: DeviceComparison) -> list[dict[str, Any]]:
    """One row per table, network and kind of kernel."""
    return [
        {"table": label, "network": network, "kind": kind, "ms": ms, "share": ms / sum(kinds.values())}
        for label, networks in comparison.kernels_ms.items()
        for network, kinds in networks.items()
        for kind, ms in kinds.items()
    ]


def _per_table(comparison: DeviceComparison, row: int, column: int) -> dict[str, float]:
    ranks = comparison.ranks
    return {
        f"{label} {what}": float(value)
        for index, (label, table) in enumerate(zip(comparison.labels, comparison.tables, strict=True))
        for what, value in (
            ("ms", table.ms[row, column]),
            ("position", comparison.position[index, row, column]),
            ("rank", ranks[index, row, column]),
        )
    }


MOST_DIFFERENT = 10
NONE = "–"


def rank_correlation(comparison: DeviceComparison) -> Table:
    """Kendall's tau of every two tables."""
    grid = _grid("Kendall tau", comparison.labels)
    for label, row in zip(comparison.labels, comparison.tau, strict=True):
        grid.add_row(label, *(NONE if math.isnan(tau) else f"{tau:.3f}" for tau in row))
    return grid


def published_networks(comparison: DeviceComparison) -> Table:
    """Latency of the published networks of the space on every device."""
    grid = _grid("ms", comparison.labels)
    for name, latencies in comparison.named_ms.items():
        grid.add_row(name, *(f"{ms:.2f}" for ms in latencies))
    return grid


def differing_choices(comparison: DeviceComparison) -> Table:
    """The choices whose position in their layer differs most: milliseconds over the layer's mean."""
    grid = _grid("layer", ["choice", *comparison.labels, "spread"])
    grid.columns[1].justify = "left"
    spread = np.nan_to_num(comparison.spread, nan=-1.0)
    order = np.argsort(-spread, axis=None, kind="stable")[:MOST_DIFFERENT]
    for row, column in zip(*np.unravel_index(order, spread.shape), strict=True):
        if spread[row, column] > 0:
            decision = comparison.space.decisions[row]
            positions = (f"{value:.2f}" for value in comparison.position[:, row, column])
            cells = (*positions, f"{spread[row, column]:.2f}")
            grid.add_row(decision.name, decision.names[column], *cells)
    return grid


def kernel_shares(networks: Mapping[str, Mapping[str, float]]) -> Table:
    """Per network of one table the per cent of its latency that every kind of kernel takes."""
    grid = _grid("% of ms", list(networks))
    totals = {name: sum(kinds.values()) for name, kinds in networks.items()}
    for kind in dict.fromkeys(kind for kinds in networks.values() for kind in kinds):
        shares = (100 * kinds.get(kind, 0.0) / totals[name] for name, kinds in networks.items())
        grid.add_row(kind, *(f"{share:.1f}" for share in shares))
    grid.add_row("ms", *(f"{total:.2f}" for total in totals.values()))
    return grid


def _grid(first: str, others: list[str] | tuple[str, ...]) -> Table:
    grid = Table(box=None, pad_edge=False)
    grid.add_column(first, overflow="fold")
    for heading in others:
        grid.add_column(heading, justify="right", overflow="fold")
    return grid
