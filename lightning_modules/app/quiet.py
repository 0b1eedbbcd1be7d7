"""Leaving out what Lightning says that does not concern users of this library; all else is shown."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# Beginnings of messages (regular expressions) that are beside the point here.
_WARNINGS = (
    # We hand over the arguments ourselves, because names of shipped configs are resolved first.
    "LightningCLI's args parameter is intended",
    # Lightning's use of torch, which a user cannot change.
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    # Metrics are those of whole epochs: nothing is lost in a short one.
    r"The number of training batches \(\d+\) is smaller than the logging interval",
    # A resumed run has a folder of its own, as every run.
    r"The dirpath has changed from ",
    # Averaged weights are what a checkpoint holds, and what is to be tested.
    r"You're using the WeightAveraging callback, but loading a checkpoint outside",
    # It is kept (run_logs.py).
    r"Experiment logs directory .* exists and is not empty",
    # What is logged without being reduced is the same on all processes.
    r"It is recommended to use `self\.log\(.*sync_dist=True",
    # The data module says which split is empty.
    r"Total length of `\w+` across ranks is zero",
    # Lightning sees only the loaders for evaluation, not the one for training.
    r"The '\w+' does not have many workers",
)
# Advertisements, by product names in Lightning's tips; and what is said whenever a checkpoint is written.
_SAID = {
    "pytorch_lightning.utilities.rank_zero": ("litlogger", "litmodels"),
    "pytorch_lightning.trainer.connectors.checkpoint_connector": ("`weights_only` was not set",),
}


@contextmanager
def without_noise() -> Iterator[None]:
    """Within this context, hide the messages above."""
    loggers = [logging.getLogger(name) for name in _SAID]
    for logger in loggers:
        logger.addFilter(_is_of_interest)
    try:
        with warnings.catch_warnings():
            for message in _WARNINGS:
                warnings.filterwarnings("ignore", message=message)
            yield
    finally:
        for logger in loggers:
            logger.removeFilter(_is_of_interest)


def _is_of_interest(record: logging.LogRecord) -> bool:
    return not any(text in record.getMessage() for text in _SAID[record.name])
