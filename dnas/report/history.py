"""The course of a run as an immutable table of epochs x metrics, read from Lightning's ``metrics.csv``."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np


class HistoryError(ValueError):
    """A log of metrics that is missing, empty or damaged."""


@dataclass(frozen=True, eq=False)
class History:
    """Metrics by epoch. Arrays are read-only copies.

    Attributes:
        epochs: (E,) int64, strictly increasing, as Lightning counts them (the first is 0).
        columns: name of a metric -> (E,) float64, NaN where it was not logged.

    Raises:
        HistoryError: no epochs, epochs out of order, or columns of another length.
    """

    epochs: np.ndarray
    columns: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        epochs = _frozen(self.epochs, np.int64)
        columns = {name: _frozen(values, np.float64) for name, values in self.columns.items()}
        if epochs.ndim != 1 or not epochs.size or (np.diff(epochs) <= 0).any():
            raise HistoryError(f"Epochs must be one or more increasing numbers, got {epochs.tolist()}.")
        wrong = [
            f"{name}: {values.shape}" for name, values in columns.items() if values.shape != epochs.shape
        ]
        if wrong:
            raise HistoryError(f"Expected {len(epochs)} values in every column, got {', '.join(wrong)}.")
        object.__setattr__(self, "epochs", epochs)
        object.__setattr__(self, "columns", MappingProxyType(columns))

    def __len__(self) -> int:
        return len(self.epochs)

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.columns:
            raise HistoryError(
                f"No metric {name!r} was logged. There are: {', '.join(sorted(self.columns))}."
            )
        return self.columns[name]

    @classmethod
    def from_records(cls, records: Sequence[Mapping[str, float]]) -> History:
        """From one mapping of metrics per epoch (or several, joined), each with the key ``epoch``."""
        return _joined([dict(record) for record in records])

    def finite(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """(n,) epochs and (n,) values of one metric, without epochs where it is NaN or infinite."""
        kept = np.isfinite(self[name])
        return self.epochs[kept], self[name][kept]


def read_history(path: str | Path) -> History:
    """Read the ``metrics.csv`` of Lightning's CSVLogger, given as that file or as the folder that holds it.

    Lightning writes several rows per epoch, each with some of the metrics; they are joined, and where an
    epoch has several values of one metric the last one counts. Rows without an epoch (the learning-rate
    monitor's) belong to the next epoch that the file names; after the last one they are of an unfinished
    epoch and are left out.

    Raises:
        HistoryError: no such file, no epoch in it, or cells that are no numbers (all, with their lines).
    """
    path = Path(path)
    path = path / "metrics.csv" if path.is_dir() else path
    if not path.is_file():
        raise HistoryError(f"No metrics file {path}. A run with Lightning's CSVLogger writes one.")
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    values = _numbers(rows, path)
    if not any("epoch" in row for row in values):
        raise HistoryError(
            f"{path} names no epoch yet (column 'epoch'): {len(rows)} row(s). Has the run begun?"
        )
    return _joined(values)


def _frozen(values: np.ndarray, dtype: type) -> np.ndarray:
    copied: np.ndarray = np.array(values, dtype=dtype)
    copied.setflags(write=False)
    return copied


def _numbers(rows: list[dict[str, str]], path: Path) -> list[dict[str, float]]:
    """The filled cells of every row as numbers."""
    result: list[dict[str, float]] = []
    problems: list[str] = []
    for line, row in enumerate(rows, start=2):
        result.append({})
        for name, cell in row.items():
            if name is None:
                problems.append(f"line {line}: more cells than the heading")
            elif cell:
                try:
                    result[-1][name] = float(cell)
                except ValueError:
                    problems.append(f"line {line}, {name}: {cell!r} is not a number")
        epoch = result[-1].get("epoch", 0.0)
        if not epoch.is_integer():
            problems.append(f"line {line}, epoch: {epoch} is not a whole number")
    if problems:
        raise HistoryError(
            f"{path} is not a metrics file of Lightning's CSVLogger:\n  " + "\n  ".join(problems)
        )
    return result


def _joined(rows: list[dict[str, float]]) -> History:
    by_epoch: dict[int, dict[str, float]] = {}
    waiting: dict[str, float] = {}
    for row in rows:
        waiting.update(row)
        if "epoch" in row:
            by_epoch.setdefault(int(row["epoch"]), {}).update(waiting)
            waiting = {}
    epochs = sorted(by_epoch)
    names = dict.fromkeys(name for row in rows for name in row if name != "epoch")
    columns = {name: np.array([by_epoch[epoch].get(name, np.nan) for epoch in epochs]) for name in names}
    return History(np.array(epochs), columns)
