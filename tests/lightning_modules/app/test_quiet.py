"""Lightning's advertisements are hidden, its warnings are not."""

from __future__ import annotations

import logging
import warnings

import pytest
from pytorch_lightning.utilities.rank_zero import rank_zero_info, rank_zero_warn

from lightning_modules.app.quiet import without_noise

NOISE = (
    "The number of training batches (2) is smaller than the logging interval Trainer(log_every_n_steps=50).",
    "You're using the WeightAveraging callback, but loading a checkpoint outside the 'fit' stage. The state",
    "The 'val_dataloader' does not have many workers which may be a bottleneck.",
)


def test_noise_is_hidden_inside_only(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pytorch_lightning")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with without_noise():
            rank_zero_info("Tip: try installing [litlogger](https://pypi.org/project/litlogger/)")
            rank_zero_info("Restoring states")
            for message in (*NOISE, "Your loss is odd"):
                rank_zero_warn(message)
        rank_zero_warn(NOISE[0])
        rank_zero_info("Tip: litlogger")
    assert [str(each.message) for each in caught] == ["Your loss is odd", NOISE[0]]
    assert [record.getMessage() for record in caplog.records] == ["Restoring states", "Tip: litlogger"]
