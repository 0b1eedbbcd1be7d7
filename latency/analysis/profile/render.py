"""Tables of a profile for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from latency.analysis.profile.cells import Cell
from latency.analysis.profile.reduction import Verdict
from latency.analysis.profile.variance import VarianceShares
from latency.table import LatencyTable

EXTREMES = 5


def layers(table: LatencyTable, shares: VarianceShares) -> Table:
    """Mean of every layer, its share of the variance, and of which attributes; the last row is their sum."""
    names = list(shares.parts)
    columns = shares.shares[:, [shares.names.index(name) for name in names]]
    means = [table.ms[layer.index, : len(layer.choices)].mean() for layer in table.space.layers]
    grid = _grid("layer", "mean ms", "share %", *(f"{name} %" for name in names))
    for layer, mean, share, row in zip(table.space.layers, means, shares.layers, columns, strict=True):
        last = layer.index + 1 == len(table.space)
        grid.add_row(layer.name, f"{mean:.3f}", *_percent([share, *row]), end_section=last)
    grid.add_row("all", f"{sum(means):.3f}", *_percent([shares.layers.sum(), *columns.sum(axis=0)]))
    return grid


def extremes(cells: Sequence[Cell]) -> Table:
    """The choices that slow networks down most, and those that speed them up most."""
    grid = _grid("layer", "choice", "ms", "shift ms", "mean ms", "std ms", "5 % ms", "95 % ms")
    grid.columns[1].justify = "left"
    order = sorted(cells, key=lambda cell: -cell.shift_ms)
    count = min(EXTREMES, len(order) // 2)
    for cell in [*order[:count], *order[len(order) - count :]]:
        found = cell.distribution
        spread = (found.mean_ms, found.std_ms, found.quantiles_ms[1], found.quantiles_ms[2])
        grid.add_row(
            cell.layer,
            cell.choice,
            f"{cell.ms:.3f}",
            f"{cell.shift_ms:+.3f}",
            *(f"{value:.2f}" for value in spread),
            end_section=cell is order[count - 1],
        )
    return grid


def dropped(verdicts: Sequence[Verdict]) -> Table:
    """Every dropped choice, what replaces it, what that saves, and what it may cost at most."""
    grid = _grid("layer", "dropped", "for", "saves ms", "accuracy lost, at most %")
    for column in grid.columns[1:3]:
        column.justify = "left"
    for each in verdicts:
        if each.dropped_for:
            lost = f"{100 * max(0.0, each.at_most_lost):.2f}"
            grid.add_row(each.layer, each.choice, each.dropped_for, f"{each.saved_ms:.3f}", lost)
    return grid


def _grid(first: str, *others: str) -> Table:
    grid = Table(first, box=None, pad_edge=False)
    for heading in others:
        grid.add_column(heading, justify="right", overflow="fold")
    return grid


def _percent(shares: Sequence[float]) -> list[str]:
    return [f"{100 * share:.1f}" for share in shares]
