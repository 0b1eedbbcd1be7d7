"""The logs of a run: ``metrics.csv``, which goes on with it, and events of TensorBoard; neither ends it."""

from __future__ import annotations

import csv
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lightning_fabric.loggers.logger import _DummyExperiment, rank_zero_experiment
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from pytorch_lightning.loggers.csv_logs import ExperimentWriter
from tensorboard.summary.writer.event_file_writer import _AsyncWriterThread
from torch.utils.tensorboard import SummaryWriter

from dnas.support.files import going_on


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

    def log_hyperparams(self, params: Any = None) -> None:
        with going_on(f"{ExperimentWriter.NAME_HPARAMS_FILE} in {self.log_dir}"):
            super().log_hyperparams(params)

    def save(self) -> None:
        # What was not written stays in memory, for the next time.
        with going_on(str(Path(self.log_dir) / ExperimentWriter.NAME_METRICS_FILE)):
            super().save()


class Events(TensorBoardLogger):
    """Lightning's TensorBoardLogger in the folder of a run, which does not end a training."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, name="", version="")
        self._lost = False
        threading.excepthook = _without_writers(threading.excepthook)

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


def _without_writers(hook: Callable[[threading.ExceptHookArgs], object]) -> Callable[..., object]:
    """Threads of TensorBoard hand their errors on to the one that logs: their tracebacks say nothing more."""
    return lambda failed: None if isinstance(failed.thread, _AsyncWriterThread) else hook(failed)


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
