"""The data module that a checkpoint names, made again: imported by its class path, as ``dnas`` knows none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

LOADING = ("prepare_data", "setup", "val_dataloader")


class DataUnavailable(ValueError):
    """The data that a checkpoint names is not at hand; the message says why."""


def load_datamodule(data: Mapping[str, Any] | None, methods: Sequence[str] = LOADING) -> Any:
    """The data module, set up for validation.

    Args:
        data: its class path and arguments, as a checkpoint has them.
        methods: that it must have.

    Raises:
        DataUnavailable: no data module is named, or its data is missing.
    """
    if not data:
        raise DataUnavailable("the checkpoint names no data module")
    module, _, name = data["class_path"].rpartition(".")
    try:
        kind = getattr(import_module(module), name)
        # A checkpoint may come from anywhere: it must not be able to call whatever it likes.
        if not isinstance(kind, type) or not all(hasattr(kind, method) for method in methods):
            raise TypeError(f"it is no data module (a class with {', '.join(methods)})")
        datamodule = kind(**data["init_args"])
        datamodule.prepare_data()
        datamodule.setup("validate")
    except (ImportError, AttributeError, FileNotFoundError, TypeError, ValueError) as error:
        raise DataUnavailable(f"{data['class_path']} could not be loaded: {error}") from error
    return datamodule
