"""Tables of latencies for the terminal."""

from __future__ import annotations

import numpy as np
from rich.table import Table

from latency.check import Comparison
from latency.table import LatencyTable
from latency.table_file import TableFile


def list_of_tables(files: list[TableFile]) -> Table:
    """Shipped tables with what identifies them."""
    table = Table("table", "kind", "space", "px", "device", "runtime", "sha256", box=None, pad_edge=False)
    for column in (0, 1, 6):
        table.columns[column].no_wrap = True
    for file in files:
        head = file.header
        runtime = f"{head['runtime']} {head['runtime_version']}"
        device = f"{head['device']} ({head['gpu']})"
        row = (head["name"], head["kind"], head["space"], str(head["resolution"]), device, runtime)
        table.add_row(*row, head["sha256"][:12])
    return table


def header(table: LatencyTable) -> Table:
    """The facts of the header, one per line."""
    grid = Table("", "", box=None, show_header=False, pad_edge=False)
    grid.columns[0].style = "bold"
    for key, value in table.provenance.items():
        if isinstance(value, dict):
            value = "\n".join(f"{name}: {_plain(item)}" for name, item in value.items())
        grid.add_row(key, _plain(value))
    return grid


def layers(table: LatencyTable) -> Table:
    """Per layer the cheapest and the dearest choice, and what lies between."""
    grid = Table(
        "layer", "shape", "cheapest", "ms", "median ms", "dearest", "ms", "error", box=None, pad_edge=False
    )
    for column in (3, 4, 6, 7):
        grid.columns[column].justify = "right"
    for layer in table.space.layers:
        ms = table.ms[layer.index, : len(layer.choices)]
        low, high = int(ms.argmin()), int(ms.argmax())
        error = table.relative_error[layer.index, : len(layer.choices)].max()
        shape = f"{layer.in_channels}>{layer.out_channels} /{layer.stride} at {layer.input_size}"
        cheapest, dearest = layer.choices[low].name, layer.choices[high].name
        middle = (f"{ms[low]:.3f}", f"{np.median(ms):.3f}")
        grid.add_row(layer.name, shape, cheapest, *middle, dearest, f"{ms[high]:.3f}", f"{error:.1%}")
    return grid


def comparison(rows: list[Comparison]) -> Table:
    """Published networks, slowest first, beside the model and the table."""
    grid = Table(
        "network", "kernels", "published ms", "model ms", "error", "table ms", box=None, pad_edge=False
    )
    for column in grid.columns[1:]:
        column.justify = "right"
    for row in rows:
        inside = "not in the space" if row.table_ms is None else f"{row.table_ms:.2f}"
        model = (f"{row.model_ms:.2f}", f"{row.error:+.1%}")
        grid.add_row(row.name, str(row.kernels), f"{row.published_ms:.1f}", *model, inside)
    return grid


def ranking(rows: list[Comparison]) -> str:
    """The published order beside the model's, slowest first."""
    paper = [row.name for row in sorted(rows, key=lambda row: -row.published_ms)]
    model = [row.name for row in sorted(rows, key=lambda row: -row.model_ms)]
    if paper == model:
        return f"ranking as published: {' > '.join(model)}"
    return f"ranking differs: published {' > '.join(paper)}, model {' > '.join(model)}"


def _plain(value: object) -> str:
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)
