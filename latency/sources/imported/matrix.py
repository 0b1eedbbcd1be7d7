"""Matrices of FBNet's reproductions: rows are layers in the space's order, columns choices.

As text, the header names the choices (``k3_e1 k3_e1_g2 skip``, or ``ir_k3_e1 ir_k3_s2``), and blanks,
commas, semicolons or tabs separate; a first column may number the layers. As JSON, a list has a list per
layer without names: its columns are the choices of the layer in the space's order. Layers without a choice
may be ``null`` and are passed over. JSON may number layers and choices, too, from 0 or 1: ``{"0": {"0": 3.1,
...}, ...}``. No matrix states its unit; those of AnnaAraslanova/FBNet and its copies are in microseconds.

Checked against ``supernet_functions/lookup_table_builder.py`` of public copies of AnnaAraslanova/FBNet,
``lookup_table_pi.json`` of jh88/fbnet and ``nas-search/pixel1_runtime_model.json`` of
enyac-group/single-path-nas. *Assumption:* every row that is no ``null`` is a searched layer.
"""

from __future__ import annotations

import re
from typing import Any

from dnas.support.documents import load_json
from latency.sources.imported.reading import ImportResult, Reading, Unread, amount, ms_per_unit

UNIT: str | None = None
WHOLE_INFERENCES = False
KIND = "measured"
STATISTIC = "value of the matrix of latencies"

Row = tuple[int, list[str]]


def read(text: str, source: str, unit: str | None) -> ImportResult:
    """A reading per number; nothing is read of a matrix with a row of another length."""
    try:
        scale = ms_per_unit(None, unit)
        names, rows = _json(text) if text.lstrip().startswith(("[", "{")) else _text(text)
        readings = [
            Reading(f"row {row} of {len(rows)}, {column}", amount(value) * scale, source, line)
            for row, (line, values) in enumerate(rows, start=1)
            for column, value in zip(names or _numbers(values), values, strict=True)
        ]
    except ValueError as error:
        return ImportResult(unread=(Unread(source, 0, str(error)),))
    return ImportResult(tuple(readings))


def _numbers(values: list[str]) -> list[str]:
    return [f"column {column} of {len(values)}" for column in range(1, len(values) + 1)]


def _text(text: str) -> tuple[list[str], list[Row]]:
    lines = [(number, _cells(line)) for number, line in enumerate(text.splitlines(), start=1)]
    (_, names), *rows = [row for row in lines if row[1]] or [(0, [])]
    names, rows = _without_labels(names, rows)
    if not rows or any(_is_number(name) for name in names):
        raise ValueError(
            "expected a header with the names of the choices and a row of numbers for every layer"
        )
    for line, values in rows:
        if len(values) != len(names):
            raise ValueError(
                f"line {line}: {len(values)} values for {len(names)} choices ({' '.join(names)})"
            )
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"choices given twice: {', '.join(twice)}")
    return names, rows


def _without_labels(names: list[str], rows: list[Row]) -> tuple[list[str], list[Row]]:
    """Without a first column that numbers the layers, as spreadsheets and pandas write it."""
    titled = bool(names) and names[0].lower() in {"layer", "row", "index"}
    if not (titled or all(len(values) == len(names) + 1 for _, values in rows)):
        return names, rows
    numbers = [re.sub(r"^[Ll](?=\d)", "", values[0]) for _, values in rows]
    in_order = [[str(number + first) for number in range(len(rows))] for first in (0, 1)]
    if numbers not in in_order:
        raise ValueError(
            f"the first column ({', '.join(numbers[:4])}, ...) does not number the layers in order"
        )
    return names[titled:], [(line, values[1:]) for line, values in rows]


def _cells(line: str) -> list[str]:
    return [] if line.startswith("#") else [cell for cell in re.split(r"[\s,;]+", line) if cell]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _json(text: str) -> tuple[list[str], list[Row]]:
    try:
        data: Any = load_json(text)
    except ValueError as error:
        raise ValueError(f"no JSON: {error}") from None
    rows = [_in_order(row) for row in _in_order(data) if row is not None]
    if not rows or not all(isinstance(row, list) and row and all(map(_is_amount, row)) for row in rows):
        raise ValueError("expected a list with a list of numbers, or null, for every layer")
    return [], [(0, [str(value) for value in row]) for row in rows]


def _in_order(numbered: Any) -> Any:
    """The values by their numbers; what has no numbers is returned as it is."""
    if not isinstance(numbered, dict):
        return numbered
    numbers = sorted(int(name) for name in numbered if re.fullmatch(r"\d{1,4}", name))
    if len(numbers) < len(numbered) or numbers not in [[*range(at, at + len(numbered))] for at in (0, 1)]:
        found = ", ".join(map(repr, list(numbered)[:4]))
        raise ValueError(f"expected layers and choices numbered from 0 or 1, found {found}")
    return [numbered[name] for name in sorted(numbered, key=int)]


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
