"""Which reading speaks of which block of a search space; whatever is missing or contradictory is named."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from dnas.space import FixedOp, SearchSpace
from latency.sources.imported.keys import PARTS, BlockKey, OpKey, PartKey
from latency.sources.imported.reading import Reading, Unread
from latency.sources.imported.targets import Block, Target, Targets
from latency.table.entry import Geometry

ByTarget = dict[Target, list[Reading]]


@dataclass
class Resolved:
    """Readings by what they speak of.

    Attributes:
        blocks: the reading of every (layer, choice) but skips that keep the shape, where nothing runs.
        parts: the readings of stem, head and overhead; those of a stem's operations are to be summed.
        shortcut_stem: readings of a stem's operations where its separable convolution has a shortcut that the
            space's has not, empty unless all are there.
        unread: keys that could not be read.
        unused: readings of blocks that the space does not have, or where nothing runs.
        problems: what keeps these readings from being a table: missing, contradictory or ambiguous ones.
    """

    blocks: dict[Block, Reading] = field(default_factory=dict)
    parts: dict[str, tuple[Reading, ...]] = field(default_factory=dict)
    shortcut_stem: tuple[Reading, ...] = ()
    unread: list[Unread] = field(default_factory=list)
    unused: list[Reading] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def geometries(space: SearchSpace) -> dict[Block, Geometry]:
    """The geometry of every (layer, choice)."""
    return {
        (layer.name, choice.name): Geometry.of(layer, choice)
        for layer in space.layers
        for choice in layer.choices
    }


def resolve(readings: Iterable[Reading], space: SearchSpace) -> Resolved:
    """Assign readings to the blocks of ``space``, by name or by geometry; nothing is ever interpolated.

    Blocks of equal geometry share a reading: the one of a namesake serves a block that has none of its own.
    """
    found = Resolved()
    blocks = {block: shape for block, shape in geometries(space).items() if not shape.is_identity}
    by_target = _by_target(readings, space, blocks, found)
    conflicts: dict[str, list[str]] = defaultdict(list)
    missing: dict[str, list[str]] = defaultdict(list)
    for (layer, choice), geometry in blocks.items():
        candidates = _candidates((layer, choice), geometry, blocks, by_target)
        if not candidates:
            missing[layer].append(choice)
        elif text := _contradiction(candidates):
            conflicts[text].append(f"{layer} {choice}")
        else:
            found.blocks[layer, choice] = candidates[0]
    for part in PARTS:
        ways: list[Sequence[Target]] = [[PartKey(part)]]
        if part != "overhead":
            ways += operations(space, part)
        found.parts[part] = tuple(_part(part, ways, by_target, conflicts))
    found.shortcut_stem = tuple(_part("stem", _with_shortcut(space), by_target, conflicts))
    found.problems += [f"{', '.join(names)}: {text}" for text, names in conflicts.items()]
    if missing:
        listing = "; ".join(f"{layer} {' '.join(names)}" for layer, names in missing.items())
        found.problems.append(f"missing entries ({sum(map(len, missing.values()))}): {listing}")
    return found


def _by_target(
    readings: Iterable[Reading], space: SearchSpace, blocks: dict[Block, Geometry], found: Resolved
) -> ByTarget:
    """Readings by block, part, operation or geometry; what has no such target goes to ``found``."""
    ways = [*operations(space, "stem"), *operations(space, "head"), *_with_shortcut(space)]
    possible = Targets(space, blocks, (op for way in ways for op in way))
    by_target: ByTarget = defaultdict(list)
    refused: dict[tuple[str, str], Unread] = {}
    for reading in readings:
        try:
            targets = possible.find(reading.key)
        except ValueError as error:
            reason = Unread(reading.source, reading.line, str(error))
            refused.setdefault((reading.source, reason.reason), reason)
            continue
        if sum(isinstance(target, Geometry) for target in targets) > 1:
            names = ", ".join(" ".join(block) for block, shape in blocks.items() if shape in targets)
            found.problems.append(f"{reading} does not say which it is: {names}; give more of the geometry")
            continue
        for target in targets:
            by_target[target].append(reading)
        if not targets:
            found.unused.append(reading)
    found.unread += refused.values()
    return by_target


def _candidates(
    block: Block, geometry: Geometry, blocks: dict[Block, Geometry], by_target: ByTarget
) -> list[Reading]:
    own = [*by_target.get(BlockKey(*block), []), *by_target.get(geometry, [])]
    if own:
        return own
    namesakes = [other for other, shape in blocks.items() if shape == geometry]
    return [reading for other in namesakes for reading in by_target.get(BlockKey(*other), [])]


def operations(space: SearchSpace, part: str) -> list[list[OpKey]]:
    """What a stem or head consists of; a head also with neighbouring pooling and classifier as one."""
    fixed = space.stem if part == "stem" else space.head
    ops = [_op(op) for op in fixed if op.type != "dropout"]
    if part == "stem":
        return [ops]
    last = ops[-1]
    whole = [*ops, OpKey("linear", 1, space.head[-1].out_channels, space.num_classes)]
    if last.type != "pool":
        return [whole]
    return [whole, [*ops[:-1], OpKey("pool+linear", last.input_size, last.in_channels, space.num_classes)]]


def _op(op: FixedOp) -> OpKey:
    if op.type in {"pool", "linear"}:
        return OpKey(op.type, op.input_size, op.in_channels, op.out_channels)
    return OpKey(op.type, op.input_size, op.in_channels, op.out_channels, op.kernel, op.stride)


def _with_shortcut(space: SearchSpace) -> list[list[OpKey]]:
    """The stem as Once-for-All's tables have it: the separable convolution with a shortcut."""
    ops = operations(space, "stem")[0]
    changed = [
        replace(op, type="separable with shortcut")
        if op.type == "separable" and op.stride == 1 and op.in_channels == op.out_channels
        else op
        for op in ops
    ]
    return [changed] if changed != ops else []


def _part(
    part: str, ways: Iterable[Sequence[Target]], by_target: ByTarget, conflicts: dict[str, list[str]]
) -> Iterator[Reading]:
    """The reading of a whole part, or else those of all its operations; none when one is missing."""
    complete = (way for way in ways if all(by_target.get(target) for target in way))
    for target in next(complete, []):
        if text := _contradiction(by_target[target]):
            conflicts[text].append(part)
        yield by_target[target][0]


def _contradiction(readings: Sequence[Reading]) -> str:
    """Empty when all say the same."""
    if all(math.isclose(reading.ms, readings[0].ms, rel_tol=1e-9) for reading in readings):
        return ""
    return (
        f"readings differ: {', '.join(f'{reading.ms:g} ms in {reading}' for reading in readings)}; keep one"
    )
