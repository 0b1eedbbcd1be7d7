"""A survey and its findings as lines, and as plain data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from dnas.data.findings import Finding, counts
from dnas.data.survey import Survey
from dnas.images.decoding import Header

SHOWN = 20


def lines(survey: Survey, found: Sequence[Finding]) -> Iterator[str]:
    """The text of ``dnas data check``. Damaged files are all named, of other names the first twenty."""
    yield f"{len(survey.images):,} image files in {survey.folder}"
    for part, numbers in counts(survey).items():
        sizes = sorted(numbers.values())
        if sizes:
            yield (
                f"  {part or 'classes'}: {len(sizes):,} classes of {sizes[0]:,} to {sizes[-1]:,} images,"
                f" median {median(sizes):g}"
            )
    if kinds := _kinds(survey):
        yield from ("", *_table(kinds))
    for title, is_problem in (("Problems", True), ("Notes", False)):
        chosen = [finding for finding in found if finding.is_problem == is_problem]
        if chosen:
            yield from ("", f"{title}:")
        for finding in chosen:
            yield from _lines_of(finding)
    if not any(finding.is_problem for finding in found):
        yield from ("", "Nothing is wrong that would break or spoil a training.")


def plain(survey: Survey, found: Sequence[Finding]) -> dict[str, Any]:
    """The same as plain data, with every name."""
    return {
        "folder": str(survey.folder),
        "images": len(survey.images),
        "classes": counts(survey),
        "kinds": [
            {"format": kind[0], "mode": kind[1], "images": len(headers), **_extent(headers)}
            for kind, headers in _kinds(survey)
        ],
        "left_out": survey.left_out.counts,
        "problems": [_plain(finding) for finding in found if finding.is_problem],
        "notes": [_plain(finding) for finding in found if not finding.is_problem],
    }


def _lines_of(finding: Finding) -> Iterator[str]:
    yield f"- {finding.text}"
    most = len(finding.names) if finding.name_all else SHOWN
    yield from (f"    {name}" for name in finding.names[:most])
    if len(finding.names) > most:
        yield f"    ... and {len(finding.names) - most:,} more (--json has all)"


def _plain(finding: Finding) -> dict[str, Any]:
    return {"text": finding.text, "names": list(finding.names)}


def _kinds(survey: Survey) -> list[tuple[tuple[str, str], list[Header]]]:
    """(format, mode) -> headers, the most frequent first."""
    kinds: dict[tuple[str, str], list[Header]] = defaultdict(list)
    for image in survey.images:
        if image.header is not None and not image.fault:
            kinds[image.header.format, image.header.mode].append(image.header)
    return sorted(kinds.items(), key=lambda kind: (-len(kind[1]), kind[0]))


def _extent(headers: Sequence[Header]) -> dict[str, list[float]]:
    """Least, median and largest width and height, pixels."""
    sides = {"width": [each.width for each in headers], "height": [each.height for each in headers]}
    return {name: [min(values), median(values), max(values)] for name, values in sides.items()}


def _table(kinds: Sequence[tuple[tuple[str, str], list[Header]]]) -> Iterator[str]:
    """Columns are as wide as what is in them."""
    rows: list[tuple[str, ...]] = [("format", "mode", "images", "width, least / median / most", "height")]
    for (name, mode), headers in kinds:
        extent = _extent(headers)
        sides = (" / ".join(f"{value:g}" for value in extent[side]) for side in ("width", "height"))
        rows.append((name, mode, f"{len(headers):,}", *sides))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(cells)}".rstrip()
