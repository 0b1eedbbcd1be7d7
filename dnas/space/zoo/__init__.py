"""Published architectures as data files, by name: ``zoo.load("moga_a")``.

A network in a shipped space names it; any other one is its own space, of one architecture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from dnas.space.architecture import Architecture, ArchitectureError, read_data

SUFFIXES = (".json", ".yaml")


@dataclass(frozen=True)
class Published:
    """A network with what is published about it.

    Attributes:
        name, title: for files, and for people.
        architecture: the network.
        reference: the paper.
        provenance: where its blocks were read, and what its counts were held against.
        figures: ``params_millions``, ``madds_millions``, ``top1``, ``top5`` (per cent, ImageNet), latencies
            as ``mace_ms``, and ``source``; as far as known.
        counterparts: library -> name of the same network there, for instance ``torchvision`` ->
            ``mobilenet_v2``.
    """

    name: str
    title: str
    architecture: Architecture
    reference: str
    provenance: str
    figures: Mapping[str, Any]
    counterparts: Mapping[str, str]


def names() -> list[str]:
    """Names of all published architectures that are shipped."""
    files = resources.files("dnas.space.zoo").iterdir()
    return sorted(Path(file.name).stem for file in files if Path(file.name).suffix in SUFFIXES)


def load(name: str) -> Architecture:
    """A published architecture; raises :class:`ArchitectureError` naming the shipped ones."""
    return published(name).architecture


@cache
def published(name: str) -> Published:
    """A published architecture with its figures; raises :class:`ArchitectureError` as :func:`load` does."""
    if name not in names():
        raise ArchitectureError(f"No architecture {name!r} in the zoo. Shipped: {', '.join(names())}.")
    folder = resources.files("dnas.space.zoo")
    file = next(
        each for each in map(folder.joinpath, (name + suffix for suffix in SUFFIXES)) if each.is_file()
    )
    with resources.as_file(file) as path:
        data = read_data(path)
    return Published(
        name,
        data["title"],
        Architecture.from_dict(data),
        data.get("reference", ""),
        data.get("provenance", ""),
        data.get("published", {}),
        data.get("counterparts", {}),
    )


def load_architecture(name_or_path: str) -> Architecture:
    """An architecture file, or a published architecture by name; raises :class:`ArchitectureError`."""
    is_file = Path(name_or_path).suffix in {".json", ".yaml", ".yml"} or Path(name_or_path).exists()
    return Architecture.load(name_or_path) if is_file else load(name_or_path)
