"""The formats by name, and reading files of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from latency.sources.imported import (
    benchmark_model,
    benchncnn,
    csv_table,
    executorch,
    gpu_profile,
    litert_json,
    mace,
    matrix,
    mnn,
    onnxruntime_profile,
)
from latency.sources.imported.lookup import FBNET, PROXYLESSNAS
from latency.sources.imported.reading import Importer, ImportResult, Unread
from latency.sources.imported.text import read_text

FORMATS: dict[str, Importer] = {
    "benchmark_model": benchmark_model,
    "gpu_profile": gpu_profile,
    "litert_json": litert_json,
    "benchncnn": benchncnn,
    "mnn": mnn,
    "mace": mace,
    "onnxruntime": onnxruntime_profile,
    "executorch": executorch,
    "proxylessnas": PROXYLESSNAS,
    "fbnet": FBNET,
    "matrix": matrix,
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
        unit: ``ns``, ``us``, ``ms`` or ``s``, for files that do not state it.
    """
    try:
        text = read_text(Path(path))
    except ValueError as error:
        return ImportResult(unread=(Unread(str(path), 0, str(error)),))
    result = FORMATS[format_name].read(text, str(path), unit)
    others = [] if result.readings else _others(format_name, text, str(path), unit)
    if others:
        hint = Unread(str(path), 0, f"the file reads as {' or '.join(others)}")
        result = replace(result, unread=(*result.unread, hint))
    return result


def _others(format_name: str, text: str, source: str, unit: str | None) -> list[str]:
    """The formats that a file is in when it is not in the one that was asked for."""
    return [
        name
        for name, importer in FORMATS.items()
        if name != format_name and importer.read(text, source, importer.UNIT or unit or "ms").readings
    ]


def unit_problems(format_name: str, unit: str | None) -> Sequence[str]:
    """A unit given for a format that states its own must be that one."""
    stated = FORMATS[format_name].UNIT
    if unit is None or stated in (None, unit):
        return []
    return [f"--unit {unit}: files of {format_name} are in {stated}; leave it out"]
