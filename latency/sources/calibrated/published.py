"""The networks whose latency MoGA's Table 3 publishes (arXiv 1908.01314): of the zoo, as they were timed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from dnas.blocks.ops import Op
from dnas.space import SearchSpace, zoo
from dnas.space.architecture import Architecture
from latency.sources.calibrated.fit import TimedNetwork
from latency.table import shipped
from latency.table.errors import TableError

FORMAT = "dnas-timed-networks/1"
FILE = "moga_table_3"


@dataclass(frozen=True)
class PublishedNetwork:
    """A network with published figures.

    Attributes:
        ops: all its operations, in order, as it is taken to have been timed.
        published: the paper's figures: ``mace_ms``, ``snpe_ms``, ``cpu_ms``, ``params_millions``, ...
        architecture: the network of the zoo.
        assumption: what had to be assumed about it, empty when nothing.
    """

    name: str
    ops: tuple[Op, ...]
    published: Mapping[str, Any]
    architecture: Architecture
    assumption: str = ""


def names() -> list[str]:
    """Names of the networks of Table 3, in the zoo and for :func:`load`."""
    return list(_networks())


def load_all() -> tuple[PublishedNetwork, ...]:
    """All networks of Table 3, MoGA-A, -B, -C first."""
    return tuple(map(load, names()))


def load(name: str) -> PublishedNetwork:
    """A network of Table 3; raises :class:`TableError` when none is called so."""
    if name not in names():
        raise TableError(f"No {name!r} in Table 3 of arXiv 1908.01314. It has {', '.join(names())}.")
    found, timed_as = zoo.published(name), _networks()[name]
    timed = found.architecture
    if "se_activation" in timed_as:
        timed = _with_se_activation(timed, timed_as["se_activation"])
    return PublishedNetwork(
        found.title, timed.ops, found.figures, found.architecture, timed_as.get("assumption", "")
    )


def timed(column: str) -> list[TimedNetwork]:
    """The eight networks with their latencies in one column of Table 3: ``mace_ms``, ``snpe_ms``."""
    return [TimedNetwork(network.name, network.ops, network.published[column]) for network in load_all()]


@cache
def _networks() -> dict[str, dict[str, Any]]:
    networks: dict[str, dict[str, Any]] = shipped.load("published", FILE, FORMAT)["networks"]
    return networks


def _with_se_activation(architecture: Architecture, activation: str | None) -> Architecture:
    """With another activation inside the squeeze-excite; None is that of the block."""
    definition = architecture.space.to_dict()
    for options in definition["choices"].values():
        if options.get("se"):
            options["se_activation"] = activation
    return Architecture.from_names(architecture.names, SearchSpace.from_dict(definition))
