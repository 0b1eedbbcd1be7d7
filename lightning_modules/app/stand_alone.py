"""One network trained alone and tested, as ``dnas fit`` and ``dnas test`` do with a config for retraining.

``dnas.fidelity`` trains with it, and knows it as a ``dnas.fidelity.standalone.Trainer``.
"""

from __future__ import annotations

import io
import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from lightning_modules.app import lightning_command
from lightning_modules.app.continuing import newest_checkpoint
from lightning_modules.app.quiet import without_noise
from lightning_modules.app.resources import find_config
from lightning_modules.provenance import describe_data

_LOGGERS = ("pytorch_lightning", "lightning_fabric")


class StandAloneTrainer:
    """Trains with configs for ``lightning_modules.classifier.Classifier`` or the like."""

    def find_config(self, name: str) -> Path:
        """Path of a config, a file or a shipped name; raises FileNotFoundError for neither."""
        return find_config(name)

    def train(
        self, config: Path, overrides: Sequence[str], architecture: Path, folder: Path
    ) -> tuple[float, int, dict[str, Any] | None]:
        """Train from scratch, writing into ``folder``, and test the weights of the last epoch.

        A training that was stopped there goes on from its newest checkpoint, bit for bit on a CPU.

        Returns:
            Top-1 on the test split, its number of images, and plain data about the data module.
        """
        arguments = [
            "fit",
            f"--config={config}",
            "--trainer.enable_progress_bar=false",
            "--trainer.enable_model_summary=false",
            *(f"--{override}" for override in overrides),
            f"--model.architecture={architecture}",
            f"--run_folder={folder}",
        ]
        checkpoint = newest_checkpoint(folder)
        if checkpoint is None:
            # Killed before its first checkpoint.
            shutil.rmtree(folder, ignore_errors=True)
        else:
            arguments.append(f"--ckpt_path={checkpoint}")
        with _quiet():
            cli = lightning_command.run_lightning(arguments, resumes=checkpoint is not None)
            cli.trainer.test(cli.model, datamodule=cli.datamodule)
        top1 = cli.trainer.callback_metrics["test_top1"].item()
        return top1, len(cli.trainer.test_dataloaders.dataset), describe_data(cli.datamodule)  # type: ignore[union-attr]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what Lightning prints about every single training; warnings and errors remain."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with without_noise(), redirect_stdout(io.StringIO()):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
