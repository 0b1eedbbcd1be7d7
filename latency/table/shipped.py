"""Data files that ship with this package, by folder and name."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

import yaml

from latency.table.errors import TableError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


def names(folder: str, suffix: str = ".yaml") -> list[str]:
    """Names of the shipped files in ``latency/data/<folder>``, without suffix, sorted."""
    files = _folder(folder).iterdir()
    return sorted(file.name.removesuffix(suffix) for file in files if file.name.endswith(suffix))


def folders(folder: str) -> list[str]:
    """Names of the folders in ``latency/data/<folder>``, sorted."""
    return sorted(
        entry.name
        for entry in resources.files("latency").joinpath("data", folder).iterdir()
        if entry.is_dir()
    )


def read(folder: str, name: str, suffix: str = ".yaml") -> bytes:
    """Content of a shipped file; raises :class:`TableError` naming the shipped ones."""
    if name not in names(folder, suffix):
        known = ", ".join(names(folder, suffix))
        raise TableError(f"No {name!r} in latency/data/{folder}. Shipped: {known}.")
    return _folder(folder).joinpath(name + suffix).read_bytes()


def load(folder: str, name: str, expected_format: str) -> dict[str, Any]:
    """A shipped YAML file as plain data.

    Raises:
        TableError: no such file, or its ``format`` is another one.
    """
    data: dict[str, Any] = yaml.safe_load(read(folder, name))
    if data.get("format") != expected_format:
        found = data.get("format")
        raise TableError(
            f"latency/data/{folder}/{name}.yaml: expected format {expected_format!r}, found {found!r}."
        )
    return data


def _folder(folder: str) -> Traversable:
    return resources.files("latency").joinpath("data", folder)
