"""What commands show in the terminal: tables of latencies, and a bar of progress."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dnas.space.architecture import Architecture
from latency.table import LatencyTable
from latency.table.table_file import spaces_text


def list_of_tables(headers: Iterable[Mapping[str, Any]]) -> Table:
    """One row per name: nature, spaces, device, and the mean error of whole networks."""
    grid = Table("table", "kind", "spaces", "device", "error", box=None, pad_edge=False)
    grid.columns[0].no_wrap = True
    grid.columns[4].justify = "right"
    spaces: dict[str, list[str]] = {}
    heads = {}
    for head in headers:
        heads[head["name"]] = head
        spaces.setdefault(head["name"], []).append(head["space"])
    for name, head in heads.items():
        error = head["error"].get("network_mean")
        text = "" if error is None else f"{error:.1%}"
        grid.add_row(name, head["kind"], spaces_text(spaces[name]), head["device"], text)
    return grid


def header(table: LatencyTable) -> Table:
    """The facts of the header, one per line."""
    grid = Table("", "", box=None, show_header=False, pad_edge=False)
    grid.columns[0].style = "bold"
    for key, value in table.provenance.items():
        if key == "validation":
            continue  # printed as a table of its own
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
    for decision in table.space.decisions:
        ms = table.ms[decision.index, : len(decision.names)]
        low, high = int(ms.argmin()), int(ms.argmax())
        error = table.relative_error[decision.index, : len(decision.names)].max()
        layer = decision.layers[0]
        shape = f"{layer.in_channels}>{layer.out_channels} /{layer.stride} at {layer.input_size}"
        cheapest, dearest = decision.names[low], decision.names[high]
        middle = (f"{ms[low]:.3f}", f"{np.median(ms):.3f}")
        grid.add_row(decision.name, shape, cheapest, *middle, dearest, f"{ms[high]:.3f}", f"{error:.1%}")
    return grid


def breakdown(table: LatencyTable, architecture: Architecture) -> Table:
    """A network part by part, each with its kernel kinds where the table knows them."""
    total = table.latency_ms(architecture)
    grid = Table("part", "choice", "ms", "share", "kernel kinds, ms", box=None, pad_edge=False)
    for column in (2, 3):
        grid.columns[column].justify = "right"
    for part in table.breakdown(architecture):
        text = "  ".join(f"{kind} {ms:.3f}" for kind, ms in part.kinds.items())
        grid.add_row(part.part, part.choice, f"{part.ms:.3f}", f"{part.ms / total:.1%}", text)
    return grid


def kinds(shares: Mapping[str, float]) -> Table:
    """Kernel kinds of a whole network, the dearest first."""
    grid = Table("kernel kind", "ms", "share", box=None, pad_edge=False)
    for column in grid.columns[1:]:
        column.justify = "right"
    for kind, ms in sorted(shares.items(), key=lambda item: -item[1]):
        grid.add_row(kind, f"{ms:.3f}", f"{ms / sum(shares.values()):.1%}")
    return grid


def print_validation(table: LatencyTable, console: Console) -> None:
    """How the table's numbers met data they had not seen, as far as the header says."""
    validation = table.provenance.get("validation")
    if validation is None:
        console.print(f"no validation figures; stated error: {table.provenance['error']['statement']}")
        return
    console.print(f"validation: {validation['method']}", _figures(validation["figures"]), sep="\n")
    for weak_spot in validation.get("weak_spots", []):
        console.print(f"weak spot: {weak_spot}")


def tracker(console: Console) -> Callable[[Sequence[str], str], Iterator[str]]:
    """``track(names, what)``: yields the names behind a bar that vanishes when done."""
    return lambda names, what: iter(track(names, description=what, console=console, transient=True))


def _figures(figures: Iterable[Mapping[str, Any]]) -> Table:
    grid = Table("", "mean error", "max error", "Kendall tau", "n", box=None, pad_edge=False)
    for column in grid.columns[1:]:
        column.justify = "right"
    for figure in figures:
        worst = f"{figure['max_error']:.1%}" if "max_error" in figure else ""
        tau = f"{figure['kendall_tau']:.2f}" if "kendall_tau" in figure else ""
        grid.add_row(figure["what"], f"{figure['mape']:.1%}", worst, tau, str(figure["n"]))
    return grid


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{name} {item}" for name, item in value.items())
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)
