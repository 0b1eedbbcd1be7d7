"""Which files an export writes, and putting them in their places once all were checked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from dnas.export.formats import FORMATS
from dnas.export.formats.base import Format

ALL = "all"


def chosen(text: str, missing: Iterable[str] = ()) -> list[Format]:
    """The formats that ``--format`` names, in its order; ``all`` means those that are not ``missing``.

    Raises:
        ValueError: naming what is no format.
    """
    names = list(dict.fromkeys(part.strip() for part in text.split(",")))
    if unknown := [name for name in names if name not in (*FORMATS, ALL)]:
        raise ValueError(
            f"--format {', '.join(map(repr, unknown))}: unknown. Give one of {', '.join(FORMATS)}, several "
            f"with commas between them, or {ALL}."
        )
    if ALL in names:
        names = [name for name in FORMATS if name not in missing]
    return [FORMATS[name] for name in names]


def paths(output: Path, formats: Sequence[Format]) -> dict[str, Path]:
    """Name of every format -> the file to write.

    For one format it is ``output`` itself. For several, ``output`` is what their files have in common:
    ``model`` and ``model.onnx`` both mean ``model.onnx``, ``model.xml``, and so on.

    Raises:
        ValueError: for one format, a name with another format's suffix, or without a needed one.
        IsADirectoryError: it is a folder.
    """
    if output.is_dir():
        raise IsADirectoryError(f"--output {output} is a folder: give a file to write, model.onnx.")
    if len(formats) == 1:
        only = formats[0]
        if problem := only.name_problem(output):
            raise ValueError(f"--output {output}: {problem}")
        return {only.name: output}
    suffixes = {each.suffix for each in FORMATS.values()}
    stem = output.with_suffix("") if output.suffix in suffixes else output
    found = {each.name: stem.with_name(stem.name + each.suffix) for each in formats}
    for each in formats:
        if problem := each.name_problem(found[each.name]):
            raise ValueError(f"--output {output}: {problem}")
    return found


def files_of(names: dict[str, Path]) -> list[Path]:
    """All files of an export, companions before the files that need them."""
    return [each for name, path in names.items() for each in (*FORMATS[name].companions(path), path)]


def check_free(files: Iterable[Path], *, overwrite: bool) -> None:
    """Refuse to write over other files unless ``overwrite``, and over folders always.

    Raises:
        IsADirectoryError: a folder has the name of one.
        FileExistsError: one is there already.
    """
    for path in files:
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder: give another --output.")
        if path.exists() and not overwrite:
            raise FileExistsError(f"{path} is there already. Choose another --output, or add --overwrite.")


def publish(folder: Path, files: Iterable[Path]) -> None:
    """Move ``files`` from ``folder``, where they have the same names, to their places."""
    for path in files:
        os.replace(folder / path.name, path)
