"""What a reading's key means in a search space: a block by name, by geometry or by its place in a matrix."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import starmap

from dnas.space import SearchSpace
from latency.sources.imported.keys import (
    PARTS,
    BlockKey,
    Key,
    NarrowKey,
    OpKey,
    PartKey,
    RowKey,
    ShapeKey,
    parse_key,
)
from latency.sources.imported.names import choice_spellings, spellings
from latency.table.entry import Geometry

Block = tuple[str, str]
Target = BlockKey | PartKey | OpKey | Geometry


class Targets:
    """Everything in a space that a reading can speak of.

    Args:
        blocks: the geometry of every (layer, choice) where something runs.
        ops: the operations of stem and head.
    """

    def __init__(self, space: SearchSpace, blocks: Mapping[Block, Geometry], ops: Iterable[OpKey]) -> None:
        self.space = space
        self.possible: dict[Target, None] = dict.fromkeys(
            [*starmap(BlockKey, blocks), *map(PartKey, PARTS), *ops, *blocks.values()]
        )
        self.folded: dict[Block, list[BlockKey]] = defaultdict(list)
        for layer, choice in blocks:
            self.folded[layer, choice.lower()].append(BlockKey(layer, choice))

    def find(self, text: str) -> list[Target]:
        """The targets of a key; empty when the space has none, several geometries when it is ambiguous.

        Raises:
            ValueError: no key, or a matrix of another space; the message says which.
        """
        problem = ValueError()
        found: list[Target] | None = None
        for spelling in spellings(text):
            try:
                found = self._of(parse_key(spelling))
            except ValueError as error:
                problem = problem if problem.args else error
                continue
            if found:
                return found
        if found is None:
            raise problem
        return found

    def _of(self, key: Key) -> list[Target]:
        if isinstance(key, ShapeKey):
            return self._matching(key)
        if isinstance(key, NarrowKey):
            return [*self._matching(key.shape), *self._of(key.op)]
        if isinstance(key, RowKey):
            key = self._in_matrix(key)
        if isinstance(key, BlockKey) and key not in self.possible:
            named = (self.folded.get((key.layer, name), []) for name in choice_spellings(key.choice))
            return list(next((keys for keys in named if len(keys) == 1), []))
        return [key] if key in self.possible else []

    def _matching(self, key: ShapeKey) -> list[Target]:
        return [shape for shape in self.possible if isinstance(shape, Geometry) and key.matches(shape)]

    def _in_matrix(self, key: RowKey) -> BlockKey:
        layers = self.space.layers
        if key.rows != len(layers):
            raise ValueError(
                f"a matrix of {key.rows} rows, but the space {self.space.name} has {len(layers)} layers: "
                "every row must be one layer, in order"
            )
        layer = layers[key.row - 1]
        if key.choice is not None:
            return BlockKey(layer.name, key.choice)
        names = [choice.name for choice in layer.choices]
        if key.columns != len(names):
            raise ValueError(
                f"row {key.row} has {key.columns} columns without names, but {layer.name} has "
                f"{len(names)} choices ({', '.join(names)})"
            )
        return BlockKey(layer.name, names[key.column - 1])
