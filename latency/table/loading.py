"""Loading a latency table for a space: the rows of its file, by layer, as (D, C) arrays, by decision."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dnas.space import SearchSpace
from latency.table.entry import Entry
from latency.table.errors import raise_all
from latency.table.fit_to_space import entries_of, lacking, space_problems
from latency.table.table import LatencyTable
from latency.table.table_file import TableFile, not_shipped, read_file, read_shipped, shipped_files

Cell = tuple[int, int]


def load_table(name_or_path: str | Path, space: SearchSpace) -> LatencyTable:
    """Load a shipped table by name, or a file of one's own, for exactly this ``space``.

    Raises:
        TableError: unknown, unreadable, edited or cut file, another unit, batch, space or resolution,
            missing, unknown, repeated or impossible entries: everything that is wrong in one message.
    """
    return _build(load_file(name_or_path, space), space)


def load_file(name_or_path: str | Path, space: SearchSpace) -> TableFile:
    """The file that :func:`load_table` makes the table of, checked in the same way; raises as it does."""
    name = _at_resolution(str(name_or_path), space)
    file = _shipped_with(space, name) or read_file(name, space.name, *filter(None, [space.reduced_from]))
    raise_all([*file.problems, *space_problems(file, space)], file.source)
    return file


def _at_resolution(name: str, space: SearchSpace) -> str:
    """A phone's table for this space: the name of one for other images than of 224 pixels says their side."""
    with_side = f"{name}_{space.resolution}px"
    return with_side if (with_side, space.name) in shipped_files() else name


def _shipped_with(space: SearchSpace, name: str) -> TableFile | None:
    """A shipped table of that name for spaces of other names, if it has all operations of this one.

    Raises:
        TableError: it ships for other spaces alone, and for none that has; says what the closest one lacks.
    """
    named = {other for each, other in shipped_files() if each == name}
    if not named or named & {space.name, space.reduced_from}:
        return None
    files = [read_shipped(name, other) for other in sorted(named)]
    fitting = next((file for file in files if not space_problems(file, space)), None)
    if fitting is None:
        closest = min(files, key=lambda file: lacking(file, space))
        # Its own advice comes last, as that of all.
        why = space_problems(closest, space)[0].removeprefix("space: ").partition(". ")[0]
        raise not_shipped(name, [space.name], f"; the closest one: {why}")
    return fitting


def _build(file: TableFile, space: SearchSpace) -> LatencyTable:
    """With an end-to-end calibration, t = offset + slope * (stem + blocks + head), ms are shares of t."""
    fixed, calibration = file.header["fixed"], file.header["calibration"] or {"slope": 1.0, "offset_ms": 0.0}
    slope = calibration["slope"]
    stem_ms, head_ms = slope * fixed["stem_ms"], slope * fixed["head_ms"]
    cells = _cells(file, space)
    parts = [(cell, _scaled(entry.parts, slope * entry.ms)) for cell, entry in cells]
    names = dict.fromkeys(kind for _, kinds in parts for kind in kinds)
    by_layer = _array([(cell, slope * entry.ms) for cell, entry in cells], space)
    errors = _array([(cell, entry.relative_error) for cell, entry in cells], space)
    sources = _array([(cell, entry.source) for cell, entry in cells], space, dtype="U16")
    return LatencyTable(
        name=file.header["name"],
        kind=file.header["kind"],
        space=space,
        ms=_fixed(space.sum_of_layers(by_layer)),
        relative_error=_fixed(_errors(by_layer, errors, space)),
        sources=_fixed(_sources(sources, space)),
        kinds={
            name: _fixed(
                space.sum_of_layers(_array([(cell, kinds.get(name, 0.0)) for cell, kinds in parts], space))
            )
            for name in names
        },
        stem_kinds=_scaled(fixed.get("stem_parts", {}), stem_ms),
        head_kinds=_scaled(fixed.get("head_parts", {}), head_ms),
        stem_ms=stem_ms,
        head_ms=head_ms,
        overhead_ms=fixed["overhead_ms"] + calibration["offset_ms"],
        provenance=copy.deepcopy(file.header),
        sha256=file.header["sha256"],
    )


def _cells(file: TableFile, space: SearchSpace) -> list[tuple[Cell, Entry]]:
    """The entry of every choice with its row and column; a table may have more, of a larger space."""
    entries = entries_of(file, space)
    return [
        ((layer.index, column), entries[layer.name, choice.name])
        for layer in space.layers
        for column, choice in enumerate(layer.choices)
    ]


def _array(values: Sequence[tuple[Cell, Any]], space: SearchSpace, dtype: Any = np.float64) -> np.ndarray:
    """(L, K): what the file says of every choice of every layer."""
    array = np.zeros(space.layers_by_choices, dtype)
    for cell, value in values:
        array[cell] = value
    return array


def _fixed(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def _errors(ms: np.ndarray, errors: np.ndarray, space: SearchSpace) -> np.ndarray:
    """(D, C) relative errors of sums of layers, whose errors are independent."""
    if not space.shared:
        return errors
    total = space.sum_of_layers(ms)
    variance = space.sum_of_layers((ms * errors) ** 2)
    return np.divide(np.sqrt(variance), total, out=np.zeros_like(total), where=total > 0)


def _sources(by_layer: np.ndarray, space: SearchSpace) -> np.ndarray:
    """(D, C); several layers with other sources are ``mixed``, those that do nothing do not count."""
    if not space.shared:
        return by_layer
    table = np.zeros((len(space), space.max_choices), by_layer.dtype)
    for decision in space.decisions:
        for choice, columns in enumerate(decision.columns):
            cells = zip(decision.layers, columns, decision.blocks[choice], strict=True)
            every = [(str(by_layer[layer.index, column]), block.ops(layer)) for layer, column, block in cells]
            found = {source for source, ops in every if ops} or {source for source, _ in every}
            table[decision.index, choice] = found.pop() if len(found) == 1 else "mixed"
    return table


def _scaled(parts: Mapping[str, float], ms: float) -> dict[str, float]:
    """``parts`` (rounded milliseconds per kernel kind) made to add up to ``ms`` exactly."""
    total = sum(parts.values())
    return {kind: part * ms / total for kind, part in parts.items()} if total else {}
