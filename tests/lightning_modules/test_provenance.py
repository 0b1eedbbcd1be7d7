"""Checkpoints hold plain data only, and enough of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import pytorch_lightning as pl

from lightning_modules.data import Digits
from lightning_modules.provenance import (
    as_plain,
    describe_data,
    is_plain,
    library_versions,
    save_plain_hyperparameters,
)


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


@dataclass
class Settings:
    width: int
    thing: Any = None
    inner: Any = None


def test_dataclasses_are_described_as_a_config_writes_them() -> None:
    settings = Settings(3, thing=object(), inner=Settings(4, thing=[1]))
    path = f"{__name__}.Settings"
    inner = {"class_path": path, "init_args": {"width": 4, "thing": [1], "inner": None}}
    expected = {"class_path": path, "init_args": {"width": 3, "inner": inner}}
    assert dict(Module(3, thing=settings).hparams)["thing"] == expected
    assert as_plain(Settings) is Settings


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
