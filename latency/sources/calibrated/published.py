"""The networks whose latency MoGA's Table 3 publishes (arXiv 1908.01314), as data and as operations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dnas.blocks.inverted_residual import inverted_residual_ops
from dnas.blocks.ops import Op
from dnas.space import output_size, zoo
from dnas.space.architecture import Architecture
from latency.sources.calibrated.fit import TimedNetwork
from latency.table import shipped

FORMAT = "dnas-published-network/1"
MOGA = ("moga_a", "moga_b", "moga_c")


@dataclass(frozen=True)
class PublishedNetwork:
    """A network with published figures.

    Attributes:
        ops: all its operations, in order.
        published: the paper's figures: ``mace_ms``, ``snpe_ms``, ``cpu_ms``, ``params_millions``, ...
        architecture: its point in a search space, None when it is in none.
        assumption: what had to be assumed about it, empty when nothing.
    """

    name: str
    ops: tuple[Op, ...]
    published: Mapping[str, Any]
    architecture: Architecture | None = None
    assumption: str = ""


def names() -> list[str]:
    """Names of the networks of Table 3, as :func:`load` knows them."""
    return [*MOGA, *shipped.names("published")]


def load_all() -> tuple[PublishedNetwork, ...]:
    """MoGA-A, -B, -C from the zoo, then the networks described in ``latency/data/published``."""
    return tuple(map(load, names()))


def load(name: str) -> PublishedNetwork:
    """A network of Table 3; raises :class:`TableError` when none is called so."""
    if name in MOGA:
        return _from_zoo(name)
    data = shipped.load("published", name, FORMAT)
    return PublishedNetwork(
        data["title"], tuple(_ops(data)), data["published"], assumption=data["assumption"]
    )


def timed(column: str) -> list[TimedNetwork]:
    """The eight networks with their latencies in one column of Table 3: ``mace_ms``, ``snpe_ms``."""
    return [TimedNetwork(network.name, network.ops, network.published[column]) for network in load_all()]


def network_ops(architecture: Architecture) -> tuple[Op, ...]:
    """All operations of an architecture: stem, blocks, head."""
    space = architecture.space
    pairs = zip(space.layers, architecture.choices, strict=True)
    blocks = (op for layer, choice in pairs for op in choice.ops(layer))
    return (*space.stem_ops, *blocks, *space.head_ops)


def _from_zoo(name: str) -> PublishedNetwork:
    found = zoo.published(name)
    ops = network_ops(found.architecture)
    return PublishedNetwork(found.title, ops, found.figures, found.architecture)


def _ops(data: Mapping[str, Any]) -> list[Op]:
    size, stem = data["resolution"], data["stem"]
    ops = [
        Op(
            "conv",
            stem["in"],
            stem["out"],
            size,
            stem["kernel"],
            stem["stride"],
            norm=True,
            activation=stem["activation"],
        )
    ]
    size = output_size(size, stem["stride"])
    for block in data["blocks"]:
        shape = {key: value for key, value in block.items() if key not in {"in", "out"}}
        ops += inverted_residual_ops(
            in_channels=block["in"],
            out_channels=block["out"],
            input_size=size,
            se_activation=data["se_activation"],
            **shape,
        )
        size = output_size(size, block["stride"])
    return ops + _head_ops(data["head"], size)


def _head_ops(entries: list[dict[str, Any]], size: int) -> list[Op]:
    ops: list[Op] = []
    for entry in entries:
        options = {key: value for key, value in entry.items() if key not in {"type", "in", "out"}}
        ops.append(Op(entry["type"], entry["in"], entry["out"], size, **options))
        size = 1 if entry["type"] == "pool" else size
    return ops
