"""In what two search spaces differ, in words: images, stem, layers, decisions, choices, head.

Layers are aligned by output channels and stride, so that one more in the middle is one difference. Names of
spaces, descriptions, and how a file groups its layers do not count; names and order of choices do: an
architecture of the one space is written otherwise in the other, or its columns mean something else.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from difflib import SequenceMatcher
from itertools import groupby
from typing import NamedTuple

from dnas.space import Choice, Decision, FixedOp, Layer, SearchSpace
from dnas.spaces.listing import blocks_by_name, options_text

# Keys of a file that say nothing of the networks, or whose content is compared in detail.
NOT_COMPARED = {"format", "name", "description", "reference", "reduced_from"}
IN_DETAIL = {"stem", "choices", "layers", "stages", "head"}
DERIVED = {"in_channels", "input_size"}
SHAPES = {"out_channels": "output channels", "stride": "stride", "activation": "activation"}


class Difference(NamedTuple):
    """What of two spaces differs, where, and what it is in both of them; empty where one has nothing."""

    where: str
    what: str
    one: str
    other: str


def differences(one: SearchSpace, other: SearchSpace) -> list[Difference]:
    """Everything in which two spaces differ, from the image to the classifier; empty if they are equal."""
    pairs, alone = _aligned(one, other)
    return [
        *_of_images(one, other),
        *_of_fixed("stem", one.stem, other.stem),
        *_of_blocks(blocks_by_name(one), blocks_by_name(other)),
        *alone,
        *_grouped(_of_layers(pairs)),
        *_grouped(_of_decisions(one, other, pairs)),
        *_of_fixed("head", one.head, other.head),
    ]


def _of_images(one: SearchSpace, other: SearchSpace) -> Iterator[Difference]:
    """Resolution, channels, classes, and whatever else a file says of the whole network."""
    values = [{**space.definition, "in_channels": space.in_channels} for space in (one, other)]
    for key in dict.fromkeys([*values[0], *values[1]]):
        given = [each.get(key) for each in values]
        if key not in NOT_COMPARED | IN_DETAIL and given[0] != given[1]:
            yield Difference("network", key, *("-" if value is None else str(value) for value in given))


def _of_fixed(part: str, one: Sequence[FixedOp], other: Sequence[FixedOp]) -> Iterator[Difference]:
    here, there = ([_operation(op) for op in ops] for ops in (one, other))
    for kind, start, end, first, last in SequenceMatcher(None, here, there, autojunk=False).get_opcodes():
        if kind != "equal":
            changed = "; ".join(here[start:end]), "; ".join(there[first:last])
            yield Difference(part, "operations", *(text or "-" for text in changed))


def _operation(op: FixedOp) -> str:
    """All that a file gives of an operation; its inputs follow from what is before."""
    given = {
        field.name: getattr(op, field.name)
        for field in fields(op)
        if field.name not in DERIVED | {"type"} and getattr(op, field.name) != field.default
    }
    if op.type in {"pool", "dropout"}:
        del given["out_channels"]
    words = (f"{key.removesuffix('_channels')} {value}" for key, value in given.items())
    return " ".join([op.type, *words])


def _of_blocks(one: Mapping[str, Choice], other: Mapping[str, Choice]) -> Iterator[Difference]:
    """Choices by name: other blocks under a name, other names for a block, and those of one space alone."""
    renamed = _renamed(one, other)
    for name, choice in one.items():
        if name in other and _block(choice) != _block(other[name]):
            yield Difference("choices", name, _block_text(choice), _block_text(other[name]))
        elif name in renamed:
            yield Difference("choices", "another name for the same block", name, renamed[name])
        elif name not in other:
            yield Difference("choices", name, _block_text(choice), "-")
    for name in other:
        if name not in one and name not in renamed.values():
            yield Difference("choices", name, "-", _block_text(other[name]))


def _renamed(one: Mapping[str, Choice], other: Mapping[str, Choice]) -> dict[str, str]:
    """Names of ``one`` that ``other`` does not have -> its new names for the same blocks."""
    free = {_block(choice): name for name, choice in reversed([*other.items()]) if name not in one}
    gone = ((name, free.pop(_block(choice), None)) for name, choice in one.items() if name not in other)
    return {name: new for name, new in gone if new is not None}


def _block(choice: Choice) -> Hashable:
    return choice.type, choice.options


def _block_text(choice: Choice) -> str:
    return f"{choice.type.name} {options_text(choice)}".strip()


class Span(NamedTuple):
    """Layers next to each other in the one space, and those of the other that stand in their place.

    Attributes:
        one, other: the first and the last index.
    """

    one: tuple[int, int]
    other: tuple[int, int]

    @property
    def name(self) -> str:
        """``L3``, ``L3-L5``, or ``L3 (L4)`` where the numbers in the other space are others."""
        here, there = ("-".join(dict.fromkeys(f"L{index + 1}" for index in ends)) for ends in self)
        return here if here == there else f"{here} ({there})"

    def precedes(self, later: Span) -> bool:
        """Whether the layers of ``later`` follow at once in both spaces."""
        return all(mine[1] + 1 == its[0] for mine, its in zip(self, later, strict=True))


# Where, what differs, and what it is in both spaces.
Found = tuple[Span, str, str, str]
Pair = tuple[Layer, Layer]


def _aligned(one: SearchSpace, other: SearchSpace) -> tuple[list[Pair], list[Difference]]:
    """Layers that stand for each other, and those that stand alone."""
    keys = [[(layer.out_channels, layer.stride) for layer in space.layers] for space in (one, other)]
    pairs, alone = list[Pair](), list[Difference]()
    for _, start, end, first, last in SequenceMatcher(None, keys[0], keys[1], autojunk=False).get_opcodes():
        here, there = one.layers[start:end], other.layers[first:last]
        pairs += zip(here, there, strict=False)
        alone += [Difference(name, what, text, "-") for name, what, text in _listed(here[len(there) :])]
        alone += [
            Difference(f"({name})", what, "-", text) for name, what, text in _listed(there[len(here) :])
        ]
    return pairs, alone


def _listed(layers: Sequence[Layer]) -> Iterator[tuple[str, str, str]]:
    """Names, number and shape of neighbouring layers that are alike."""
    for text, group in groupby(layers, _layer):
        alike = [*group]
        names = "-".join(dict.fromkeys([alike[0].name, alike[-1].name]))
        yield names, "layer" if len(alike) == 1 else f"{len(alike)} layers", text


def _layer(layer: Layer) -> str:
    return f"out {layer.out_channels}, stride {layer.stride}, {layer.activation}"


def _of_layers(pairs: Sequence[Pair]) -> Iterator[Found]:
    """Channels, stride and activation; inputs and pixels follow from what is before."""
    for key, what in SHAPES.items():
        for one, other in pairs:
            values = str(getattr(one, key)), str(getattr(other, key))
            if values[0] != values[1]:
                yield Span((one.index, one.index), (other.index, other.index)), what, *values


def _of_decisions(one: SearchSpace, other: SearchSpace, pairs: Sequence[Pair]) -> Iterator[Found]:
    """Who decides about the paired layers, and between what.

    Decisions about the same layers are compared as such, layers of other decisions one by one.
    """
    partner = {here.index: there.index for here, there in pairs}
    decisions = [
        {layer.index: each for each in space.decisions for layer in each.layers} for space in (one, other)
    ]
    translate = _translation(one, other)
    for here, there in pairs:
        first, second = decisions[0][here.index], decisions[1][there.index]
        if [partner.get(layer.index) for layer in first.layers] != [layer.index for layer in second.layers]:
            span = Span((here.index, here.index), (there.index, there.index))
            yield span, "decided", _alone_or_with(first), _alone_or_with(second)
            names = [[choice.name for choice in layer.choices] for layer in (here, there)]
            yield from _of_names(span, names[0], names[1], translate)
        elif here is first.layers[0]:
            ends = [(each.layers[0].index, each.layers[-1].index) for each in (first, second)]
            yield from _of_names(Span(*ends), first.names, second.names, translate)


def _alone_or_with(decision: Decision) -> str:
    return "alone" if len(decision.layers) == 1 else f"together, {decision.name}"


def _of_names(
    span: Span, one: Sequence[str], other: Sequence[str], translate: Callable[[str], str]
) -> Iterator[Found]:
    """Choices that one of the two offers alone, or else their order; blocks are compared elsewhere."""
    names = {name: translate(name) for name in one}
    here = [name for name, new in names.items() if new not in other]
    there = [name for name in other if name not in names.values()]
    if here or there:
        yield span, "choices of one alone", " ".join(here) or "-", " ".join(there) or "-"
    elif [*names.values()] != [*other]:
        yield span, "order of choices", " ".join(one), " ".join(other)


def _translation(one: SearchSpace, other: SearchSpace) -> Callable[[str], str]:
    """A choice's name in the other space; of a choice with a number of layers, ``E3K3x2``, too."""
    renamed = _renamed(blocks_by_name(one), blocks_by_name(other))

    def translate(name: str) -> str:
        block, times, depth = name.rpartition("x")
        if name not in renamed and block in renamed and depth.isdecimal():
            return f"{renamed[block]}{times}{depth}"
        return renamed.get(name, name)

    return translate


def _grouped(found: Iterable[Found]) -> Iterator[Difference]:
    """The same difference of neighbouring layers in one line."""
    open_spans: dict[tuple[str, str, str], Span] = {}
    for span, *rest in found:
        what = (rest[0], rest[1], rest[2])
        before = open_spans.get(what)
        if before is not None and before.precedes(span):
            open_spans[what] = Span((before.one[0], span.one[1]), (before.other[0], span.other[1]))
            continue
        if before is not None:
            yield Difference(before.name, *what)
        open_spans[what] = span
    yield from (Difference(span.name, *what) for what, span in open_spans.items())
