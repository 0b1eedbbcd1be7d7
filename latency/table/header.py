"""The YAML header of a latency table, checked against ``latency/data/table_schema.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from latency.table.document import parse_document, schema_problems
from latency.table.entry import sum_problem
from latency.table.errors import TableError

FORMAT = "dnas-latency-table/2"
# Tables of version 1 know inverted residuals and skips alone; they are read.
FORMATS = ("dnas-latency-table/1", FORMAT)
NO_TABLE = f"a latency table: it must begin with '# format: {FORMAT}' and its header"
HINTS = {
    "unit": "; convert every value to milliseconds",
    "batch": "; the searches ask for the latency of one image",
}


def parse_header(lines: Sequence[str], source: str) -> dict[str, Any]:
    """The header as plain data.

    Raises:
        TableError: no header, damaged YAML, a key given twice, or another format: the rest means nothing.
    """
    header = parse_document("\n".join(lines), f"{source}, header", NO_TABLE)
    if header.get("format") not in FORMATS:
        raise TableError(
            f"{source}: expected format {FORMAT!r}, found {header.get('format')!r}: "
            "not a latency table, or one of another version of this library."
        )
    return header


def header_problems(header: Mapping[str, Any]) -> list[str]:
    """Everything that the schema refuses, that is not finite, or that contradicts itself."""
    return schema_problems(header, "table_schema.json", HINTS) or _contradictions(header)


def _contradictions(header: Mapping[str, Any]) -> list[str]:
    fixed, calibration = header["fixed"], header["calibration"]
    sums = {
        part: sum_problem(fixed.get(f"{part}_parts", {}), fixed[f"{part}_ms"]) for part in ("stem", "head")
    }
    problems = [f"fixed.{part}_parts: {wrong}" for part, wrong in sums.items() if wrong]
    if calibration and calibration["offset_ms"] and fixed["overhead_ms"]:
        problems.append(
            "fixed.overhead_ms and calibration.offset_ms both state the overhead per inference; keep one"
        )
    return problems
