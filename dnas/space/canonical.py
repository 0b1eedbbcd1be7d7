"""Which architectures are the same network: an identity computes nothing, wherever it stands in equal layers.

Two choices of a layer that are the same block are one, too. Equal layers have the same shapes, activation and
choices; that an identity between unequal ones may make two networks one is not looked for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

import numpy as np

from dnas.space.layers import Layer


class Run(NamedTuple):
    """Neighbouring layers that are equal: the same shapes and the same choices.

    Attributes:
        start, stop: the layers, as of a slice.
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


@lru_cache(maxsize=64)
def runs(layers: tuple[Layer, ...]) -> tuple[Run, ...]:
    """The layers in runs of equal ones; layers that change the shape stand alone."""

    def kind(layer: Layer) -> object:
        shape = layer.in_channels, layer.input_size, layer.activation, layer.choices
        return (-1, shape) if layer.keeps_shape else (layer.index, shape)

    grouped = [[*members] for _, members in groupby(layers, kind)]
    return tuple(_run(members) for members in grouped)


def _run(members: Sequence[Layer]) -> Run:
    layer = members[0]
    blocks = [(choice.type, choice.options) for choice in layer.choices]
    first = tuple(blocks.index(block) for block in blocks)
    nothing = [index for index in first if layer.keeps_shape and not layer.choices[index].ops(layer)]
    return Run(layer.index, members[-1].index + 1, first, nothing[0] if nothing else None)


def canonical(layers: tuple[Layer, ...], genomes: np.ndarray) -> np.ndarray:
    """One architecture per network: equal rows are equal networks.

    Identities move behind the blocks of their run, whose order stays; of choices that are the same block the
    first stands for all.

    Args:
        genomes: (n, L) integers, choices that the layers have.

    Returns:
        (n, L) of the same type, a copy.
    """
    found = np.array(genomes)
    for run in runs(layers):
        part = np.asarray(run.first, dtype=found.dtype)[found[:, run.start : run.stop]]
        if run.identity is not None:
            order = np.argsort(part == run.identity, axis=1, kind="stable")
            part = np.take_along_axis(part, order, axis=1)
        found[:, run.start : run.stop] = part
    return found


def distinct(layers: tuple[Layer, ...]) -> int:
    """Number of different networks, exact."""
    return math.prod(run.distinct for run in runs(layers))
