"""``metrics.csv`` of a run that may go on in its folder: one file, with the rows of one run."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.loggers.csv_logs import ExperimentWriter


class MetricsFile(CSVLogger):
    """Lightning's CSVLogger, which would delete what it finds.

    Args:
        folder: of the run.
        done: of a run that goes on, the epochs and steps that are done; rows of later ones, which a kill has
            left, will be written again. None: a new run.
    """

    def __init__(self, folder: Path, done: tuple[int, int] | None = None) -> None:
        super().__init__(folder, name="", version="")
        if done is not None:
            # Before the writer is made, which removes the file.
            rows = _rows(folder / ExperimentWriter.NAME_METRICS_FILE, *done)
            self.experiment.metrics.extend(rows)


def _rows(path: Path, epochs: int, steps: int) -> list[dict[str, Any]]:
    """What was logged in the first epochs and steps; a torn last line is not there."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        whole = [row for row in csv.DictReader(stream) if None not in row.values()]
    rows = [{key: value for key, value in row.items() if value} for row in whole]
    return [row for row in rows if _below(row.get("epoch"), epochs) or _below(row.get("step"), steps)]


def _below(text: str | None, bound: int) -> bool:
    return text is not None and text.isdigit() and int(text) < bound
