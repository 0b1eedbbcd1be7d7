"""Figures of the search in its run folder, renewed after every epoch: they can be looked at while it runs."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as pl

from dnas.report.search_figures import write_search_figures
from dnas.support.files import going_on
from lightning_modules.callbacks.monitor import SearchMonitor


class SearchFigures(pl.Callback):
    """Write ``figures/alpha.png`` and ``figures/curves.png`` into the run folder.

    Args:
        monitor: keeps the metrics of all epochs.
        latency_kind: how the table's latencies came about, written on the axis.
        target_ms: latency target of the objective, drawn as a line.
        every_n_epochs: how often.
    """

    def __init__(
        self,
        monitor: SearchMonitor,
        latency_kind: str,
        target_ms: float | None = None,
        every_n_epochs: int = 5,
    ) -> None:
        self.monitor, self.latency_kind, self.target_ms = monitor, latency_kind, target_ms
        self.every_n_epochs = every_n_epochs

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if (trainer.current_epoch + 1) % self.every_n_epochs == 0:
            self._write(trainer)

    def on_fit_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._write(trainer)

    def _write(self, trainer: pl.Trainer) -> None:
        if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        relaxation = self.monitor.relaxation
        folder = Path(trainer.default_root_dir) / "figures"
        with going_on(f"Figures in {folder}"):
            write_search_figures(
                folder,
                self.monitor.history,
                relaxation.probabilities().detach().cpu().numpy(),
                relaxation.best(),
                self.latency_kind,
                self.target_ms,
            )
