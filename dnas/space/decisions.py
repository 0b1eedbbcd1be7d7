"""Decisions: what an architecture says one choice about, and a row of every table and mask.

Mostly a decision is about one layer. The layers of a shared stage follow one decision (the factorised
hierarchy of MnasNet, arXiv 1807.11626), which also says how many they are where some are optional.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from dnas.space.layers import Choice, Layer


@dataclass(frozen=True)
class Decision:
    """One row of every (D, C) table, and one gene: it governs a layer, or several next to each other.

    Attributes:
        index: of its row.
        layers: that it governs, in order.
        names: of its choices.
        columns: for every choice, which of their own choices the layers get.
    """

    index: int
    layers: tuple[Layer, ...]
    names: tuple[str, ...]
    columns: tuple[tuple[int, ...], ...]

    @classmethod
    def of_layer(cls, index: int, layer: Layer) -> Decision:
        """The decision about a layer that follows no other."""
        names = tuple(choice.name for choice in layer.choices)
        return cls(index, (layer,), names, tuple((column,) for column in range(len(names))))

    @property
    def name(self) -> str:
        """``L3``, or ``L3-L6`` of several layers."""
        first, last = self.layers[0].name, self.layers[-1].name
        return first if first == last else f"{first}-{last}"

    @cached_property
    def blocks(self) -> tuple[tuple[Choice, ...], ...]:
        """For every choice the blocks of the layers."""
        return tuple(
            tuple(layer.choices[column] for layer, column in zip(self.layers, row, strict=True))
            for row in self.columns
        )

    def run_by(self, choices: Iterable[int]) -> list[tuple[Layer, list[int]]]:
        """Every layer with those of its own choices that run when these of the decision do."""
        rows = [self.columns[choice] for choice in choices]
        return [(layer, sorted({row[place] for row in rows})) for place, layer in enumerate(self.layers)]


class Alternative(NamedTuple):
    """A choice of a stage: the block ``choice`` in its first ``depth`` layers, a skip in the others."""

    name: str
    choice: str
    depth: int


def alternatives(stage: Mapping[str, Any], every: Mapping[str, Choice]) -> Iterator[Alternative]:
    """What a stage of a file offers, in its order; names that mean nothing are passed over.

    Where layers of a shared stage are optional, ``NAMEx2`` is the choice NAME in two layers, and NAME alone
    offers it in every number of them.
    """
    for name in stage.get("choices", every):
        yield from _meant_by(name, stage, every)


def _meant_by(name: str, stage: Mapping[str, Any], every: Mapping[str, Choice]) -> Iterator[Alternative]:
    repeat, optional = stage.get("repeat", 1), stage.get("optional", 0)
    with_depth = stage.get("shared", False) and optional
    depths = range(repeat - optional, repeat + 1)
    if name in every:
        # A skip is one thing, in however many layers.
        if not with_depth or every[name].skip:
            yield Alternative(name, name, repeat)
        else:
            yield from (Alternative(f"{name}x{depth}", name, depth) for depth in depths)
        return
    choice, _, depth = name.rpartition("x")
    if with_depth and choice in every and depth in map(str, depths):
        yield Alternative(name, choice, int(depth))


def unknown_names(stage: Mapping[str, Any], every: Mapping[str, Choice]) -> list[str]:
    """Names that a stage lists and that mean nothing."""
    return [name for name in stage.get("choices", []) if not any(_meant_by(name, stage, every))]


def choices_of(stage: Mapping[str, Any], every: Mapping[str, Choice], position: int) -> tuple[Choice, ...]:
    """The choices of one layer of a stage; an optional one can be skipped."""
    offered = dict.fromkeys(each.choice for each in alternatives(stage, every))
    choices = [every[name] for name in offered]
    first_optional = stage.get("repeat", 1) - stage.get("optional", 0)
    if position >= first_optional and not any(choice.skip for choice in choices):
        choices.append(skip_among(every.values()))
    return tuple(choices)


def skip_among(choices: Iterable[Choice]) -> Choice:
    """The file's own skip, or one of the name ``skip``."""
    return next((choice for choice in choices if choice.skip), Choice.of("skip", "skip"))


def decisions(
    stages: Sequence[Mapping[str, Any]], every: Mapping[str, Choice], layers: Sequence[Layer]
) -> tuple[Decision, ...]:
    """The decisions about ``layers``, which are those of the stages."""
    found: list[Decision] = []
    start = 0
    for stage in stages:
        members = layers[start : start + stage.get("repeat", 1)]
        start += len(members)
        if stage.get("shared"):
            found.append(_shared(len(found), members, [*alternatives(stage, every)]))
        else:
            found += [Decision.of_layer(len(found) + place, layer) for place, layer in enumerate(members)]
    return tuple(found)


def _shared(index: int, layers: Sequence[Layer], offered: Sequence[Alternative]) -> Decision:
    columns = tuple(
        tuple(_column(layer, each, place < each.depth) for place, layer in enumerate(layers))
        for each in offered
    )
    return Decision(index, tuple(layers), tuple(each.name for each in offered), columns)


def _column(layer: Layer, wanted: Alternative, present: bool) -> int:
    for column, choice in enumerate(layer.choices):
        if choice.name == wanted.choice if present else choice.skip:
            return column
    raise AssertionError(f"{layer.name} offers neither {wanted.choice} nor a skip")
