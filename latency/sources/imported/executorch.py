"""Tables of ExecuTorch's Inspector (``save_data_to_tsv``, ``to_dataframe().to_csv``, or as
``print_data_tabular`` prints them): one file per block, named by its key.

The row ``Method::execute`` is a whole inference; ``avg (ms)`` or another unit is in the column's name, and
``raw`` lists single runs where it was kept, ``start_time`` when they began. *Assumptions:* a column without a
unit is in milliseconds, the Inspector's default; without a delegated operator, or with XNNPACK alone, the CPU
executed the block; otherwise a row ``native_call_...`` is an operator that the delegate did not take. Without
an ETRecord the Inspector knows no names of delegates.

Checked against ``devtools/inspector/_inspector.py`` of pytorch/executorch and its
documentation of the Inspector.
"""

from __future__ import annotations

import csv
import math
import re

from latency.sources.imported.names import file_key
from latency.sources.imported.reading import (
    MS_PER_UNIT,
    UNITS,
    ImportResult,
    Reading,
    Unread,
    amount,
    mean_and_std,
)

UNIT: str | None = "ms"
WHOLE_INFERENCES = True
KIND = "measured"
STATISTIC = "mean of the runs that ExecuTorch's Inspector lists"

COLUMN = re.compile(r"(?P<name>avg|p90|raw)(?: \((?P<unit>\w+)\))?")
CPU_DELEGATES = ("xnnpack",)
# The rows of a printed table stand between bars, as those of Markdown do.
PRINTED = re.compile(r"\s*[│|](?P<cells>.*)[│|]\s*")


def read(text: str, source: str, unit: str | None) -> ImportResult:
    """One reading, or the reason why there is none."""
    try:
        return ImportResult((_reading(text, source),), (), (("runtime", "ExecuTorch"),))
    except (ValueError, csv.Error) as error:
        return ImportResult(unread=(Unread(source, 0, str(error)),))


def _rows(text: str) -> list[tuple[int, dict[str, str]]]:
    """The number of the line and the values by column of every row."""
    lines = text.splitlines()
    printed = {line: found["cells"] for line, row in enumerate(lines, 1) if (found := PRINTED.fullmatch(row))}
    if printed:
        cells = {line: [cell.strip() for cell in re.split("[│|]", row)] for line, row in printed.items()}
        names = cells.pop(min(cells))
        # Of Markdown the second row is a rule.
        rows = {line: row for line, row in cells.items() if "---" not in row[0]}
        return [(line, dict(zip(names, row, strict=False))) for line, row in rows.items()]
    header = next(iter(lines), "")
    reader = csv.DictReader(lines, delimiter="\t" if "\t" in header else ",")
    return [(reader.line_num, row) for row in reader]


def _reading(text: str, source: str) -> Reading:
    rows = _rows(text)
    runs = [(line, row) for line, row in rows if row.get("event_name") == "Method::execute"]
    if len(runs) != 1:
        if not runs and "Method::execute" in text:
            raise ValueError("no column 'event_name': the table has lost its header, or is of another tool")
        raise ValueError(
            f"{len(runs)} rows 'Method::execute', expected one: the Inspector's table of one model and input"
        )
    ((line, run),) = runs
    found = {match["name"]: (name, match["unit"]) for name in run if (match := COLUMN.fullmatch(name or ""))}
    if "avg" not in found:
        raise ValueError(f"no column 'avg (ms)' among {', '.join(filter(None, run))}")
    # ``raw`` has no unit in its name and is in that of the others.
    unit = found["avg"][1] or "ms"
    if unit not in UNITS:
        raise ValueError(f"{unit} is no unit of time that is known ({', '.join(MS_PER_UNIT)})")
    values = {
        name: [
            amount(number, column) * MS_PER_UNIT[UNITS[unit]]
            for number in re.findall(r"[^\s,\[\]]+", run[column] or "")
        ]
        for name, (column, _) in found.items()
    }
    if len(values["avg"]) != 1:
        raise ValueError(f"{found['avg'][0]} {run[found['avg'][0]]!r} is not a number")
    single, ms = values.get("raw") or [], values["avg"][0]
    mean, std = mean_and_std(single) if single else (ms, None)
    if not math.isclose(mean, ms, rel_tol=1e-3):
        raise ValueError(f"'raw' has the mean {mean:g} ms, '{found['avg'][0]}' says {ms:g} ms: edited")
    return Reading(
        file_key(source),
        ms,
        source,
        line,
        n=len(single or re.findall(r"[^\s,\[\]]+", run.get("start_time") or "")) or None,
        std=std,
        p90=next(iter(values.get("p90", [])), None),
        cpu=_ran_on_cpu([row for _, row in rows]),
    )


def _ran_on_cpu(rows: list[dict[str, str]]) -> bool | None:
    if not all("delegate_backend_name" in row for row in rows):
        return None
    delegates = {row["delegate_backend_name"] for row in rows if row["delegate_backend_name"]}
    others = sorted(name for name in delegates if not name.lower().startswith(CPU_DELEGATES))
    left = [row["event_name"] for row in rows if (row["event_name"] or "").startswith("native_call_")]
    if others and (left or len(delegates) > len(others)):
        raise ValueError(
            f"{' and '.join(others)} did not take all of it, the CPU executed {left or 'a part'}"
        )
    if not delegates and any(_is_delegated(row) for row in rows):
        return None
    return not others


def _is_delegated(row: dict[str, str]) -> bool:
    return row["event_name"] == "DELEGATE_CALL" or row.get("is_delegated_op") == "True"
