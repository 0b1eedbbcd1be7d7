"""What is known of a published network: its counts beside a reference's, its latency by every table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dnas.costs import LatencyCosts, count
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from dnas.space.zoo import Published

# The tables for a space; none where nobody has made one.
TablesOf = Callable[[SearchSpace], Sequence[LatencyCosts]]
WORDS = {"params": "parameters", "weights": "weights", "madds": "multiply-adds"}


class Latency(NamedTuple):
    """Milliseconds of a network by a table, between which the truth lies with 90 %, and the table's kind."""

    table: str
    kind: str
    ms: float
    low: float
    high: float


@dataclass(frozen=True)
class Account:
    """A published network, counted and timed by tables.

    Attributes:
        params, madds: by the convention of ``dnas.costs``.
        differences: ``params``, ``weights``, ``madds``, as far as the reference counts them -> ours minus
            its; empty without a reference.
        latencies: by every table for its space.
    """

    published: Published
    params: int
    madds: int
    differences: dict[str, int]
    latencies: tuple[Latency, ...]

    @property
    def top1(self) -> float | None:
        """Published top-1 accuracy, per cent; None where none is known."""
        top1: float | None = self.published.figures.get("top1")
        return top1

    @property
    def reference(self) -> str:
        """The code whose counts are compared; empty without one."""
        return str(self.published.reference_counts.get("of", ""))

    @property
    def agreement(self) -> str:
        """``equal: parameters, multiply-adds``, or by how much ours differ; empty without a reference."""
        wrong = [f"{by:+,} {WORDS[key]}" for key, by in self.differences.items() if by]
        equal = [WORDS[key] for key, by in self.differences.items() if not by]
        return "; ".join([*wrong, *([f"equal: {', '.join(equal)}"] if equal else [])])

    def latency_by(self, table: str) -> Latency | None:
        """By the table of that name, if it is for this network's space."""
        return next((each for each in self.latencies if each.table == table), None)


def account(published: Published, tables: Iterable[LatencyCosts]) -> Account:
    """Count a network and read its latency from ``tables``, which are all for its space."""
    architecture = published.architecture
    costs = count(architecture.space)
    params, madds = costs.params_of(architecture), costs.madds_of(architecture)
    latencies = tuple(_latency(architecture, table) for table in tables)
    return Account(published, params, madds, _differences(published, params, madds), latencies)


def _differences(published: Published, params: int, madds: int) -> dict[str, int]:
    reference = published.reference_counts
    ours = {
        "params": params,
        "weights": sum(op.weights for op in published.architecture.ops),
        "madds": madds + reference.get("extra_madds", 0),
    }
    return {key: value - reference[key] for key, value in ours.items() if key in reference}


def _latency(architecture: Architecture, table: LatencyCosts) -> Latency:
    interval = table.latency_interval(architecture)
    # A phone has one column, whatever the side of the images is.
    name = table.name.removesuffix(f"_{table.space.resolution}px")
    return Latency(name, table.kind, table.latency_ms(architecture), *interval)
