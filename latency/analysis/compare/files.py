"""Rows of the CSV files of a comparison; docs/latency_profile.md explains their columns."""

from __future__ import annotations

from typing import Any

from latency.analysis.compare.compare import DeviceComparison


def choice_rows(comparison: DeviceComparison) -> list[dict[str, Any]]:
    """One row per (layer, choice): ms, position and rank on every device, and how far positions differ."""
    return [
        {
            "layer": layer.name,
            "choice": choice.name,
            **_per_table(comparison, layer.index, column),
            "spread": comparison.spread[layer.index, column],
        }
        for layer in comparison.space.layers
        for column, choice in enumerate(layer.choices)
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


def _per_table(comparison: DeviceComparison, layer: int, column: int) -> dict[str, float]:
    ranks = comparison.ranks
    return {
        f"{label} {what}": float(value)
        for index, (label, table) in enumerate(zip(comparison.labels, comparison.tables, strict=True))
        for what, value in (
            ("ms", table.ms[layer, column]),
            ("position", comparison.position[index, layer, column]),
            ("rank", ranks[index, layer, column]),
        )
    }
