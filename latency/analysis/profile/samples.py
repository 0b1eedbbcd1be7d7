"""Latencies or accuracies of whole networks from a CSV file, architectures in text form."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dnas.space import SearchSpace
from dnas.space.architecture import Architecture, ArchitectureError
from latency.table.errors import TableError

MOST_LISTED = 20


@dataclass(frozen=True)
class Quantity:
    """What a column holds: its possible names, what is expected there, and which values are possible."""

    columns: tuple[str, ...]
    expected: str
    possible: Callable[[float], bool]

    def read(self, text: str) -> float:
        """The value; ValueError with what was expected when it is none."""
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not self.possible(value):
            raise ValueError(f"{self.columns[0]} {text!r} is not {self.expected}")
        return value


LATENCY = Quantity(("latency_ms",), "a number of milliseconds above 0", lambda ms: 0 < ms < math.inf)
ACCURACY = Quantity(
    ("accuracy", "top1"), "a fraction from 0 to 1 (divide per cent by 100)", lambda top1: 0 <= top1 <= 1
)


@dataclass(frozen=True)
class Samples:
    """Different networks, each once: rows of the same network are averaged.

    Attributes:
        genomes: (n, L) integers.
        values: (n,) float64.
        rows: rows of the file, n or more.
    """

    genomes: np.ndarray
    values: np.ndarray
    rows: int


def read_samples(path: str | Path, space: SearchSpace, quantity: Quantity) -> Samples:
    """Read the columns ``architecture`` and ``quantity`` of a CSV file; other columns are not looked at.

    Raises:
        TableError: no such file or columns, no rows, architectures that the space does not have, impossible
            values; all in one message.
    """
    reader = csv.DictReader(io.StringIO(_text(path)), skipinitialspace=True)
    try:
        rows, found = list(reader), list(reader.fieldnames or [])
    except csv.Error as error:
        raise TableError(f"{path} is not a CSV file: {error}.") from error
    column = next((name for name in quantity.columns if name in found), None)
    if column is None or "architecture" not in found:
        wanted = f"'architecture' and {' or '.join(map(repr, quantity.columns))}"
        raise TableError(
            f"{path}: expected the columns {wanted}, separated by commas; "
            f"found {', '.join(found) or 'an empty file'}."
        )
    genomes, values, problems = [], [], []
    for number, row in enumerate(rows, start=2):
        try:
            genomes.append(_architecture(row, space).indices)
            values.append(quantity.read(row[column] or ""))
        except ValueError as error:
            problems.append(f"row {number}: {' '.join(str(error).split())}")
    _refuse(problems or (["there are no rows"] if not rows else []), path)
    return _averaged(np.array(genomes), np.array(values))


def _text(path: str | Path) -> str:
    path = Path(path)
    if not path.is_file():
        raise TableError(
            f"No file {path}. It must be a CSV file of architectures with a value each; "
            "see docs/latency_profile.md."
        )
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError(f"{path} is not UTF-8 text: {error}.") from error


def _architecture(row: Mapping[str, str | None], space: SearchSpace) -> Architecture:
    text = row["architecture"]
    if not text:
        raise ArchitectureError("no architecture")
    return Architecture.parse(text, space)


def _refuse(problems: list[str], path: str | Path) -> None:
    if problems:
        more = len(problems) - MOST_LISTED
        listing = "\n  ".join(problems[:MOST_LISTED] + ([f"... and {more} more"] if more > 0 else []))
        raise TableError(f"{len(problems)} problem(s) in {path}:\n  {listing}")


def _averaged(genomes: np.ndarray, values: np.ndarray) -> Samples:
    unique, member = np.unique(genomes, axis=0, return_inverse=True)
    # NumPy 2.0 gave the inverse of rows another shape.
    member = member.reshape(-1)
    sums = np.bincount(member, weights=values)
    return Samples(unique, sums / np.bincount(member), len(values))
