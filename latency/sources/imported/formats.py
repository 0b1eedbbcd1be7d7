"""The formats by name, and reading files of them."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence
from pathlib import Path

from latency.sources.imported import benchmark_model, benchncnn, csv_table, gpu_profile
from latency.sources.imported.lookup import FBNET, PROXYLESSNAS
from latency.sources.imported.reading import Importer, ImportResult, Unread

FORMATS: dict[str, Importer] = {
    "benchmark_model": benchmark_model,
    "gpu_profile": gpu_profile,
    "proxylessnas": PROXYLESSNAS,
    "fbnet": FBNET,
    "benchncnn": benchncnn,
    "csv": csv_table,
}


def files(paths: Iterable[str | Path]) -> list[Path]:
    """The files themselves, and those in the folders, sorted; hidden ones and subfolders are left out."""
    found: list[Path] = []
    for path in map(Path, paths):
        inside = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
        found += [file for file in inside if file == path or not file.name.startswith(".")]
    return list(dict.fromkeys(found))


def read(format_name: str, path: str | Path, unit: str | None = None) -> ImportResult:
    """Everything in one file; what could not be read is in ``unread``, nothing is raised for it.

    Args:
        format_name: one of :data:`FORMATS`.
        unit: ``us``, ``ms`` or ``s``, for files that do not state it.
    """
    try:
        return FORMATS[format_name].read(_text(Path(path)), str(path), unit)
    except ValueError as error:
        return ImportResult(unread=(Unread(str(path), 0, str(error)),))


def unit_problems(format_name: str, unit: str | None) -> Sequence[str]:
    """A unit given for a format that states its own must be that one."""
    stated = FORMATS[format_name].UNIT
    if unit is None or stated in (None, unit):
        return []
    return [f"--unit {unit}: files of {format_name} are in {stated}; leave it out"]


def _text(path: Path) -> str:
    if not path.is_file():
        raise ValueError("no such file")
    content = path.read_bytes()
    if not content.strip():
        raise ValueError("the file is empty")
    # A redirection in PowerShell writes UTF-16.
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise ValueError("a binary file, expected text")
    return text
