"""Published architectures as data files, by name: ``zoo.load("moga_a")``."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from dnas.space.architecture import Architecture, ArchitectureError


def names() -> list[str]:
    """Names of all published architectures that are shipped."""
    files = resources.files("dnas.space.zoo").iterdir()
    return sorted(file.name.removesuffix(".json") for file in files if file.name.endswith(".json"))


def load(name: str) -> Architecture:
    """A published architecture; raises :class:`ArchitectureError` naming the shipped ones."""
    if name not in names():
        raise ArchitectureError(f"No architecture {name!r} in the zoo. Shipped: {', '.join(names())}.")
    with resources.as_file(resources.files("dnas.space.zoo").joinpath(f"{name}.json")) as path:
        return Architecture.load(path)


def load_architecture(name_or_path: str) -> Architecture:
    """An architecture file, or a published architecture by name; raises :class:`ArchitectureError`."""
    is_file = Path(name_or_path).suffix == ".json" or Path(name_or_path).exists()
    return Architecture.load(name_or_path) if is_file else load(name_or_path)
