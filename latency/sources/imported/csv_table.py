"""A plain CSV file with a header line, the unit of the latency in the name of its column (``ms``,
``latency_us``, ``latency (ms)``, ``time [us]``, ``latency_ms_mean``) or in a column ``unit``; commas,
semicolons, tabs or the bars of a Markdown table separate.

Whose latency a row holds is said by ``layer`` and ``choice`` (``stem``, ``head``, ``overhead`` without a
choice), by ``key``, or by columns of the geometry (``input_size``, ``in_channels``, ``hidden``, ...: those
of a latency table). Number of runs, standard deviation (or variance) and 90th percentile are optional; those
without a unit of their own have the latency's. ``#`` begins a comment line.
"""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from latency.sources.imported.keys import fact_names
from latency.sources.imported.reading import (
    MS_PER_UNIT,
    UNITS,
    ImportResult,
    Reading,
    Unread,
    amount,
    ms_per_unit,
    runs,
)

UNIT: str | None = None
WHOLE_INFERENCES = False
KIND = "measured"
STATISTIC = "as in the CSV file"

# Excel writes and reads the separator in a first line.
EXCEL = re.compile(r"sep=.")
# Below the header of a Markdown table.
RULE = re.compile(r"(?=[\s|:]*-)[\s|:-]+")
LATENCY = {
    "latency",
    "latencies",
    "time",
    "runtime",
    "duration",
    "inference",
    "mean",
    "avg",
    "average",
    "median",
    "p50",
    "real",
    "wall",
    "elapsed",
    "execution",
}
MEAN = {"mean", "avg", "average"}
UNIT_WORDS = {"unit", "units"}
COUNT = {"n", "count", "runs", "iterations", "iters", "loops", "samples", "repeats", "repetitions"}
# What may stand beside the words above: num_runs, loop_count, std_dev.
BESIDE = {"num", "number", "of", "dev", "run", "iteration", "loop", "sample", "repeat"}
STD = {"std", "stddev", "stdev", "sd"}
VARIANCE = {"var", "variance"}
KEYS = ("name", "model", "block")
CHOICES = ("choice", "op", "candidate", "block")


@dataclass(frozen=True)
class Column:
    """A column of the header: its name, what it states without the unit, and that unit (as written)."""

    name: str
    words: frozenset[str]
    unit: str | None

    @classmethod
    def of(cls, name: str) -> Column:
        words = [word for word in re.split(r"[^\wµμ^²]+|_", name) if word]
        # A single letter is a unit at the end alone.
        units = [
            word for at, word in enumerate(words, 1) if _unit(word) and (at == len(words) or len(word) > 1)
        ]
        unit = units[-1] if units else None
        return cls(name, frozenset(words) - {unit}, _unit(unit) if unit else None)

    def is_latency(self) -> bool:
        return self.words <= LATENCY and bool(self.words or self.unit)

    def states(self, names: Iterable[str]) -> bool:
        """Whether the column is one of ``names``, perhaps of the latency."""
        return bool(self.words & set(names)) and self.words <= {*names, *LATENCY, *BESIDE}


def _unit(word: str) -> str | None:
    return UNITS.get(word, UNITS.get(word.rstrip("^2²")))


def read(text: str, source: str, unit: str | None) -> ImportResult:
    """A reading per row; rows and columns that say nothing that we understand are listed."""
    # Comments become empty lines, so that line numbers stay those of the file.
    lines = ["" if _says_nothing(line) else line for line in text.splitlines()]
    rows = csv.reader(lines, delimiter=_separator(lines), skipinitialspace=True)
    try:
        header = [name.strip().lower() for name in next(filter(None, rows), [])]
        columns = _columns(header, unit)
    except (ValueError, csv.Error) as error:
        return ImportResult(unread=(Unread(source, rows.line_num, str(error)),))
    readings, unread = [], []
    used = columns.used
    unused = [name for name in header if name and name not in used]
    if unused:
        unread.append(Unread(source, rows.line_num, f"column(s) not used: {', '.join(unused)}"))
    try:
        for row in filter(None, rows):
            try:
                readings.append(_reading(_named(header, row), columns, source, rows.line_num))
            except ValueError as error:
                unread.append(Unread(source, rows.line_num, str(error)))
    except csv.Error as error:
        unread.append(Unread(source, rows.line_num, str(error)))
    return ImportResult(tuple(readings), tuple(unread))


def _says_nothing(line: str) -> bool:
    return line.startswith("#") or bool(EXCEL.fullmatch(line) or RULE.fullmatch(line))


def _separator(lines: Iterable[str]) -> str:
    header = next(filter(None, lines), "")
    return max(",;\t|", key=header.count)


@dataclass(frozen=True)
class Columns:
    """Which columns hold what.

    Attributes:
        unit: what the name of the latency's column states, or else what the user gave.
        units: the column that states one for every row.
        spread: the column of a statistic, and its own unit.
    """

    latency: Column
    unit: str | None
    units: str | None
    keys: dict[str, str]
    n: str | None
    spread: Mapping[str, tuple[str, str | None]]

    @property
    def used(self) -> set[str]:
        others = [self.n, self.units, *(name for name, _ in self.spread.values())]
        return {self.latency.name, *self.keys.values(), *filter(None, others)}

    def ms_per_unit(self, row: Mapping[str, str]) -> float:
        """Milliseconds in the unit of a row."""
        text = row[self.units] if self.units else ""
        if text and text.lower() not in UNITS:
            raise ValueError(
                f"{self.units} {text!r} is no unit of time that is known ({', '.join(MS_PER_UNIT)})"
            )
        return ms_per_unit(UNITS.get(text.lower()), self.unit)


def _columns(header: list[str], unit: str | None) -> Columns:
    twice = sorted(name for name, times in Counter(header).items() if name and times > 1)
    if twice:
        raise ValueError(f"column(s) given twice: {', '.join(twice)}")
    columns = [Column.of(name) for name in header]
    latency = _latency(columns, header)
    units = (
        None if latency.unit else next((column.name for column in columns if column.states(UNIT_WORDS)), None)
    )
    if units is None:
        ms_per_unit(latency.unit, unit)
    spread = {
        kind: (found.name, found.unit)
        for kind, names in (("std", STD), ("var", VARIANCE), ("p90", {"p90"}))
        if (found := next((column for column in columns if column.states(names)), None))
    }
    n = next((column.name for column in columns if column.unit is None and column.states(COUNT)), None)
    return Columns(latency, latency.unit or unit, units, _key_columns(header), n, spread)


def _latency(columns: list[Column], header: list[str]) -> Column:
    found = [column for column in columns if column.is_latency()]
    if len(found) > 1:
        found = [column for column in found if column.words & MEAN] or found
    if len(found) == 1:
        return found[0]
    if len(columns) == 1:
        raise ValueError(
            f"one column, {columns[0].name!r}: expected several, separated by commas, semicolons, tabs or |"
        )
    expected = "expected one column of latencies (ms, us, latency_ms, mean_us, latency (ms), ...), found"
    if found:
        raise ValueError(f"{expected} {', '.join(column.name for column in found)}")
    for column in columns:
        others = column.words - LATENCY
        if column.words & LATENCY and others and not column.states({*STD, *VARIANCE, *COUNT, "p90"}):
            raise ValueError(
                f"column {column.name!r}: {' '.join(sorted(others))} is no unit of time that is known "
                f"({', '.join(MS_PER_UNIT)}), and of no other meaning here; {expected} none"
            )
    raise ValueError(f"{expected} none among {', '.join(header) or 'no columns'}")


def _key_columns(header: list[str]) -> dict[str, str]:
    """What the key is made of, by column."""
    choice = next((name for name in CHOICES if name in header), None)
    if "layer" in header and choice:
        return {"layer": "layer", "choice": choice}
    if "key" in header:
        return {"key": "key"}
    columns = [name for name in header if name in fact_names()]
    if columns:
        return {name: name for name in columns}
    if key := next((name for name in KEYS if name in header), None):
        return {"key": key}
    raise ValueError(
        "no columns 'layer' and 'choice', 'key', or of the geometry (input_size, in_channels, ...)"
    )


def _named(header: list[str], row: list[str]) -> dict[str, str]:
    if len(row) != len(header):
        raise ValueError(f"expected {len(header)} values, found {len(row)}")
    return {name: value.strip() for name, value in zip(header, row, strict=True)}


def _reading(row: Mapping[str, str], columns: Columns, source: str, line: int) -> Reading:
    n, scale = row[columns.n] if columns.n else "", columns.ms_per_unit(row)
    spread = {
        kind: amount(row[name], name) * (MS_PER_UNIT[unit] if unit else scale) ** (2 if kind == "var" else 1)
        for kind, (name, unit) in columns.spread.items()
        if row[name]
    }
    std = spread.get("std", math.sqrt(spread["var"]) if "var" in spread else None)
    ms = amount(row[columns.latency.name], columns.latency.name) * scale
    return Reading(
        _key(row, columns.keys), ms, source, line, n=runs(n) if n else None, std=std, p90=spread.get("p90")
    )


def _key(row: Mapping[str, str], keys: Mapping[str, str]) -> str:
    if set(keys) == {"layer", "choice"}:
        return "_".join(filter(None, (row[keys["layer"]], row[keys["choice"]])))
    if set(keys) == {"key"}:
        return row[keys["key"]]
    return ",".join(f"{name}={row[name]}" for name in keys if row[name])
