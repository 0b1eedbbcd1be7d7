"""Does a table speak of exactly the networks of a search space? Everything that differs is named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from dnas.blocks.ops import Op, ops_digest
from dnas.space import SearchSpace
from latency.table.entry import Entry, Geometry
from latency.table.errors import how_to_build
from latency.table.table_file import TableFile

Key = tuple[str, str]


def space_problems(file: TableFile, space: SearchSpace) -> list[str]:
    """Everything in which a table differs from ``space``; an empty list when it fits.

    A table of another space fits when it holds all operations of this one. When the space or the resolution
    is another one, every entry differs: only that one cause is named.
    """
    header = file.header
    if not _is_named(file, space) and (absent := lacking(file, space)):
        return [
            f"space: the table is for {header.get('space')!r}, the search uses {space.name!r}, "
            f"{absent} of whose {_blocks(space)} blocks are not in the table. {how_to_build(space.name)}"
        ]
    if header.get("resolution") != space.resolution:
        return [_other_resolution(header.get("resolution"), space)]
    expected = {
        (layer.name, choice.name): Geometry.of(layer, choice)
        for layer in space.layers
        for choice in layer.choices
    }
    if not _is_named(file, space):
        return _fixed_problems(header.get("fixed"), space)
    found = {(entry.layer, entry.choice): entry.geometry for entry in file.entries}
    reduced = header.get("space") == space.reduced_from
    return [
        *_fixed_problems(header.get("fixed"), space),
        *_listed(
            "missing entries", [key for key in expected if key not in found and key not in file.refused]
        ),
        *_listed(
            "entries that the space does not have",
            # What a reduced space has dropped is in the table of the full one, by design.
            [key for key in found if key not in expected and not reduced],
        ),
        *_geometry_problems(expected, found),
    ]


def entries_of(file: TableFile, space: SearchSpace) -> dict[Key, Entry]:
    """The entry of every choice that has one: by name in a table of ``space``, else by operations."""
    if _is_named(file, space):
        by_name = {(entry.layer, entry.choice): entry for entry in file.entries}
        return {key: by_name[key] for key, _ in _digests(space) if key in by_name}
    by_ops = {entry.geometry.ops: entry for entry in reversed(file.entries)}
    return {key: by_ops[digest] for key, digest in _digests(space) if digest in by_ops}


def lacking(file: TableFile, space: SearchSpace) -> int:
    """Number of blocks of a space, choices of its layers, that a table does not hold."""
    return _blocks(space) - len(entries_of(file, space))


def _is_named(file: TableFile, space: SearchSpace) -> bool:
    return file.header.get("space") in {space.name, space.reduced_from or space.name}


@lru_cache(maxsize=2)  # of a space that one table after the other is tried on
def _digests(space: SearchSpace) -> tuple[tuple[Key, str], ...]:
    return tuple(
        ((layer.name, choice.name), ops_digest(choice.ops(layer)))
        for layer in space.layers
        for choice in layer.choices
    )


def _blocks(space: SearchSpace) -> int:
    return sum(len(layer.choices) for layer in space.layers)


def operation_text(op: Op) -> str:
    """One operation in words, as the header describes stem and head: ``conv 3x3/2 3>16 at 224, hswish``."""
    kernel = f" {op.kernel}x{op.kernel}/{op.stride}" if op.type in {"conv", "depthwise"} else ""
    groups = f" in {op.groups} groups" if op.type == "conv" and op.groups > 1 else ""
    return f"{op.type}{kernel} {op.in_channels}>{op.out_channels}{groups} at {op.input_size}, {op.activation}"


def fixed_operations(space: SearchSpace) -> dict[str, list[str]]:
    """Stem and head of a space in words."""
    return {"stem": [*map(operation_text, space.stem_ops)], "head": [*map(operation_text, space.head_ops)]}


def _other_resolution(table: Any, space: SearchSpace) -> str:
    return (
        f"resolution: the table is for {table} px, the space is {space.resolution} px. To search on smaller "
        f"images for a network deployed at {table} px, keep the space's resolution at {table} and give the "
        f"training resolution to the data module. To deploy at {space.resolution} px, another table is "
        f"needed. {how_to_build(space.name)}"
    )


def _fixed_problems(fixed: Any, space: SearchSpace) -> list[str]:
    if not isinstance(fixed, Mapping):
        return []  # the header's schema has already refused it
    problems = []
    for part, expected in fixed_operations(space).items():
        given = fixed.get(part)
        found = given if isinstance(given, list) else []
        absent = [text for text in expected if text not in found]
        extra = [text for text in found if text not in expected]
        if found != expected:
            problems.append(
                f"fixed.{part}: only in the space: {'; '.join(absent) or '-'}; only in the table: "
                f"{'; '.join(map(str, extra)) or '-'} (a space describes the deployed network: keep its "
                "stem, head and number of classes there, and give a training set's classes to the network)"
            )
    return problems


def _geometry_problems(expected: Mapping[Key, Geometry], found: Mapping[Key, Geometry]) -> list[str]:
    """Choices of a layer that differ in the same way share one line."""
    groups: dict[tuple[str, str], list[str]] = {}
    for (layer, choice), geometry in expected.items():
        differences = found[layer, choice].differences(geometry) if (layer, choice) in found else []
        if differences:
            groups.setdefault((layer, "; ".join(differences)), []).append(choice)
    return [f"geometry of {layer} {', '.join(names)}: {what}" for (layer, what), names in groups.items()]


def _listed(title: str, keys: Iterable[Key]) -> list[str]:
    layers: dict[str, list[str]] = {}
    for layer, choice in keys:
        layers.setdefault(layer, []).append(choice)
    if not layers:
        return []
    text = "; ".join(f"{layer} {' '.join(names)}" for layer, names in layers.items())
    return [f"{title} ({sum(map(len, layers.values()))}): {text}"]
