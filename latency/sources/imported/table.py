"""The header of an imported table, and its file: written only when nothing at all is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dnas.space import SearchSpace
from latency.sources.imported.build import Built
from latency.table.errors import TableError, raise_all
from latency.table.fit_to_space import space_problems
from latency.table.header import FORMAT, header_problems
from latency.table.table_file import parse, render, write_file


def header(
    facts: Mapping[str, str], space: SearchSpace, built: Built, kind: str, statistic: str, tool: str
) -> dict[str, Any]:
    """The header as plain data; ``facts`` are those of :mod:`latency.table.facts`."""
    return {
        "format": FORMAT,
        "name": facts.get("name"),
        "kind": kind,
        **facts,
        "unit": "ms",
        "statistic": statistic,
        "space": space.name,
        "resolution": space.resolution,
        "batch": 1,
        "tool": tool,
        "error": built.error,
        "fixed": built.fixed,
        "calibration": None,
    }


def write(
    output: str | Path,
    space: SearchSpace,
    data: Mapping[str, Any],
    built: Built,
    problems: Sequence[str] = (),
) -> Path:
    """Write the table.

    Raises:
        TableError: everything in ``problems``, in ``built``, and in the header; nothing is written.
    """
    # A header that lacks facts is refused for them already; its schema would only name them again.
    in_schema = [] if problems else header_problems({**data, "entries": 1, "sha256": "0" * 64})
    wrong = [*problems, *in_schema, *built.problems]
    if wrong:
        listing = "\n  ".join(wrong)
        raise TableError(
            f"{output} was not written, {len(wrong)} problem(s):\n  {listing}\nSee docs/latency_import.md."
        )
    table = parse(render(data, built.entries), str(output))
    raise_all([*table.problems, *space_problems(table, space)], str(output))
    return write_file(output, data, built.entries)
