"""A plain CSV file with a header line, the unit of the latency in the name of its column (``ms``,
``latency_us``).

Whose latency a row holds is said by ``layer`` and ``choice`` (``stem``, ``head``, ``overhead`` without a
choice), by ``key``, or by columns of the geometry (``input_size``, ``in_channels``, ``hidden``, ...: those
of a latency table). ``n``, ``std`` and ``p90`` are optional, the last two in the unit of the latency. ``#``
begins a comment line.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping

from latency.sources.imported.keys import fact_names
from latency.sources.imported.reading import ImportResult, Reading, Unread, amount, ms_per_unit

UNIT: str | None = None
WHOLE_INFERENCES = False
KIND = "measured"
STATISTIC = "as in the CSV file"

LATENCY = re.compile(r"(?=.)(?:latency|time|mean|avg|median)?_?(?P<unit>us|ms|s)?")
EXTRAS = ("n", "std", "p90")


def read(text: str, source: str, unit: str | None) -> ImportResult:
    """A reading per row; rows and columns that say nothing that we understand are listed."""
    # Comments become empty lines, so that line numbers stay those of the file.
    rows = csv.reader("" if line.startswith("#") else line for line in text.splitlines())
    try:
        header = [name.strip().lower() for name in next(filter(None, rows), [])]
        latency, scale = _latency_column(header, unit)
        keys = _key_columns(header)
    except (ValueError, csv.Error) as error:
        return ImportResult(unread=(Unread(source, rows.line_num, str(error)),))
    readings, unread = [], []
    unused = [name for name in header if name not in {latency, *keys, *EXTRAS}]
    if unused:
        unread.append(Unread(source, rows.line_num, f"column(s) not used: {', '.join(unused)}"))
    for row in filter(None, rows):
        try:
            readings.append(_reading(_named(header, row), (latency, scale), keys, source, rows.line_num))
        except ValueError as error:
            unread.append(Unread(source, rows.line_num, str(error)))
    return ImportResult(tuple(readings), tuple(unread))


def _latency_column(header: list[str], unit: str | None) -> tuple[str, float]:
    """Its name, and the milliseconds in its unit."""
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise ValueError(f"column(s) given twice: {', '.join(twice)}")
    found = [match for match in map(LATENCY.fullmatch, header) if match]
    if len(found) != 1:
        names = ", ".join(match[0] for match in found) or f"none among {', '.join(header) or 'no columns'}"
        raise ValueError(
            f"expected one column of latencies (ms, us, latency_ms, mean_us, ...), found {names}"
        )
    return found[0][0], ms_per_unit(found[0]["unit"], unit)


def _key_columns(header: list[str]) -> list[str]:
    for columns in (["layer", "choice"], ["key"]):
        if set(columns) <= set(header):
            return columns
    columns = [name for name in header if name in fact_names()]
    if columns:
        return columns
    raise ValueError(
        "no columns 'layer' and 'choice', 'key', or of the geometry (input_size, in_channels, ...)"
    )


def _named(header: list[str], row: list[str]) -> dict[str, str]:
    if len(row) != len(header):
        raise ValueError(f"expected {len(header)} values, found {len(row)}")
    return {name: value.strip() for name, value in zip(header, row, strict=True)}


def _reading(
    row: Mapping[str, str], latency: tuple[str, float], keys: list[str], source: str, line: int
) -> Reading:
    column, scale = latency
    n = row.get("n", "")
    if n and not re.fullmatch(r"[1-9][0-9]*", n):
        raise ValueError(f"n {n!r} is not a number of runs")
    std, p90 = (amount(row[name], name) * scale if row.get(name) else None for name in ("std", "p90"))
    ms = amount(row[column], column) * scale
    return Reading(_key(row, keys), ms, source, line, n=int(n) if n else None, std=std, p90=p90)


def _key(row: Mapping[str, str], keys: list[str]) -> str:
    if keys == ["layer", "choice"]:
        return "_".join(filter(None, (row["layer"], row["choice"])))
    return row["key"] if keys == ["key"] else ",".join(f"{name}={row[name]}" for name in keys if row[name])
