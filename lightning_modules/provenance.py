"""Plain data about a run, for its checkpoints: versions, data module, hyper-parameters."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pytorch_lightning as pl

PACKAGES = ("dnas", "torch", "torchvision", "pytorch-lightning", "torchmetrics", "numpy")


def library_versions() -> dict[str, str]:
    """Versions of the packages that decide results; ``unknown`` when run without installation."""
    return {name: _version(name) for name in PACKAGES}


def describe_data(datamodule: pl.LightningDataModule | None) -> dict[str, Any] | None:
    """Class path and plain arguments of a data module, enough to make it again; None without one."""
    if datamodule is None:
        return None
    kind = type(datamodule)
    arguments = {k: v for k, v in datamodule.hparams.items() if not k.startswith("_") and is_plain(v)}
    return {"class_path": f"{kind.__module__}.{kind.__qualname__}", "init_args": arguments}


def save_plain_hyperparameters(module: pl.LightningModule) -> None:
    """Save the constructor's arguments as plain data, which is all that checkpoints may hold.

    On the command line they are plain already. In Python, dataclasses are written as a config writes them,
    with ``class_path`` and ``init_args``; other objects are left out.
    """
    # save_hyperparameters must look at the constructor that called us, not at this function.
    frame = inspect.currentframe()
    assert frame is not None
    module.save_hyperparameters(frame=frame.f_back)
    for name, value in list(module.hparams.items()):
        module.hparams[name] = described = as_plain(value)
        if not is_plain(described):
            del module.hparams[name]
    module._hparams_initial = module._hparams  # type: ignore[assignment]


def as_plain(value: Any) -> Any:
    """A dataclass as the config that makes it, without fields that are other objects; all else as it is."""
    if not is_dataclass(value) or isinstance(value, type):
        return value
    kind = type(value)
    described = {field.name: as_plain(getattr(value, field.name)) for field in fields(value)}
    arguments = {name: each for name, each in described.items() if is_plain(each)}
    return {"class_path": f"{kind.__module__}.{kind.__qualname__}", "init_args": arguments}


def is_plain(value: Any) -> bool:
    """Whether ``value`` consists of numbers, strings, lists and dictionaries only."""
    if isinstance(value, Mapping):
        return all(is_plain(key) and is_plain(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
