"""The logs of a run: ``metrics.csv``, which goes on with it, and events of TensorBoard; neither ends it."""

from __future__ import annotations

import csv
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

from lightning_fabric.loggers.logger import _DummyExperiment, rank_zero_experiment
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from pytorch_lightning.loggers.csv_logs import ExperimentWriter
from tensorboard.summary.writer.event_file_writer import _AsyncWriterThread
from torch.utils.tensorboard import SummaryWriter

from dnas.support.files import going_on, write_text


class MetricsFile(CSVLogger):
    """Lightning's CSVLogger, which would delete what it finds, with a file that no kill can empty.

    Args:
        folder: of the run.
        done: of a run that goes on, the epochs and steps that are done; rows of later ones, which a kill has
            left, will be written again. None: a new run.
    """

    def __init__(self, folder: Path, done: tuple[int, int] | None = None) -> None:
        super().__init__(folder, name="", version="")
        self._experiment = _Rows(folder)
        if done is not None:
            self._experiment.keep(*done)

    def log_hyperparams(self, params: Any = None) -> None:
        with going_on(f"{ExperimentWriter.NAME_HPARAMS_FILE} in {self.log_dir}"):
            super().log_hyperparams(params)

    def save(self) -> None:
        # What was not written stays in memory, for the next time.
        with going_on(str(Path(self.log_dir) / ExperimentWriter.NAME_METRICS_FILE)):
            super().save()


class _Rows(ExperimentWriter):
    """Appends rows, and replaces the file as a whole where a new metric needs a column."""

    def __init__(self, folder: Path) -> None:
        # Not the constructor of Lightning's, which deletes a file that is there.
        self.log_dir, self.hparams = str(folder), {}
        self.metrics: list[dict[str, Any]] = []
        self._path = folder / self.NAME_METRICS_FILE
        self._columns: list[str] = []
        self._length = 0

    def keep(self, epochs: int, steps: int) -> None:
        """Go on behind the rows of the first epochs and steps."""
        kept = [
            row
            for row in _whole_rows(self._path)
            if _below(row.get("epoch"), epochs) or _below(row.get("step"), steps)
        ]
        self._replace(kept)

    def save(self) -> None:
        if not self.metrics:
            return
        if {*self._columns}.issuperset(set().union(*self.metrics)):
            with self._path.open("r+b") as stream:
                # What an earlier attempt has written in part, on a full disk.
                stream.truncate(self._length)
                stream.seek(self._length)
                stream.write(_text(self.metrics, self._columns).encode())
            self._length = self._path.stat().st_size
        else:
            self._replace([*_whole_rows(self._path), *self.metrics])
        self.metrics = []

    def _replace(self, rows: Sequence[Mapping[str, Any]]) -> None:
        columns = sorted(set().union(*rows))
        header = _text([dict(zip(columns, columns, strict=True))], columns) if rows else ""
        write_text(self._path, header + _text(rows, columns))
        self._columns, self._length = columns, self._path.stat().st_size


class Events(TensorBoardLogger):
    """Lightning's TensorBoardLogger in the folder of a run, which does not end a training."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, name="", version="")
        self._lost = False
        _quieten_writers()

    @property
    @rank_zero_experiment
    def experiment(self) -> SummaryWriter:
        if not self._lost:
            with going_on(f"Events of TensorBoard in {self.log_dir}"):
                return super().experiment
            self._lost = True
        return _DummyExperiment()  # type: ignore[return-value]

    def log_hyperparams(self, *arguments: Any, **options: Any) -> None:
        with going_on(f"Events of TensorBoard in {self.log_dir}"):
            if isinstance(self.experiment, SummaryWriter):
                super().log_hyperparams(*arguments, **options)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        with going_on(f"Events of TensorBoard in {self.log_dir}"):
            try:
                super().log_metrics(metrics, step)
            except ValueError as error:
                # Lightning takes every failure for a value that cannot be logged.
                if isinstance(error.__cause__, OSError):
                    raise error.__cause__ from None
                raise

    def save(self) -> None:
        with going_on(f"Events of TensorBoard in {self.log_dir}"):
            super().save()

    def finalize(self, status: str) -> None:
        with going_on(f"Events of TensorBoard in {self.log_dir}"):
            super().finalize(status)


@cache  # once for all trainings of a process
def _quieten_writers() -> None:
    """Threads of TensorBoard hand their errors on to the one that logs: their tracebacks say nothing more."""
    hook = threading.excepthook

    def without_writers(failed: threading.ExceptHookArgs) -> None:
        if not isinstance(failed.thread, _AsyncWriterThread):
            hook(failed)

    threading.excepthook = without_writers


def _text(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    stream = StringIO()
    csv.DictWriter(stream, columns).writerows(rows)
    return stream.getvalue()


def _whole_rows(path: Path) -> list[dict[str, str]]:
    """Those of a file, without empty values; a torn last line, or one with too many values, is not there."""
    if not path.is_file():
        return []
    # A flipped bit costs a value or a row, not the training.
    with path.open(newline="", encoding="utf-8", errors="replace") as stream:
        whole = [row for row in csv.DictReader(stream) if None not in row and None not in row.values()]
    return [{key: value for key, value in row.items() if value} for row in whole]


def _below(text: str | None, bound: int) -> bool:
    return text is not None and text.isdigit() and int(text) < bound
