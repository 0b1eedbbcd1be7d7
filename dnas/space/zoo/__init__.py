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
# Columns of MoGA's Table 3 (arXiv 1908.01314) -> what its authors timed with.
TIMED_BY_MOGA = {
    "mace_ms": "MACE, Adreno 630",
    "snpe_ms": "SNPE, Adreno 630",
    "cpu_ms": "TFLite, CPU of Pixel 1",
}


@dataclass(frozen=True)
class Published:
    """A network with what is published about it.

    Attributes:
        name, title: for files, and for people.
        architecture: the network.
        reference: the paper.
        provenance: where its blocks were read, and which of several variants it is.
        figures: ``params_millions``, ``madds_millions``, ``top1``, ``top5`` (per cent, ImageNet), latencies
            (see :attr:`latencies_ms`), and ``source``; as far as known.
        counterparts: library -> name of the same network there, for instance ``torchvision`` ->
            ``mobilenet_v2``: equal weights, tensor by tensor in order, give equal outputs.
        reference_counts: what another code counts, which ``of`` names: ``params``, or ``weights`` where it
            leaves out batch norms and biases, and ``madds``; ``extra_madds`` of them are of pooling, which
            we do not count. Empty where no other code is known.
    """

    name: str
    title: str
    architecture: Architecture
    reference: str
    provenance: str
    figures: Mapping[str, Any]
    counterparts: Mapping[str, str]
    reference_counts: Mapping[str, Any]

    @property
    def alone(self) -> bool:
        """Whether it is a space of its own."""
        return self.name in spaces_of_one()

    @property
    def latencies_ms(self) -> dict[str, float]:
        """Published latencies: what it was timed with -> milliseconds."""
        moga = {label: self.figures[key] for key, label in TIMED_BY_MOGA.items() if key in self.figures}
        return {**moga, **self.figures.get("latency_ms", {})}


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
    data = _data(name)
    return Published(
        name,
        data["title"],
        Architecture.from_dict(data),
        data.get("reference", ""),
        data.get("provenance", ""),
        data.get("published", {}),
        data.get("counterparts", {}),
        data.get("reference_counts", {}),
    )


def space_name(name: str) -> str:
    """The name of a network's space, without building it."""
    space = _data(name)["space"]
    return str(space if isinstance(space, str) else space["name"])


def in_space(space: str) -> list[str]:
    """Names of the networks of the space of that name."""
    return [name for name in names() if space_name(name) == space]


@cache
def spaces_of_one() -> tuple[str, ...]:
    """Names of the networks that are their own spaces, ``SearchSpace.load`` knows them."""
    return tuple(name for name in names() if not isinstance(_data(name)["space"], str))


@cache
def _data(name: str) -> Mapping[str, Any]:
    if name not in names():
        raise ArchitectureError(f"No architecture {name!r} in the zoo. Shipped: {', '.join(names())}.")
    folder = resources.files("dnas.space.zoo")
    file = next(
        each for each in map(folder.joinpath, (name + suffix for suffix in SUFFIXES)) if each.is_file()
    )
    with resources.as_file(file) as path:
        data: Mapping[str, Any] = read_data(path)
    return data


def load_architecture(name_or_path: str) -> Architecture:
    """An architecture file, or a published architecture by name; raises :class:`ArchitectureError`."""
    is_file = Path(name_or_path).suffix in {".json", ".yaml", ".yml"} or Path(name_or_path).exists()
    return Architecture.load(name_or_path) if is_file else load(name_or_path)
