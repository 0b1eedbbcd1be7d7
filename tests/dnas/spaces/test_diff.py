"""Differences of two spaces: one change of a file, and the lines that say so."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from dnas.space import SearchSpace
from dnas.spaces.diff import differences

BASE: dict[str, Any] = {
    "format": "dnas-space/2",
    "name": "base",
    "resolution": 64,
    "num_classes": 10,
    "stem": [{"type": "conv", "out": 8, "kernel": 3, "stride": 2, "activation": "relu"}],
    "choices": {
        "a": {"expansion": 2, "kernel": 3},
        "b": {"expansion": 3, "kernel": 5, "se": 0.25},
        "c": {"type": "conv", "kernel": 3},
    },
    "stages": [
        {"out": 8, "stride": 1, "activation": "relu", "repeat": 2, "choices": ["a", "b"]},
        {"out": 16, "stride": 2, "activation": "relu", "repeat": 3, "choices": ["a", "b"]},
        {
            "out": 24,
            "stride": 2,
            "activation": "hswish",
            "repeat": 3,
            "shared": True,
            "optional": 1,
            "choices": ["a", "b"],
        },
    ],
    "head": [{"type": "conv", "out": 32, "kernel": 1, "activation": "relu"}, {"type": "pool"}],
}
Change = Callable[[dict[str, Any]], object]


def found(*changes: Change) -> list[tuple[str, ...]]:
    """The differences of the base and a changed one; backwards they are the same with columns exchanged."""
    definition = copy.deepcopy(BASE)
    for change in changes:
        change(definition)
    one, other = SearchSpace.from_dict(BASE), SearchSpace.from_dict(definition)
    forth, back = differences(one, other), differences(other, one)
    assert len(forth) == len(back)
    return [tuple(each) for each in forth]


def stage(index: int, **changes: Any) -> Change:
    return lambda space: space["stages"][index].update(changes)


def choice(name: str, **options: Any) -> Change:
    return lambda space: space["choices"].update({name: options})


def renamed(space: dict[str, Any]) -> None:
    space["choices"] = {{"b": "big"}.get(name, name): given for name, given in space["choices"].items()}
    for each in space["stages"]:
        each["choices"] = ["a", "big"]


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (lambda space: space.update(name="other", description="words", reference="a paper"), []),
        (lambda space: space.update(in_channels=3), []),
        (stage(0, repeat=2, shared=False, optional=0), []),
        (choice("c", type="conv", kernel=5), []),  # nobody offers it
        (lambda space: space.update(resolution=96), [("network", "resolution", "64", "96")]),
        (lambda space: space.update(in_channels=1), [("network", "in_channels", "3", "1")]),
        (stage(1, activation="relu6"), [("L3-L5", "activation", "relu", "relu6")]),
        (stage(1, out=20), [("L3-L5", "output channels", "16", "20")]),
        (stage(1, stride=1), [("L3", "stride", "2", "1")]),
        (stage(1, repeat=4), [("(L6)", "layer", "-", "out 16, stride 1, relu")]),
        (stage(1, repeat=1), [("L4-L5", "2 layers", "out 16, stride 1, relu", "-")]),
        (
            stage(1, choices=["a", "c"]),
            [("choices", "c", "-", "conv kernel 3"), ("L3-L5", "choices of one alone", "b", "c")],
        ),
        (stage(1, choices=["b", "a"]), [("L3-L5", "order of choices", "a b", "b a")]),
        (stage(1, optional=1), [("L5", "choices of one alone", "-", "skip")]),
        (stage(1, shared=True), [("L3-L5", "decided", "alone", "together, L3-L5")]),
        (
            stage(2, optional=0),
            [
                ("choices", "skip", "skip", "-"),
                ("L6-L8", "choices of one alone", "ax2 ax3 bx2 bx3", "a b"),
            ],
        ),
        (stage(2, choices=["a", "bx3"]), [("L6-L8", "choices of one alone", "bx2", "-")]),
        (
            choice("b", expansion=3, kernel=7),
            [
                (
                    "choices",
                    "b",
                    "inverted_residual kernel 5, expansion 3, se 0.25",
                    "inverted_residual kernel 7, expansion 3",
                )
            ],
        ),
        (renamed, [("choices", "another name for the same block", "b", "big")]),
        (
            lambda space: space["stem"][0].update(out=12),
            [
                (
                    "stem",
                    "operations",
                    "conv out 8 kernel 3 stride 2 activation relu",
                    "conv out 12 kernel 3 stride 2 activation relu",
                )
            ],
        ),
        (
            lambda space: space["head"].append({"type": "dropout", "rate": 0.1}),
            [("head", "operations", "-", "dropout rate 0.1")],
        ),
        (lambda space: space.update(num_classes=5), [("network", "num_classes", "10", "5")]),
    ],
)
def test_one_change(change: Change, lines: list[tuple[str, ...]]) -> None:
    # What changes nothing but the number or the input of a later layer is no difference of that layer.
    assert found(change) == lines


def test_layers_behind_an_inserted_one_have_two_names() -> None:
    lines = found(stage(0, repeat=3), stage(1, activation="none"))
    assert ("(L1)", "layer", "-", "out 8, stride 1, relu") in lines, "any of three that are equal"
    assert ("L3-L5 (L4-L6)", "activation", "relu", "none") in lines


def test_layers_of_other_decisions_are_compared_one_by_one() -> None:
    lines = found(stage(2, shared=False, choices=["a", "b", "c"]))
    assert ("L6-L8", "decided", "together, L6-L8", "alone") in lines
    assert ("L6-L8", "choices of one alone", "-", "c") in lines


def test_an_exchanged_meaning_of_two_names_is_no_renaming() -> None:
    lines = found(choice("a", **BASE["choices"]["b"]), choice("b", **BASE["choices"]["a"]))
    assert [(where, what) for where, what, *_ in lines] == [("choices", "a"), ("choices", "b")]


@pytest.mark.parametrize("name", ["moga", "fbnet", "motley", "minimal", "staged"])
def test_a_space_equals_itself_and_no_other(get_space, name) -> None:
    space = get_space(name)
    assert differences(space, SearchSpace.from_dict(space.to_dict())) == []
    assert differences(space, SearchSpace.from_dict(BASE)) != []
