"""A profile in tables: for the terminal, and as CSV files (columns: docs/latency_profile.md)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from dnas.support.files import write_text
from latency.analysis.profile.cells import PERCENT, Cell
from latency.analysis.profile.effects import Effects
from latency.analysis.profile.reduction import Verdict
from latency.analysis.profile.variance import VarianceShares
from latency.table import LatencyTable


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write ``rows`` with the keys of the first one as columns; numbers to seven digits."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _text(value) for key, value in row.items()} for row in rows)
    return write_text(path, stream.getvalue())


def profile_rows(cells: Iterable[Cell]) -> list[dict[str, Any]]:
    """One row per (layer, choice)."""
    return [
        {
            "layer": cell.layer,
            "choice": cell.choice,
            "ms": cell.ms,
            "shift_ms": cell.shift_ms,
            "sampled_shift_ms": cell.sampled_shift_ms,
            "networks": cell.distribution.networks,
            "mean_ms": cell.distribution.mean_ms,
            "std_ms": cell.distribution.std_ms,
            **{
                f"p{percent:02d}_ms": value
                for percent, value in zip(PERCENT, cell.distribution.quantiles_ms, strict=True)
            },
        }
        for cell in cells
    ]


def variance_rows(shares: VarianceShares) -> list[dict[str, Any]]:
    """One row per layer and part, then the sums over layers; ``part`` all is a whole layer."""
    rows = [
        {"layer": decision.name, "part": part, "variance_ms2": variance, "share": share}
        for decision, variances, fractions in zip(
            shares.space.decisions, shares.variance_ms2, shares.shares, strict=True
        )
        for part, variance, share in zip(
            ("all", *shares.names), (variances.sum(), *variances), (fractions.sum(), *fractions), strict=True
        )
    ]
    sums, fractions = shares.variance_ms2.sum(axis=0), shares.shares.sum(axis=0)
    overall = zip(("all", *shares.names), (sums.sum(), *sums), (fractions.sum(), *fractions), strict=True)
    return rows + [
        {"layer": "all", "part": part, "variance_ms2": variance, "share": share}
        for part, variance, share in overall
    ]


def reduction_rows(verdicts: Iterable[Verdict]) -> list[dict[str, Any]]:
    """One row per (layer, choice): kept, or dropped for which other choice and why."""
    return [{**asdict(verdict), "kept": not verdict.dropped_for} for verdict in verdicts]


def effect_rows(effects: Effects, table: LatencyTable, confidence: float) -> list[dict[str, Any]]:
    """One row per (layer, choice): the estimated effect in ms with its interval, and the table's entry."""
    half = effects.half_width(confidence)
    return [
        {
            "layer": decision.name,
            "choice": name,
            "networks": int(effects.seen[cell]),
            "effect_ms": effects.effect[cell],
            "standard_error_ms": effects.standard_error[cell],
            "low_ms": effects.effect[cell] - half[cell],
            "high_ms": effects.effect[cell] + half[cell],
            "table_ms": table.ms[cell],
        }
        for decision in effects.space.decisions
        for column, name in enumerate(decision.names)
        for cell in [(decision.index, column)]
    ]


def _text(value: Any) -> Any:
    # "+ 0.0" turns a rounded -0 into 0, and NaN (does not apply) becomes an empty cell.
    if not isinstance(value, float):
        return value
    return "" if value != value else f"{value + 0.0:.7g}"


EXTREMES = 5


def layers(table: LatencyTable, shares: VarianceShares) -> Table:
    """Mean of every layer, its share of the variance, and of which attributes; the last row is their sum."""
    names = list(shares.parts)
    columns = shares.shares[:, [shares.names.index(name) for name in names]]
    means = [table.ms[row.index, : len(row.names)].mean() for row in table.space.decisions]
    grid = _grid("layer", "mean ms", "share %", *(f"{name} %" for name in names))
    for decision, mean, share, row in zip(table.space.decisions, means, shares.layers, columns, strict=True):
        last = decision.index + 1 == len(table.space)
        grid.add_row(decision.name, f"{mean:.3f}", *_percent([share, *row]), end_section=last)
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
