"""Tables for the terminal: one architecture layer by layer, and several architectures side by side."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from dnas.blocks.base import listed_options
from dnas.costs import Costs
from dnas.space import Decision, SearchSpace
from dnas.space.architecture import Architecture

NONE = "–"


def architecture_table(
    architecture: Architecture,
    costs: Costs,
    latency_ms_per_layer: ArrayLike | None = None,
    *,
    fixed_latency_ms: float | None = None,
    latency_kind: str | None = None,
    title: str | None = None,
) -> Table:
    """One row per decision, mostly a layer, with its costs, then stem with head, then the total.

    Args:
        costs: counted for the architecture's space.
        latency_ms_per_layer: (D,) ms of the chosen blocks; without it there are no latency columns.
        fixed_latency_ms: ms of stem and head; required with latencies, so that the total is one.
        latency_kind: "measured", "assembled", "calibrated", ...; required with latencies, told in the title.

    Raises:
        ValueError: costs of another space, latencies of another length, not finite or given in part.
    """
    latency = _checked_latency(architecture, costs, latency_ms_per_layer, fixed_latency_ms, latency_kind)
    title = title if title is not None else f"Architecture of the space {architecture.space.name}"
    table = _new_table(title if latency is None else f"{title}, {latency_kind} latency")
    options = _option_headings(architecture.space)
    headings = ["layer", "choice", *options, "in→out", "stride"]
    headings += ["ms", "share %"] if latency is not None else []
    _add_columns(table, [*headings, "params", "madds M"], left={"layer", "choice"})
    rows = np.arange(len(architecture.space)), np.array(architecture.indices)
    params, madds = (
        np.append(costs.params[rows], costs.fixed_params),
        np.append(costs.madds[rows], costs.fixed_madds),
    )
    described = [
        _described(decision, choice, options)
        for decision, choice in zip(architecture.space.decisions, architecture.indices, strict=True)
    ]
    described.append(["stem,", "head", *[""] * (len(options) + 2)])
    for index, cells in enumerate(described):
        spent = [] if latency is None else _latency_cells(latency[index], latency.sum())
        table.add_row(
            *cells, *spent, *_count_cells(params[index], madds[index]), end_section=index == len(rows[0])
        )
    spent = [] if latency is None else _latency_cells(latency.sum(), latency.sum())
    table.add_row(
        "total", *[""] * (len(options) + 3), *spent, *_count_cells(params.sum(), madds.sum()), style="bold"
    )
    return table


CANDIDATE_FORMATS = {
    "latency_ms": "{:.2f}",
    "params": "{:,.0f}",
    "madds": "{:,.0f}",
    "probability": "{:.3g}",
    "top1": "{:.2%}",
    "top5": "{:.2%}",
}


def candidates_table(
    rows: Sequence[Mapping[str, Any]], *, latency_kind: str, title: str | None = None
) -> Table:
    """Several architectures, one row each; a column is shown when any row has a value for it.

    Args:
        rows: mappings with ``name`` and any of ``latency_ms``, ``params``, ``madds``, ``probability`` (of the
            whole architecture under softmax(alpha)), ``top1`` and ``top5`` (fractions); None or NaN: unknown.
        latency_kind: "measured", "assembled", "calibrated", ...; shown in the heading.

    Raises:
        ValueError: a row without a name, or with keys that the table does not know; all in one message.
    """
    _check_rows(rows)
    table = _new_table(title)
    present = [key for key in CANDIDATE_FORMATS if any(_known(row.get(key)) for row in rows)]
    headings = {"latency_ms": f"latency ms\n{latency_kind}", "top1": "top-1", "top5": "top-5"}
    _add_columns(table, ["name", *(headings.get(key, key) for key in present)], left={"name"})
    for row in rows:
        cells = [CANDIDATE_FORMATS[k].format(row[k]) if _known(row.get(k)) else NONE for k in present]
        table.add_row(Text(str(row["name"])), *cells)
    return table


def to_text(renderable: RenderableType, width: int = 100) -> str:
    """Plain text of anything rich can render, without colours: for files and logs."""
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(renderable)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def _checked_latency(
    architecture: Architecture,
    costs: Costs,
    layers_ms: ArrayLike | None,
    fixed_ms: float | None,
    kind: str | None,
) -> np.ndarray | None:
    """(L + 1,) ms, the fixed part last, or None without latencies."""
    problems = [] if costs.space == architecture.space else [f"the costs are of the space {costs.space.name}"]
    given = {"latency_ms_per_layer": layers_ms, "fixed_latency_ms": fixed_ms, "latency_kind": kind}
    missing = [name for name, value in given.items() if value is None]
    if 0 < len(missing) < len(given):
        problems.append(f"latencies need {', '.join(missing)} too")
    values = None if layers_ms is None else np.asarray(layers_ms, dtype=np.float64)
    if values is not None and values.shape != (len(architecture.space),):
        problems.append(
            f"expected {len(architecture.space)} latencies, one per layer, got shape {values.shape}"
        )
    elif values is not None and not np.isfinite(np.append(values, fixed_ms or 0.0)).all():
        problems.append("latencies are not finite")
    if problems:
        raise ValueError(
            f"Cannot show the architecture of the space {architecture.space.name}: {'; '.join(problems)}."
        )
    return None if values is None or fixed_ms is None else np.append(values, fixed_ms)


def _check_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    known = {"name", *CANDIDATE_FORMATS}
    problems = [f"row {i + 1} has no name" for i, row in enumerate(rows) if "name" not in row]
    unknown = sorted({key for row in rows for key in row} - known)
    if unknown:
        problems.append(f"unknown keys {', '.join(unknown)} (known: {', '.join(sorted(known))})")
    if problems:
        raise ValueError(f"Cannot show the candidates: {'; '.join(problems)}.")


def _known(value: Any) -> bool:
    return value is not None and not np.isnan(value)


def _new_table(title: str | None) -> Table:
    return Table(
        title=None if title is None else Text(title),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=0,
        pad_edge=False,
    )


def _add_columns(table: Table, headings: Sequence[str], left: set[str]) -> None:
    for heading in headings:
        table.add_column(Text(heading), justify="left" if heading in left else "right", no_wrap=True)


def _option_headings(space: SearchSpace) -> list[str]:
    """Columns of the options that the block types of a space list."""
    choices = [choice for layer in space.layers for choice in layer.choices]
    return list(dict.fromkeys(heading for choice in choices for heading in listed_options(choice.options)))


def _described(decision: Decision, choice: int, options: Sequence[str]) -> list[str | Text]:
    """Of several layers the first one's block and stride, and the shapes at both ends."""
    layer = decision.layers[0]
    shape = f"{layer.in_channels}→{decision.layers[-1].out_channels}"
    listed = listed_options(decision.blocks[choice][0].options)
    block = [listed.get(heading) or NONE for heading in options]
    # Text, not str: rich would read a choice's name with brackets as markup.
    return [decision.name, Text(decision.names[choice]), *block, shape, str(layer.stride)]


def _latency_cells(ms: float, total: float) -> list[str]:
    return [f"{ms:.3f}", f"{100 * ms / total:.1f}" if total else NONE]


def _count_cells(params: int, madds: int) -> list[str]:
    return [f"{params:,}", f"{madds / 1e6:,.2f}"]
