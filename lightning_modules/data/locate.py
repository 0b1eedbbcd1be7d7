"""Where data sets lie, and what to say when they are not there."""

from __future__ import annotations

import os
from pathlib import Path

ROOT_VARIABLE = "DNAS_DATA"


class DataNotFound(FileNotFoundError):
    """The data set is absent, incomplete or damaged; the message says where it was sought and what to do."""


def resolve_root(root: str | None, folder: str, default: str) -> Path:
    """The folder of a data set: `root` if given, else `$DNAS_DATA/<folder>` if set, else `default`."""
    if root is not None:
        return Path(root).expanduser()
    base = os.environ.get(ROOT_VARIABLE)
    return Path(base).expanduser() / folder if base else Path(default)


def describe_root(root: str | None, folder: str, default: str) -> str:
    """One sentence: which folder was looked into, and what decided that."""
    path = resolve_root(root, folder, default).absolute()
    if root is not None:
        return f"looked in {path} (from root={root!r})"
    if os.environ.get(ROOT_VARIABLE):
        return f"looked in {path} (from the environment variable {ROOT_VARIABLE}; root is not given)"
    return (
        f"looked in {path} (the default: neither root nor the environment variable {ROOT_VARIABLE} is given)"
    )
