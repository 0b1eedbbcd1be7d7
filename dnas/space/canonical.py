"""Which architectures are the same network: an identity computes nothing, wherever it stands in equal layers.

Two choices of a layer that are the same block are one, too. Equal layers have the same shapes, activation and
choices; that an identity between unequal ones, or beside a shared stage, may make two networks one is not
looked for.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, groupby
from typing import NamedTuple

import numpy as np

from dnas.space.decisions import Decision


class Run(NamedTuple):
    """Neighbouring decisions that are equal: about a layer each, of the same shapes and the same choices.

    Attributes:
        start, stop: the decisions, as of a slice.
        first: for every choice the first one that is the same block.
        identity: the choice that computes nothing, where there is one and the shape is kept; else None.
    """

    start: int
    stop: int
    first: tuple[int, ...]
    identity: int | None

    @property
    def distinct(self) -> int:
        """Number of different networks that the layers can be."""
        length, blocks = self.stop - self.start, len(set(self.first))
        if self.identity is None:
            return int(blocks**length)
        # So many blocks one after the other, and identities for the rest.
        return sum((blocks - 1) ** count for count in range(length + 1))

    @property
    def trivial(self) -> bool:
        """Whether all its architectures are different networks."""
        twice = len(set(self.first)) < len(self.first)
        return not twice and (self.identity is None or self.stop - self.start == 1)


def runs_of(decisions: tuple[Decision, ...]) -> tuple[Run, ...]:
    """The decisions in runs of equal ones; those about several layers, or a change of shape, stand alone."""

    def kind(decision: Decision) -> object:
        layer = decision.layers[0]
        shape = layer.in_channels, layer.input_size, layer.activation, layer.choices
        alone = len(decision.layers) > 1 or not layer.keeps_shape
        return (decision.index if alone else -1, shape)

    grouped = [[*members] for _, members in groupby(decisions, kind)]
    return tuple(_run(members) for members in grouped)


def _run(members: Sequence[Decision]) -> Run:
    decision = members[0]
    networks = [_network(decision, choice) for choice in range(len(decision.names))]
    first = tuple(networks.index(network) for network in networks)
    return Run(decision.index, members[-1].index + 1, first, networks.index(()) if () in networks else None)


def _network(decision: Decision, choice: int) -> tuple[object, ...]:
    """What a choice builds. Behind the first, which may change it, layers keep the shape: an identity among
    them can stand anywhere.
    """
    pairs = zip(decision.layers, decision.blocks[choice], strict=True)
    return tuple((block.type, block.options) for layer, block in pairs if block.ops(layer))


def canonical(runs: Sequence[Run], genomes: np.ndarray) -> np.ndarray:
    """One architecture per network: equal rows are equal networks.

    Identities move behind the blocks of their run, whose order stays; of choices that are the same block the
    first stands for all.

    Args:
        genomes: (n, D) integers, choices that the decisions have.

    Returns:
        (n, D) of the same type, a copy.
    """
    found = np.array(genomes)
    for run in runs:
        if run.trivial:
            continue
        part = np.asarray(run.first, dtype=found.dtype)[found[:, run.start : run.stop]]
        if run.identity is not None:
            order = np.argsort(part == run.identity, axis=1, kind="stable")
            part = np.take_along_axis(part, order, axis=1)
        found[:, run.start : run.stop] = part
    return found


def distinct(runs: Sequence[Run]) -> int:
    """Number of different networks, exact."""
    return math.prod(run.distinct for run in runs)


def sample(runs: Sequence[Run], number: int, generator: np.random.Generator) -> np.ndarray:
    """Draw canonical architectures, (number, D) int64, every network equally likely; one may come twice."""
    return np.concatenate([_sample_run(run, number, generator) for run in runs], axis=1)


def _sample_run(run: Run, number: int, generator: np.random.Generator) -> np.ndarray:
    """How many blocks there are, then the blocks: b choices besides the identity give b^k networks of k."""
    length = run.stop - run.start
    blocks = np.array(sorted(set(run.first) - {run.identity}), dtype=np.int64)
    if run.identity is None:
        return blocks[generator.integers(len(blocks), size=(number, length))]
    if not len(blocks):
        return np.full((number, length), run.identity)
    counts = _weighted([len(blocks) ** count for count in range(length + 1)], number, generator)
    drawn = blocks[generator.integers(len(blocks), size=(number, length))]
    return np.where(np.arange(length) < counts[:, None], drawn, run.identity)


def _weighted(weights: Sequence[int], number: int, generator: np.random.Generator) -> np.ndarray:
    """Indices, (number,), in exact proportion to whole weights of any size."""
    ends = [*accumulate(weights)]
    if ends[-1] < 2**63:
        return np.searchsorted(ends, generator.integers(ends[-1], size=number), side="right")
    return np.array([bisect_right(ends, _below(ends[-1], generator)) for _ in range(number)], dtype=np.int64)


def _below(limit: int, generator: np.random.Generator) -> int:
    """A whole number below a limit that NumPy's integers may not hold, each equally likely."""
    bits = (limit - 1).bit_length()
    size = -(-bits // 8)
    while (drawn := int.from_bytes(generator.bytes(size), "little") >> (8 * size - bits)) >= limit:
        pass
    return drawn
