"""A measurement in words and tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from latency.sources.measured.additivity import Agreement
from latency.sources.measured.plan import Plan
from latency.sources.measured.result import Compared, Result


def announcement(plan: Plan, rounds: int, facts: Mapping[str, str]) -> str:
    """What is about to be measured."""
    return (
        f"{facts['runtime']} {facts['runtime_version']} ({facts['backend']}) on {facts['device']}: "
        f"{len(plan.jobs)} graphs, {len(plan.blocks)} of them different blocks and {len(plan.networks)} "
        f"whole networks, {rounds} rounds"
    )


def comparison(result: Result) -> list[Table | str]:
    """The reported networks, the table's beside the measured milliseconds, and what follows from them."""
    if result.plain is None or result.final is None:
        return ["no whole network was measured: nothing says how far sums of this table can be trusted"]
    return [
        _networks(result.compared),
        f"plain sum: {_say(result.plain)}",
        _calibration(result, result.final),
    ]


def _networks(rows: list[Compared]) -> Table:
    grid = Table("network", "measured ms", "table ms", "error", "architecture", box=None, pad_edge=False)
    for column in (1, 2, 3):
        grid.columns[column].justify = "right"
    for row in rows:
        error = f"{row.predicted_ms / row.measured_ms - 1:+.1%}"
        grid.add_row(
            row.name, f"{row.measured_ms:.3f}", f"{row.predicted_ms:.3f}", error, str(row.architecture)
        )
    return grid


def _calibration(result: Result, final: Agreement) -> str:
    if result.line is None:
        return "not calibrated: no line fitted to other networks predicted those left out of it better"
    line = f"{result.line.offset_ms:.4f} ms + {result.line.slope:.3f} * sum"
    return f"calibrated, {line}, fitted to other networks: {_say(final)}"


def _say(found: Agreement) -> str:
    return f"{found.mape:.1%} mean, {found.max_error:.1%} max error, Kendall tau {found.kendall_tau:.2f}"
