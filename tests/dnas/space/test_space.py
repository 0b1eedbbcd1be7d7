"""Shipped spaces have the published shapes; one's own files work alike; identity is what defines networks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

import dnas
from dnas.costs import count
from dnas.nn.network import Network
from dnas.space import SearchSpace, output_size
from dnas.space.architecture import Architecture
from dnas.space.space_file import SpaceError

Get = Callable[[str], SearchSpace]
DOCS = Path(__file__).parents[3] / "docs" / "spaces.md"


def test_moga_is_the_published_space() -> None:
    space = SearchSpace.load("moga")
    assert len(space) == 14 and space.num_choices == (12,) * 14
    assert space.size == 12**14 == 1_283_918_464_548_864
    table = [
        (layer.in_channels, layer.out_channels, layer.stride, layer.input_size, layer.activation)
        for layer in space.layers
    ]
    assert table == [
        (16, 24, 2, 112, "relu"),
        (24, 24, 1, 56, "relu"),
        (24, 40, 2, 56, "relu"),
        (40, 40, 1, 28, "relu"),
        (40, 40, 1, 28, "relu"),
        (40, 80, 2, 28, "hswish"),
        *[(80, 80, 1, 14, "hswish")] * 3,
        (80, 112, 1, 14, "hswish"),
        (112, 112, 1, 14, "hswish"),
        (112, 160, 2, 14, "hswish"),
        *[(160, 160, 1, 7, "hswish")] * 2,
    ]
    options = [choice.options for choice in space.choices(0)]
    blocks = {(each.expansion, each.kernel, each.se) for each in options}
    assert blocks == {(e, k, se) for e in (3, 6) for k in (3, 5, 7) for se in (0.0, 0.25)}
    layer, choice = space.layers[2], next(c for c in space.choices(2) if c.name == "E3K5SE")
    assert (layer.name, layer.output_size, layer.keeps_shape) == ("L3", 28, False)
    assert (choice.options.hidden_channels(layer), choice.options.squeezed_channels(layer)) == (72, 18)


def test_fbnet_is_the_published_space() -> None:
    space = SearchSpace.load("fbnet")
    assert space.num_choices == (9,) * 22 and space.size == 9**22
    rows = [(16, 1, 1), (24, 4, 2), (32, 4, 2), (64, 4, 2), (112, 4, 1), (184, 4, 2), (352, 1, 1)]
    expected = [(out, s if i == 0 else 1) for out, n, s in rows for i in range(n)]
    assert [(layer.out_channels, layer.stride) for layer in space.layers] == expected
    assert [choice.name for choice in space.choices(0) if choice.skip] == ["skip"]
    assert {choice.options.groups for choice in space.choices(0) if not choice.skip} == {1, 2}


def test_nasbench_macro_is_the_published_space() -> None:
    space = SearchSpace.load("nasbench_macro")
    assert (space.size, space.resolution, space.num_classes) == (3**8, 32, 10)
    expected = [(out, 2 if i == 0 else 1) for out, n in ((64, 2), (128, 3), (256, 3)) for i in range(n)]
    assert [(layer.out_channels, layer.stride) for layer in space.layers] == expected
    assert {layer.activation for layer in space.layers} == {"relu"}
    identity, *blocks = space.choices(0)
    assert [(each.options.expansion, each.options.kernel) for each in blocks] == [(3, 3), (6, 5)]
    (strided,) = identity.ops(space.layers[0])
    assert (strided.kernel, strided.stride, strided.activation) == (1, 2, "none")
    assert identity.ops(space.layers[1]) == ()
    # The all-identity network by hand: convolutions with batch norm from 3 over 32, 64, 128, 256 to 1280.
    weights = 27 * 32 + 32 * 64 + 64 * 128 + 128 * 256 + 256 * 1280 + 1280 * 10 + 10
    assert count(space).params_of(Architecture(space, (0,) * 8)) == weights + 2 * (32 + 64 + 128 + 256 + 1280)


def test_layers_may_have_choices_of_their_own(get_space: Get) -> None:
    space = get_space("motley")
    assert space.num_choices == (7, 7, 2, 1) and space.size == 98 and space.max_choices == 7
    assert [choice.name for choice in space.choices(2)] == ["skip", "wide_k3_se"], "in the layer's order"
    assert space.valid.shape == (4, 7) and space.valid.sum(axis=1).tolist() == [7, 7, 2, 1]
    assert space.valid[2].tolist() == [True, True] + [False] * 5
    assert [layer.input_size for layer in space.layers] == [14, 14, 7, 4], "odd maps are rounded up"
    assert [layer.in_channels for layer in space.layers] == [8, 8, 12, 12]
    assert space.choices(2)[0].skip and not space.choices(2)[1].skip


@pytest.mark.parametrize(
    ("size", "stride", "expected"), [(224, 2, 112), (7, 2, 4), (1, 2, 1), (5, 1, 5), (8, 1, 8)]
)
def test_output_size(size: int, stride: int, expected: int) -> None:
    assert output_size(size, stride) == expected


@pytest.mark.parametrize("name", ["moga", "fbnet", "motley", "minimal"])
def test_plain_data_round_trip(get_space: Get, name: str) -> None:
    space = get_space(name)
    again = SearchSpace.from_dict(json.loads(json.dumps(space.to_dict())))
    assert again == space and hash(again) == hash(space) and again.layers == space.layers
    space.to_dict()["layers"][0]["out"] = 1
    assert space.to_dict() == again.to_dict(), "a caller cannot change the space through its data"


def test_identity_is_what_defines_the_networks() -> None:
    data = SearchSpace.load("moga").to_dict()
    space = SearchSpace.from_dict(data)
    assert SearchSpace.from_dict(data | {"description": "other words", "reference": "elsewhere"}) == space
    without = {key: value for key, value in data.items() if key != "in_channels"}
    assert SearchSpace.from_dict(without) == space, "3 channels are the default"
    assert SearchSpace.from_dict(data | {"name": "other"}) != space
    assert space.adapt(num_classes=10) != space and space.adapt() == space


def test_the_order_of_the_choices_is_part_of_the_identity() -> None:
    data = SearchSpace.load("moga").to_dict()
    turned = data | {"choices": dict(reversed(data["choices"].items()))}
    assert SearchSpace.from_dict(turned) != SearchSpace.from_dict(data), (
        "columns of cost tables would be swapped"
    )


def test_adapt_changes_images_and_classes_only() -> None:
    space = SearchSpace.load("moga")
    small = space.adapt(resolution=32, num_classes=10, in_channels=1, stem_stride=1)
    assert (small.resolution, small.num_classes, small.in_channels) == (32, 10, 1)
    assert small.stem[0].stride == 1 and [layer.input_size for layer in small.layers[:3]] == [32, 16, 16]
    assert [layer.choices for layer in small.layers] == [layer.choices for layer in space.layers]
    assert space.resolution == 224 and space.stem[0].stride == 2, "the original is untouched"
    with pytest.raises(SpaceError, match="num_classes: 0 is less than"):
        space.adapt(num_classes=0)


def test_loading_by_name_or_path(tmp_path: Path) -> None:
    path = tmp_path / "own.yml"
    path.write_text(yaml.safe_dump(SearchSpace.load("moga").to_dict(), sort_keys=False), encoding="utf-8")
    assert SearchSpace.load(path) == SearchSpace.load(str(path)) == SearchSpace.load("moga")


@pytest.mark.parametrize("name", ["mogo", "", "moga.yaml", "nowhere/own.yaml", "../spaces/moga"])
def test_unknown_names_are_told_the_shipped_ones(name: str) -> None:
    with pytest.raises(SpaceError, match=r"fbnet, mnasnet, mob.*, moga"):
        SearchSpace.load(name)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_bytes(b"name: \xff")
    with pytest.raises(SpaceError, match=r"own\.yaml is not valid YAML"):
        SearchSpace.load(path)


def test_valid_numbers_columns(get_space: Get) -> None:
    np.testing.assert_array_equal(get_space("minimal").valid, [[True]])
    assert (
        repr(SearchSpace.load("moga"))
        == "SearchSpace('moga', 14 layers, 1,283,918,464,548,864 architectures)"
    )


def examples() -> list[str]:
    blocks: list[str] = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [block for block in blocks if block.startswith("format:")]


@pytest.mark.parametrize("index", range(2))
def test_the_documented_example_loads_and_runs(tmp_path: Path, index: int) -> None:
    text = examples()[index]
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    space = SearchSpace.load(path)
    arch = dnas.Architecture.random(space, np.random.default_rng(0))
    assert sum(p.numel() for p in Network(arch).parameters()) == dnas.costs.count(space).params_of(arch)
    prose = DOCS.read_text(encoding="utf-8")
    if space.shared:
        # As the prose says: a decision for every layer of the first stage, and one for each other stage.
        assert [*map(len, (each.names for each in space.decisions))] == [2, 2, 3, 3, 2, 4]
        assert dnas.Architecture.parse("E3K3 E6K5 skip skip E6K5 E3K3x4", space)
        assert space.distinct == 28 * 2 * 4
    else:
        assert f" = {space.size} architectures" in prose


def test_the_documentation_names_every_key() -> None:
    schema = json.loads(
        (Path(dnas.__file__).parent / "space" / "spaces" / "schema.json").read_text(encoding="utf-8")
    )
    keys = set(schema["properties"])
    for definition in schema["$defs"].values():
        keys |= set(definition.get("properties", {}))
    text = DOCS.read_text(encoding="utf-8")
    assert [key for key in sorted(keys) if f"`{key}`" not in text] == []


def test_the_documented_refusal_is_the_real_one(tmp_path: Path) -> None:
    text = DOCS.read_text(encoding="utf-8")
    shown = re.search(r"```text\n(.*?)```", text, flags=re.DOTALL)
    assert shown is not None
    broken = (
        examples()[0].replace("kernel: 5, se", "kernel: 4, se").replace("hswish, choices", "hswsh, choices")
    )
    path = tmp_path / "own.yaml"
    path.write_text(broken, encoding="utf-8")
    with pytest.raises(SpaceError) as caught:
        SearchSpace.load(path)
    assert str(caught.value).replace(str(path), "own.yaml") == shown[1].strip()


def test_reduced_from_is_told_but_no_part_of_the_identity() -> None:
    moga = SearchSpace.load("moga")
    told = SearchSpace.from_dict({**moga.to_dict(), "reduced_from": "moga"})
    assert (moga.reduced_from, told.reduced_from) == (None, "moga")
    assert told == moga
