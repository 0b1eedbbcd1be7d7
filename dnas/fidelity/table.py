"""Accuracies that are known already, from a CSV file: of a tabular benchmark, or of an earlier audit."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dnas.fidelity.source import StandAlone, Tell, sample_known
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture

COLUMNS = ("architecture", "top1")
_MOST_LISTED = 20
# (architecture, seed) -> top-1, of one network.
_Rows = dict[tuple[Architecture, str], float]


class KnownAccuracies:
    """Stand-alone accuracies from the columns ``architecture``, ``top1`` (a fraction) and perhaps ``seed``.

    Rows of a network that differ in their seed, or in the architecture that they name it by, are averaged; it
    is known by its canonical architecture. An empty or NaN accuracy is that of a
    failed training: it leaves the architecture without one. Other columns are not looked at.

    Raises:
        ValueError: no such file or columns, no rows, architectures that the space does not have, values that
            are no fractions, an architecture twice with the same seed; all in one message.
    """

    images = None

    def __init__(self, path: str | Path, space: SearchSpace) -> None:
        self._path = Path(path)
        if not self._path.is_file():
            raise ValueError(f"--accuracies: no file {path}. {_EXPECTED}")
        content = self._path.read_bytes()
        self._sha256 = hashlib.sha256(content).hexdigest()
        self._top1 = _read(path, content, space)

    def sample(self, number: int | None, generator: np.random.Generator) -> list[Architecture]:
        """Different networks of the file, drawn uniformly; all of them for None."""
        return sample_known(list(self._top1), number, generator)

    def accuracies(self, architectures: Sequence[Architecture], tell: Tell) -> list[StandAlone]:
        """Of architectures that `sample` gave."""
        means = [float(np.mean(list(self._top1[each].values()))) for each in architectures]
        return [StandAlone(mean, "no accuracy in the file" if math.isnan(mean) else "") for mean in means]

    def describe(self) -> dict[str, Any]:
        """Plain data about where accuracies come from."""
        seeds = sum(map(len, self._top1.values()))
        return {"kind": "known", "file": self._path.name, "sha256": self._sha256, "rows": seeds}


_EXPECTED = (
    "Expected a CSV file with the columns architecture (choice names of the layers, separated by spaces), "
    "top1 (a fraction) and perhaps seed; see docs/fidelity.md."
)


def _read(path: str | Path, content: bytes, space: SearchSpace) -> dict[Architecture, _Rows]:
    """Canonical architecture -> (architecture, seed) -> top-1."""
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig")), skipinitialspace=True)
        rows, columns = list(reader), reader.fieldnames or []
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"--accuracies {path} is not a CSV file: {error}. {_EXPECTED}") from error
    if missing := [name for name in COLUMNS if name not in columns]:
        found = ", ".join(columns) or "nothing"
        raise ValueError(
            f"--accuracies {path} has no column {' and '.join(missing)}, found {found}. {_EXPECTED}"
        )
    known: dict[Architecture, _Rows] = {}
    problems = [] if rows else ["there are no rows"]
    for number, row in enumerate(rows, start=2):
        try:
            _add(known, row, space)
        except ValueError as error:
            problems.append(f"row {number}: {' '.join(str(error).split())}")
    _refuse(problems, path)
    return known


def _add(known: dict[Architecture, _Rows], row: Mapping[str, str | None], space: SearchSpace) -> None:
    if not (text := row["architecture"]):
        raise ValueError("no architecture")
    architecture, seed = Architecture.parse(text, space), row.get("seed") or ""
    rows = known.setdefault(architecture.canonical(), {})
    if (architecture, seed) in rows:
        raise ValueError(f"the architecture {text} a second time" + (f" with seed {seed}" if seed else ""))
    rows[architecture, seed] = _fraction(row["top1"] or "nan")


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if not (0 <= value <= 1 or math.isnan(value)):
        raise ValueError(f"top1 {text!r} is no fraction from 0 to 1 (divide per cent by 100)")
    return value


def _refuse(problems: Sequence[str], path: str | Path) -> None:
    if problems:
        more = len(problems) - _MOST_LISTED
        listing = [*problems[:_MOST_LISTED], *([f"... and {more} more"] if more > 0 else [])]
        raise ValueError(f"{len(problems)} problem(s) in --accuracies {path}:\n  " + "\n  ".join(listing))
