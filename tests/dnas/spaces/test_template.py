"""New spaces: files that load, that explain every key, and that have the values of another space."""

from __future__ import annotations

import json
import re
from importlib import resources

import pytest
import yaml

from dnas import blocks
from dnas.blocks import registry
from dnas.space import SearchSpace, SpaceError, shipped_spaces
from dnas.space.space_file import parse
from dnas.spaces.diff import differences
from dnas.spaces.template import sections, template, version2

SPACES = [*shipped_spaces(), "motley", "minimal", "staged"]


def space_of(text: str) -> SearchSpace:
    return SearchSpace.from_dict(parse(text, "new.yaml"))


def test_the_template_is_in_order_and_has_every_kind_of_stage() -> None:
    space = space_of(template("mine"))
    assert space.name == "mine" and space.definition["format"] == "dnas-space/2"
    assert space.shared and space.distinct < space.size
    assert {len(decision.layers) for decision in space.decisions} == {1, 3}
    assert any(name.endswith("x2") for decision in space.decisions for name in decision.names)


def test_every_key_of_the_format_is_explained_above_its_place() -> None:
    """Whoever adds a key to the schema explains it here, too."""
    schema = json.loads(resources.files("dnas.space").joinpath("spaces/schema.json").read_text())
    text = template("mine")
    for key in schema["properties"]:
        assert re.search(rf"^(# )?{key}:|^#.*'{key}'", text, re.M), key
    comments = {section.key: section.comment for section in sections()}
    for place, kind in (("stem", "stem_op"), ("stages", "stage"), ("head", "head_op")):
        for key in schema["$defs"][kind]["properties"]:
            assert re.search(rf"\b{key}\b", comments[place]), (place, key)


def test_the_options_of_its_block_types_are_explained() -> None:
    text = template("mine", SearchSpace.from_dict(staged_types()))
    for name in ("inverted_residual", "fused_inverted_residual"):
        for option in blocks.get(name).Options.__dataclass_fields__:
            assert re.search(rf"^#   {name}:(\n#    .*)*\n#     {option}: ", text, re.M), (name, option)
    assert "#   bottleneck:" not in text, "only what is used"
    assert all(name in text for name in registry.SHIPPED)


def staged_types() -> dict[str, object]:
    definition = {**SearchSpace.load("moga").to_dict(), "format": "dnas-space/2", "name": "types"}
    definition["choices"] = {
        "a": {"expansion": 2, "kernel": 3},
        "b": {"type": "fused_inverted_residual", "expansion": 2, "kernel": 3},
    }
    return definition


@pytest.mark.parametrize("name", SPACES)
def test_like_another_space(get_space, name) -> None:
    like = get_space(name)
    text = template("copy", like)
    copy = space_of(text)
    assert copy.name == "copy" and copy.definition["format"] == "dnas-space/2"
    assert differences(like, copy) == []
    assert version2(copy) == {**version2(like), "name": "copy"}


def test_a_key_that_the_template_does_not_know_is_kept() -> None:
    space = SearchSpace.load("moga")
    space.definition["novel"] = [{"a": 1}, {"b": 2}]
    assert yaml.safe_load(template("copy", space))["novel"] == [{"a": 1}, {"b": 2}]


def test_of_the_space_that_it_was_reduced_from_a_copy_says_nothing() -> None:
    reduced = SearchSpace.from_dict({**SearchSpace.load("moga").to_dict(), "reduced_from": "moga"})
    assert space_of(template("copy", reduced)).reduced_from is None


def test_names() -> None:
    assert space_of(template("my own (2)")).name == "my_own__2_"
    with pytest.raises(SpaceError, match="named after its file"):
        template("äö")
