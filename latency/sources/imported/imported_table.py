"""A latency table from the readings of other people's files, written only when nothing at all is wrong."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnas.space import SearchSpace
from latency.sources.imported.keys import PARTS
from latency.sources.imported.reading import Reading
from latency.sources.imported.resolve import Resolved, geometries
from latency.table.entry import Entry, Geometry
from latency.table.errors import TableError, raise_all
from latency.table.fit_to_space import fixed_operations, space_problems
from latency.table.header import FORMAT, header_problems
from latency.table.table_file import parse, render, write_file

SQUEEZE_NOTE = (
    "assumption: the keys do not say how wide squeeze-excite is; taken to be as in the space, though "
    "Once-for-All rounds its width to multiples of 8"
)

SHORTCUT_NOTE = (
    "the stem is the sum of readings whose separable convolution has a shortcut; the space's has none"
)


@dataclass(frozen=True)
class Terms:
    """What the user says of the readings.

    Attributes:
        whole_inferences: a reading holds the overhead of one inference, which is taken off.
        kind: of the entries.
        cpu: readings of CPU runs are wanted, and no others.
        relative_error: of entries whose readings state no number of runs and standard deviation.
        fixed_ms: milliseconds of stem, head and overhead, each by itself, None where readings say so.
        shortcut_stem: the stem may be the sum of readings whose separable convolution has a shortcut.
    """

    whole_inferences: bool
    kind: str
    cpu: bool = False
    relative_error: float | None = None
    fixed_ms: Mapping[str, float | None] | None = None
    shortcut_stem: bool = False


@dataclass(frozen=True)
class Built:
    """Entries, the header's ``fixed`` and ``error``, and everything that is wrong with them."""

    entries: tuple[Entry, ...]
    fixed: dict[str, Any]
    error: dict[str, Any]
    problems: tuple[str, ...]


def build(space: SearchSpace, resolved: Resolved, terms: Terms) -> Built:
    """The table's content; it is one only when ``problems`` is empty."""
    problems = [*resolved.problems, *_processor_problems(resolved, terms)]
    fixed = _fixed(space, resolved, terms, problems)
    overhead = fixed["overhead_ms"] if terms.whole_inferences else 0.0
    overhead_error_ms = _overhead_error_ms(resolved, terms)
    entries = [
        _entry(block, geometry, resolved.blocks.get(block), overhead, overhead_error_ms, terms)
        for block, geometry in geometries(space).items()
        if block in resolved.blocks or geometry.is_identity
    ]
    problems += _not_positive(entries, resolved, overhead)
    problems += _error_problems(resolved, terms)
    return Built(
        tuple(entries), {**fixed, **fixed_operations(space)}, _error(resolved, terms), tuple(problems)
    )


def table_header(
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


def write_table(
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
            f"{output} was not written, {len(wrong)} problem(s):\n  {listing}\nSee docs/latency_import.md; "
            "every latency can be given as csv: layer,choice,latency_ms."
        )
    table = parse(render(data, built.entries), str(output))
    raise_all([*table.problems, *space_problems(table, space)], str(output))
    return write_file(output, data, built.entries)


def _entry(
    block: tuple[str, str],
    geometry: Geometry,
    reading: Reading | None,
    overhead_ms: float,
    overhead_error_ms: float,
    terms: Terms,
) -> Entry:
    """Of two independent means, the standard error of the difference is the root of the sum of squares."""
    if reading is None:
        return Entry(*block, geometry=geometry, ms=0.0, source=terms.kind, relative_error=0.0)
    ms = reading.ms - overhead_ms
    error_ms = standard_error_ms(reading)
    measured = None if error_ms is None or ms <= 0 else math.hypot(error_ms, overhead_error_ms) / ms
    return Entry(
        *block,
        geometry=geometry,
        ms=_round(ms),
        source=terms.kind,
        relative_error=_round((terms.relative_error or 0.0) if measured is None else measured),
        n=reading.n,
        std=_round(reading.std) if reading.std else None,
        p90=reading.p90 and _round(reading.p90 - overhead_ms),
    )


def standard_error_ms(reading: Reading) -> float | None:
    """Of the mean; None when the file does not say, or rounds the deviation to 0."""
    return reading.std / math.sqrt(reading.n) if reading.std and reading.n and reading.n > 1 else None


def _overhead_error_ms(resolved: Resolved, terms: Terms) -> float:
    readings = resolved.parts["overhead"] if terms.whole_inferences else ()
    return math.hypot(*(standard_error_ms(reading) or 0.0 for reading in readings))


def _fixed(space: SearchSpace, resolved: Resolved, terms: Terms, problems: list[str]) -> dict[str, float]:
    """Milliseconds of the parts, 0 for those that are missing; what is wrong is added to ``problems``."""
    given = terms.fixed_ms or {}
    words = {
        **{part: "; ".join(ops) for part, ops in fixed_operations(space).items()},
        "overhead": "an empty graph",
    }
    total: dict[str, float] = {}
    for part in ("overhead", "stem", "head"):
        readings, option = resolved.parts[part], given.get(part)
        if readings and option is not None:
            problems.append(f"{part} is given twice: as --{part}-ms and by {', '.join(map(str, readings))}")
        if part == "stem" and not readings and option is None and terms.shortcut_stem:
            readings = resolved.shortcut_stem
        if not readings and option is None:
            problems.append(f"{part} ({words[part]}): {_missing(part, resolved)}")
        off = total["overhead"] if terms.whole_inferences and part != "overhead" else 0.0
        total[part] = sum(reading.ms - off for reading in readings) if option is None else option
        if off and readings and total[part] <= 0:
            problems.append(
                f"{part} takes no longer than the overhead, {off:g} ms: {', '.join(map(str, readings))}"
            )
    return {f"{part}_ms": _round(total[part]) for part in PARTS}


def _missing(part: str, resolved: Resolved) -> str:
    if part != "stem" or not resolved.shortcut_stem:
        return f"no reading of it; give one, or --{part}-ms"
    terms = " + ".join(f"{reading.ms:g} ms in {reading}" for reading in resolved.shortcut_stem)
    total = sum(reading.ms for reading in resolved.shortcut_stem)
    return (
        f"readings of it have a shortcut that it has not: {terms} = {total:g} ms; give --stem-with-shortcut "
        "to take their sum, or --stem-ms"
    )


def _processor_problems(resolved: Resolved, terms: Terms) -> list[str]:
    wrong = [reading for reading in _used(resolved) if reading.cpu is not None and reading.cpu != terms.cpu]
    if not wrong:
        return []
    where = (
        "an accelerator, though --cpu asks for the CPU"
        if terms.cpu
        else "the CPU; give --cpu if that is meant"
    )
    return [f"{len(wrong)} reading(s) ran on {where}: {_some(wrong)}"]


def _not_positive(entries: Iterable[Entry], resolved: Resolved, overhead_ms: float) -> list[str]:
    wrong = {
        resolved.blocks[entry.layer, entry.choice]
        for entry in entries
        if entry.ms <= 0 and not entry.geometry.is_identity
    }
    if not wrong:
        return []
    limit = f"the overhead, {overhead_ms:g} ms" if overhead_ms else "0 ms"
    return [f"{len(wrong)} reading(s) take no longer than {limit}: {_some(sorted(wrong, key=str))}"]


def _error_problems(resolved: Resolved, terms: Terms) -> list[str]:
    unknown = _without_error(resolved)
    if terms.relative_error is not None and terms.relative_error >= 1:
        return [f"--relative-error {terms.relative_error:g} is no fraction below 1 (0.05 are 5 %)"]
    if not unknown or terms.relative_error is not None:
        return []
    by_lack: dict[str, list[Reading]] = {}
    for reading in unknown:
        by_lack.setdefault(_lack(reading), []).append(reading)
    lacks = "; ".join(
        f"{len(each)} reading(s) state {lack} ({_some(each)})" for lack, each in by_lack.items()
    )
    return [f"{lacks}: give --relative-error, the error of one entry as a fraction, e.g. 0.05"]


def _lack(reading: Reading) -> str:
    """Why a reading has no standard error."""
    if reading.n == 1:
        return "a single run"
    if reading.std == 0:
        return "a standard deviation of 0, which is rounded"
    lacks = ["number of runs"] * (reading.n is None) + ["standard deviation"] * (reading.std is None)
    return f"no {' and '.join(lacks)}"


def _error(resolved: Resolved, terms: Terms) -> dict[str, Any]:
    statements = []
    if any(standard_error_ms(reading) is not None for reading in resolved.blocks.values()):
        statements.append("per entry the standard error of the mean of its runs")
    if _without_error(resolved) and terms.relative_error is not None:
        statements.append(f"{terms.relative_error:.2%} per entry is what the importer of the table stated")
    return {"statement": "; ".join([*statements, "no whole network was compared"])}


def _without_error(resolved: Resolved) -> list[Reading]:
    return [reading for reading in _distinct(resolved.blocks.values()) if standard_error_ms(reading) is None]


def _used(resolved: Resolved) -> list[Reading]:
    parts = (reading for readings in resolved.parts.values() for reading in readings)
    return _distinct([*resolved.blocks.values(), *parts])


def notes(resolved: Resolved, terms: Terms) -> list[str]:
    """Assumptions that the readings' keys made necessary."""
    found = [SQUEEZE_NOTE] if any("-se:1" in reading.key for reading in resolved.blocks.values()) else []
    if terms.shortcut_stem and resolved.shortcut_stem and not resolved.parts["stem"]:
        found.append(SHORTCUT_NOTE)
    return found


def _distinct(readings: Iterable[Reading]) -> list[Reading]:
    return list(dict.fromkeys(readings))


def _some(readings: list[Reading], limit: int = 8) -> str:
    more = f" and {len(readings) - limit} more" if len(readings) > limit else ""
    return ", ".join(map(str, readings[:limit])) + more


def _round(value: float) -> float:
    """Six significant digits: more than any clock gives, and short in a diff."""
    return float(f"{value:.6g}")
