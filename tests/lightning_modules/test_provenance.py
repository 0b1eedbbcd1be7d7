"""Checkpoints hold plain data only, and enough of it."""

from __future__ import annotations

from typing import Any

import pytest
import pytorch_lightning as pl

from lightning_modules.data import Digits
from lightning_modules.provenance import describe_data, is_plain, library_versions, save_plain_hyperparameters


class Module(pl.LightningModule):
    def __init__(self, width: int, names: Any = None, thing: Any = None) -> None:
        super().__init__()
        save_plain_hyperparameters(self)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (1, True),
        ({"a": [1.5, (None, "x")]}, True),
        (object(), False),
        ({"a": [object()]}, False),
        ({object(): 1}, False),
        (len, False),
    ],
)
def test_plain(value: Any, plain: bool) -> None:
    assert is_plain(value) is plain


def test_objects_are_left_out_of_the_hyperparameters() -> None:
    assert dict(Module(3, names=["a"], thing=object()).hparams) == {"width": 3, "names": ["a"]}


def test_a_data_module_can_be_made_again() -> None:
    described = describe_data(Digits(resolution=8, batch_size=7, seed=3))
    assert described is not None and described["class_path"] == "lightning_modules.data.digits.Digits"
    again = Digits(**described["init_args"])
    assert (again.resolution, again.batch_size, again.seed) == (8, 7, 3)
    assert describe_data(None) is None


def test_versions_name_what_decides_results() -> None:
    versions = library_versions()
    assert versions["pytorch-lightning"] == pl.__version__
    assert set(versions) >= {"dnas", "torch", "numpy"}
