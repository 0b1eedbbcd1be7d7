"""An adaptation for the terminal."""

from __future__ import annotations

from rich.table import Table

from latency.sources.adapted.adaptation import Adaptation


def networks(adapted: Adaptation) -> Table:
    """The networks timed, each beside what the others say of it."""
    grid = Table("network", "timed ms", "left out ms", "error", box=None, pad_edge=False)
    for column in grid.columns[1:]:
        column.justify = "right"
    left_out = adapted.left_out
    rows = zip(adapted.timings, left_out.timed_ms, left_out.predicted_ms, left_out.errors, strict=True)
    for timing, timed, predicted, error in rows:
        grid.add_row(timing.name, f"{timed:.2f}", f"{predicted:.2f}", f"{error:+.1%}")
    return grid


def phones(adapted: Adaptation) -> str:
    """How much of every known phone is in the new one: its weight, and the factor of its milliseconds."""
    weights = adapted.model.mean[: len(adapted.known.tables)]
    shares = (1 - weights.sum()) / len(weights) + weights
    rows = zip(adapted.known.tables, shares, adapted.model.scale, strict=True)
    return "the new phone is " + " + ".join(
        f"{share:.2f} x {table.name} (times {scale:.3g})" for table, share, scale in rows
    )


def kinds(adapted: Adaptation) -> str:
    """By how much its kinds of kernels differ from that mixture, with one standard deviation."""
    first = len(adapted.known.tables)
    factors = adapted.model.mean[first:]
    deviations = adapted.model.covariance.diagonal()[first:] ** 0.5
    rows = zip(adapted.known.kinds, factors, deviations, strict=True)
    return "corrected by kind: " + ", ".join(
        f"{kind} {factor:+.0%} +- {deviation:.0%}" for kind, factor, deviation in rows
    )
