"""Every mistake in a space file is reported at once with its place; no file makes any other error."""

from __future__ import annotations

import copy
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dnas.blocks.widths import hidden_channels
from dnas.space import SearchSpace
from dnas.space.space_file import SpaceError, check, parse

MOGA = SearchSpace.load("moga").to_dict()
FBNET = SearchSpace.load("fbnet").to_dict()

GOOD = """\
format: dnas-space/1
name: own
resolution: 32
num_classes: 10
stem:
  - {type: conv, out: 8, kernel: 3, stride: 2, activation: relu}
choices:
  a: {expansion: 2, kernel: 3}
  b: {skip: true}
layers:
  - {out: 8, stride: 1, activation: relu}
head:
  - {type: pool}
"""
MIXED = {
    **yaml.safe_load(GOOD),
    "format": "dnas-space/2",
    "choices": {
        "a": {"expansion": 2, "kernel": 3},
        "b": {"type": "universal_inverted_bottleneck", "expansion": 2, "start": 3},
        "c": {"type": "bottleneck"},
        "d": {"type": "skip"},
    },
}


def refusal(text: str | bytes) -> str:
    with pytest.raises(SpaceError) as caught:
        parse(text, "own.yaml")
    return str(caught.value)


def test_good_file_gives_its_data() -> None:
    assert parse(GOOD, "own.yaml") == yaml.safe_load(GOOD) == parse(GOOD.encode(), "own.yaml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dnas-space/1", "dnas-space/9", "own.yaml:1: format: 'dnas-space/9' is not one of"),
        ("name: own", "name: my space", "own.yaml:2: name: 'my space' does not match"),
        ("resolution: 32\n", "", "own.yaml:1: the file: 'resolution' is a required property"),
        ("resolution: 32", "resolution: 32.0", "own.yaml:3: resolution: 32.0 is not of type 'integer'"),
        ("resolution: 32", "resolution: true", "own.yaml:3: resolution: True is not of type 'integer'"),
        ("num_classes: 10", "num_classes: 0", "own.yaml:4: num_classes: 0 is less than the minimum of 1"),
        ("num_classes", "classes", "own.yaml:1: the file: Additional properties are not allowed ('classes'"),
        ("kernel: 3, stride: 2", "kernel: 4, stride: 2", "own.yaml:6: stem[0].kernel: 4 must be odd"),
        ("stride: 2", "stride: 3", "own.yaml:6: stem[0].stride: 3 is not one of [1, 2]"),
        ("expansion: 2, kernel: 3", "expansion: 2", "own.yaml:8: choices.a: {'expansion': 2} must give"),
        ("skip: true", "skip: true, kernel: 3", "own.yaml:9: choices.b: "),
        ("expansion: 2", "expansion: 0", "own.yaml:8: choices.a.expansion: 0 is less than or equal to"),
        ("expansion: 2", "expansion: .nan", "own.yaml:8: choices.a.expansion: nan is not of type 'number'"),
        ("expansion: 2", "expansion: .inf", "own.yaml:8: choices.a.expansion: inf is not of type 'number'"),
        ("kernel: 3}", "kernel: 3, se: 1.5}", "own.yaml:8: choices.a.se: 1.5 is greater than"),
        ("kernel: 3}", "kernel: 3, se: 0.01}", "own.yaml:11: layers[0]: a squeezes 16 hidden channels"),
        ("kernel: 3}", "kernel: 3, groups: 3}", "layers[0]: a has 3 groups, which do not divide 8, 16, 8 ch"),
        ("activation: relu}\nhead", "activation: gelu}\nhead", "own.yaml:11: layers[0].activation: 'gelu'"),
        (
            "relu}\nhead",
            "relu, choices: [b, c, d]}\nhead",
            "own.yaml:11: layers[0].choices: unknown choice(s)",
        ),
        (
            "relu}\nhead",
            "relu, choices: [a, a]}\nhead",
            "own.yaml:11: layers[0].choices: ['a', 'a'] has non-un",
        ),
        ("relu}\nhead", "relu, choices: []}\nhead", "own.yaml:11: layers[0].choices: [] should be non-empty"),
        ("  b: {skip: true}", "  a: {skip: true}", "own.yaml:9: choices.a: given twice"),
        ("type: pool", "type: dropout, rate: 0.5", "own.yaml:13: head: must hold exactly one 'pool'"),
        ("type: pool}", "type: pool}\n  - {type: pool}", "own.yaml:13: head: must hold exactly one 'pool'"),
        ("type: pool}", "type: pool, out: 4}", "own.yaml:13: head[0]: "),
        (
            "type: pool}",
            "type: pool}\n  - {type: dropout, rate: 1}",
            "own.yaml:14: head[1].rate: 1 is greater",
        ),
    ],
)
def test_a_mistake_is_named_with_file_line_and_key(old: str, new: str, message: str) -> None:
    assert GOOD.count(old) == 1, "the case must change one place"
    text = refusal(GOOD.replace(old, new))
    assert message in text
    assert "docs/spaces.md" in text


def test_all_mistakes_come_together() -> None:
    text = GOOD.replace("name: own", "name: a b").replace("kernel: 3, stride: 2", "kernel: 2, stride: 7")
    text = text.replace("  b: {skip: true}", "  a: {skip: false}").replace(
        "num_classes: 10", "num_classes: x"
    )
    message = refusal(text)
    assert message.startswith("6 problem(s) in the search space own.yaml:\n")
    for line in (2, 4, 6, 9):
        assert f"own.yaml:{line}: " in message


def test_unknown_names_of_all_layers_come_together() -> None:
    layer = "  - {out: 8, stride: 1, activation: relu}\n"
    text = GOOD.replace(
        layer, layer.replace("}", ", choices: [x]}") + layer.replace("}", ", choices: [a, y]}")
    )
    message = refusal(text)
    assert "own.yaml:11: layers[0].choices: unknown choice(s) x; known are a, b" in message
    assert "own.yaml:12: layers[1].choices: unknown choice(s) y; known are a, b" in message


@pytest.mark.parametrize(
    "content",
    [
        "",
        "- a list",
        "just words",
        "a: [unclosed",
        "a: 1\n---\nb: 2",
        "!!python/object/apply:os.getcwd []",
        "? [a, b]\n: 1",
        "date: 2020-13-45",
        "number: 0x_",
        "tab:\t- 1",
        "nul: \x00",
        b"\xff\xfe name: own",
    ],
)
def test_what_is_no_mapping_is_refused(content: str | bytes) -> None:
    assert refusal(content).startswith("own.yaml is not ")


@pytest.mark.parametrize("key", ["3", "null", "true", "2020-01-01", "a b", '"a\\n"', "a,b"])
def test_a_choice_is_named_by_a_word(key: str) -> None:
    text = refusal(GOOD.replace("  b: {skip", f"  {key}: {{skip"))
    assert "choices" in text


@pytest.mark.parametrize("value", [None, 5, "moga", ["format"]])
def test_plain_data_that_is_no_mapping_is_refused(value: Any) -> None:
    with pytest.raises(SpaceError, match="A search space is a mapping"):
        check(value)


@pytest.mark.parametrize(
    ("channels", "expansion", "hidden"), [(16, 6, 96), (8, 2.6, 21), (8, 0.5, 4), (1, 0.1, 1), (3, 1.5, 4)]
)
def test_hidden_channels_are_rounded(channels: int, expansion: float, hidden: int) -> None:
    assert hidden_channels(channels, expansion) == hidden


def places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """All key paths of nested lists and mappings."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(deeper for key, item in items for deeper in places(item, (*place, key)))]


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 200),
    st.floats(-2, 9) | st.sampled_from([float("nan"), float("inf")]),
    st.sampled_from(["", "pool", "conv", "separable", "dropout", "relu", "E3K3", "skip", "k3_e1"]),
    st.dates(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(SCALARS, inner, max_size=2),
    max_leaves=4,
)


@given(data=st.data(), base=st.sampled_from([MOGA, FBNET, MIXED]), edits=st.integers(1, 3))
@settings(max_examples=120, deadline=None)
def test_any_mutation_loads_or_is_a_space_error(
    data: st.DataObject, base: dict[str, Any], edits: int
) -> None:
    definition = copy.deepcopy(base)
    for _ in range(edits):
        *path, key = data.draw(st.sampled_from(places(definition)[1:] or [("name",)]))
        parent: Any = definition
        for step in path:
            parent = parent[step]
        action = data.draw(st.sampled_from(["replace", "delete", "add"]))
        if action == "replace":
            parent[key] = data.draw(VALUES)
        elif action == "delete":
            del parent[key]
        elif isinstance(parent, list):
            parent.append(data.draw(VALUES))
        else:
            parent[data.draw(st.sampled_from(["se", "groups", "norm", "kernel", "choices", "new"]))] = (
                data.draw(VALUES)
            )
    try:
        from_yaml = SearchSpace.from_dict(parse(yaml.safe_dump(definition, sort_keys=False), "own.yaml"))
    except SpaceError:
        with pytest.raises(SpaceError):
            SearchSpace.from_dict(definition)
    else:
        assert SearchSpace.from_dict(definition) == from_yaml
        assert from_yaml.size >= 1


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_damage_to_the_text_loads_or_is_a_space_error(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(GOOD)))
    end = min(len(GOOD), start + data.draw(st.integers(0, 8)))
    text = GOOD[:start] + data.draw(st.text(max_size=4)) + GOOD[end:]
    with suppress(SpaceError):
        assert SearchSpace.from_dict(parse(text, "own.yaml")).size >= 1


def version_2(**choices: Any) -> dict[str, Any]:
    return {**yaml.safe_load(GOOD), "format": "dnas-space/2", "choices": choices}


@pytest.mark.parametrize(
    ("choice", "problem"),
    [
        ({"type": "nosuch"}, "choices.a.type: no block type 'nosuch'; known are inverted_residual, skip, "),
        ({"type": None}, "choices.a.type: no block type None"),
        ({"type": ["conv"]}, r"choices.a.type: no block type \['conv'\]"),
        ({}, "choices.a: 'kernel' is a required property"),
        ({"kernel": 3}, "choices.a: must give 'expansion' or 'hidden', one of both"),
        ({"kernel": 3, "expansion": 2, "hidden": 8}, "must give 'expansion' or 'hidden', one of both"),
        ({"type": "bottleneck", "expansion": 0.25, "hidden": 8}, "must give 'expansion' or 'hidden'"),
        ({"kernel": 3, "hidden": 0}, "choices.a.hidden: 0 is less than the minimum of 1"),
        ({"kernel": 3, "expansion": 2, "se_of": "output"}, "choices.a.se_of: 'output' is not one of"),
        ({"type": "conv", "kernel": 4}, "choices.a.kernel: 4 must be odd"),
        ({"type": "conv", "kernel": 3.0}, "choices.a.kernel: 3.0 is not of type 'integer'"),
        ({"type": "skip", "expansion": 3}, "choices.a: Additional properties are not allowed"),
        (
            {"type": "bottleneck", "expansion": float("nan")},
            "choices.a.expansion: nan is not of type 'number'",
        ),
        ({"skip": True}, r"choices.a: Additional properties are not allowed \('skip' was unexpected\)"),
        (3, "choices.a: 3 is not of type 'object'"),
    ],
)
def test_options_of_a_type_are_checked_by_its_schema(choice: Any, problem: str) -> None:
    with pytest.raises(SpaceError, match=problem):
        SearchSpace.from_dict(version_2(a=choice))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"divisor": 0}, "divisor: 0 is less than the minimum of 1"),
        ({"norm": {"eps": 0}}, "norm.eps: 0 is less than or equal to the minimum of 0"),
        ({"norm": {"eps": "1e-3"}}, "norm.eps: YAML reads 1e-3 as a text: write it with a point"),
        ({"name": False}, r"name: False where a text is expected \(YAML reads no, on, .* in quotes alone"),
        ({"choices": {True: {"skip": True}}}, "choices: True where a text is expected"),
        ({"norm": {"momentum": 1.5}}, "norm.momentum: 1.5 is greater than the maximum of 1"),
        ({"format": "dnas-space/1", "divisor": 8}, r"properties are not allowed \('divisor' was unexpected"),
        ({"stem": [{"type": "conv", "kernel": 3, "stride": 2}]}, r"stem\[0\]: 'out' is a required property"),
        (
            {"stem": [{"type": "max_pool", "kernel": 3, "stride": 2, "out": 8}]},
            r"stem\[0\]: 'out' is not one of \['type', 'kernel', 'stride'\]",
        ),
        (
            {"head": [{"type": "linear", "out": 8, "activation": "relu"}, {"type": "pool"}]},
            r"head\[0\]: a linear layer stands after the 'pool'",
        ),
        (
            {"head": [{"type": "pool"}, {"type": "linear", "out": 8, "kernel": 1, "activation": "relu"}]},
            r"head\[1\]: 'kernel' is not one of \['type', 'out', 'activation', 'bias'\]",
        ),
    ],
)
def test_keys_of_version_2_are_checked(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(SpaceError, match=problem):
        SearchSpace.from_dict({**version_2(a={"expansion": 2, "kernel": 3}), **change})


def test_a_type_says_where_it_cannot_stand() -> None:
    feed_forward = {"type": "universal_inverted_bottleneck", "expansion": 2}
    definition = version_2(a=feed_forward, b={"expansion": 2, "kernel": 3})
    definition["layers"] = [{"out": 8, "stride": stride, "activation": "relu"} for stride in (1, 2)]
    with pytest.raises(
        SpaceError, match=r"layers\[1\]: a has no depthwise convolution that could have stride 2"
    ):
        SearchSpace.from_dict(definition)
    definition["layers"][1]["choices"] = ["b"]
    layer = SearchSpace.from_dict(definition).layers[0]
    assert [op.type for op in layer.choices[0].ops(layer)] == ["conv", "conv", "add"]


def test_types_need_version_2() -> None:
    definition = {**version_2(a={"type": "conv", "kernel": 3}), "format": "dnas-space/1"}
    with pytest.raises(SpaceError, match=r"\('type' needs format: dnas-space/2\)"):
        SearchSpace.from_dict(definition)


@pytest.mark.parametrize("name", ["moga", "fbnet"])
def test_both_versions_describe_the_same_networks(name: str) -> None:
    space = SearchSpace.load(name)
    definition = space.to_dict()
    for choice, options in definition["choices"].items():
        definition["choices"][choice] = {"type": "skip"} if options.get("skip") else options
    again = SearchSpace.from_dict({**definition, "format": "dnas-space/2"})
    assert again.layers == space.layers and again.stem == space.stem and again.head == space.head


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("resolution: 32", "resolution: 1000000", "is greater than the maximum of 16384"),
        ("out: 8,", "out: 1.0e+308,", "1e+308 is not of type 'integer'"),
        ("expansion: 3", "expansion: 1.0e+308", "is greater than the maximum of 1000"),
        ("kernel: 5", "kernel: 100001", "is greater than the maximum of 255"),
        ("name: tiny", "name: ..", "does not match"),
        ("name: tiny", f"name: {'x' * 201}", "is too long"),
        ("name: tiny", "name: a/b", "does not match"),
        ("description: ", 'description: "\\e[2J"\nreference: ', "the character \\x1b"),
        ("resolution: 32", "resolution: 16384", ""),
        ("out: 8, stride: 1", "out: 65536, stride: 1", "multiply-adds, expected at most 1e+12"),
    ],
)
def test_numbers_and_names_are_bounded(old: str, new: str, said: str, tiny_space_file: Path) -> None:
    text = tiny_space_file.read_text(encoding="utf-8")
    assert old in text
    content = text.replace(old, new, 1)
    if "multiply" in said:
        content = content.replace("resolution: 32", "resolution: 8192")
    if not said:
        parse(content, "my.yaml")
        return
    with pytest.raises(SpaceError) as error:
        parse(content, "my.yaml")
    assert said in str(error.value)
