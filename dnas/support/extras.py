"""Packages that an extra of this project brings, asked for before they are needed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module


def require(packages: Sequence[str], extra: str) -> list[str]:
    """A message naming those ``packages`` that cannot be imported; an empty list when all can."""
    missing = [package for package in packages if not _importable(package)]
    return [f"Python package(s) {', '.join(missing)}: pip install 'dnas[{extra}]'"] if missing else []


def _importable(package: str) -> bool:
    try:
        import_module(package)
    except ImportError:
        return False
    return True
