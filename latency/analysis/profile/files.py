"""The CSV files of a profile; docs/latency_profile.md explains their columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

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
        {"layer": layer.name, "part": part, "variance_ms2": variance, "share": share}
        for layer, variances, fractions in zip(
            shares.space.layers, shares.variance_ms2, shares.shares, strict=True
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
            "layer": layer.name,
            "choice": choice.name,
            "networks": int(effects.seen[cell]),
            "effect_ms": effects.effect[cell],
            "standard_error_ms": effects.standard_error[cell],
            "low_ms": effects.effect[cell] - half[cell],
            "high_ms": effects.effect[cell] + half[cell],
            "table_ms": table.ms[cell],
        }
        for layer in effects.space.layers
        for column, choice in enumerate(layer.choices)
        for cell in [(layer.index, column)]
    ]


def _text(value: Any) -> Any:
    # "+ 0.0" turns a rounded -0 into 0, and NaN (does not apply) becomes an empty cell.
    if not isinstance(value, float):
        return value
    return "" if value != value else f"{value + 0.0:.7g}"
