"""Fits and comparisons with published latencies, for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from latency.sources.calibrated.check import Comparison
from latency.sources.calibrated.fit import Fit


def comparison(rows: Sequence[Comparison]) -> Table:
    """Published networks, slowest first, beside the model and the table."""
    grid = _grid(
        "network", "kernels", "published ms", "model ms", "error", "left out ms", "error", "table ms"
    )
    for row in rows:
        inside = "-" if row.table_ms is None else f"{row.table_ms:.2f}"
        model = (f"{row.model_ms:.2f}", f"{row.error:+.1%}")
        left_out = (f"{row.fitted.left_out_ms:.2f}", f"{row.fitted.left_out_error:+.1%}")
        grid.add_row(row.name, str(row.fitted.kernels), f"{row.published_ms:.1f}", *model, *left_out, inside)
    return grid


def ranking(rows: Sequence[Comparison]) -> str:
    """The published order beside the model's, slowest first."""
    paper = [row.name for row in sorted(rows, key=lambda row: -row.published_ms)]
    model = [row.name for row in sorted(rows, key=lambda row: -row.model_ms)]
    if paper == model:
        return f"ranking as published: {' > '.join(model)}"
    return f"ranking differs: published {' > '.join(paper)}, model {' > '.join(model)}"


def networks(result: Fit) -> Table:
    """The networks of a fit: timed, fitted, and predicted when left out."""
    grid = _grid("network", "kernels", "timed ms", "fitted ms", "left out ms", "error")
    for network in result.networks:
        times = (f"{ms:.2f}" for ms in (network.timed_ms, network.fitted_ms, network.left_out_ms))
        grid.add_row(network.name, str(network.kernels), *times, f"{network.left_out_error:+.1%}")
    return grid


def coefficients(result: Fit) -> str:
    """The three coefficients, and a word on those that came out as 0."""
    values = {
        "ms per dense GMAC": result.dense_ms_per_gmadd,
        "ms per depthwise GMAC": result.depthwise_ms_per_gmadd,
        "us per kernel": result.kernel_us,
    }
    text = ", ".join(f"{value:.4g} {unit}" for unit, value in values.items())
    zero = [unit for unit, value in values.items() if value == 0]
    doubt = f" (0 {', 0 '.join(zero)}: these networks do not show that it costs anything)" if zero else ""
    return text + doubt


def errors(result: Fit) -> str:
    """How well the fit does on networks it saw, and on those left out."""
    return (
        f"{len(result.networks)} networks: fitted {result.mape:.1%} mean error; left out of the fit "
        f"{result.leave_one_out_mean:.1%} mean, {result.leave_one_out_max:.1%} max, "
        f"Kendall tau {result.leave_one_out_tau:.2f}"
    )


def _grid(*columns: str) -> Table:
    grid = Table(*columns, box=None, pad_edge=False)
    for column in grid.columns[1:]:
        column.justify = "right"
    return grid
