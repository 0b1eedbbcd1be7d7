"""Published architectures as data files, by name: ``zoo.load("moga_a")``."""

from __future__ import annotations

from importlib import resources

from dnas.architecture import Architecture, ArchitectureError


def names() -> list[str]:
    """Names of all published architectures that are shipped."""
    files = resources.files("dnas.zoo").iterdir()
    return sorted(file.name.removesuffix(".json") for file in files if file.name.endswith(".json"))


def load(name: str) -> Architecture:
    """A published architecture; raises :class:`ArchitectureError` naming the shipped ones."""
    if name not in names():
        raise ArchitectureError(f"No architecture {name!r} in the zoo. Shipped: {', '.join(names())}.")
    with resources.as_file(resources.files("dnas.zoo").joinpath(f"{name}.json")) as path:
        return Architecture.load(path)
