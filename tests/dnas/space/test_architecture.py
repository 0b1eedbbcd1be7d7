"""Architectures are immutable data; text and JSON forms come back unchanged; damaged files are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dnas.space import SearchSpace
from dnas.space.architecture import Architecture, ArchitectureError, index_array
from dnas.space.space_file import SpaceError

Get = Callable[[str], SearchSpace]
MOGA = SearchSpace.load("moga")
MOGA_A = "E6K5 E6K7 E6K3 E6K3SE E3K3SE E6K3SE E6K3 E6K7 E3K7SE E6K7 E6K3 E6K3 E6K5SE E6K5SE"


@given(st.lists(st.integers(0, 11), min_size=14, max_size=14))
@settings(max_examples=50, deadline=None)
def test_text_and_data_round_trip(indices: list[int]) -> None:
    arch = Architecture(MOGA, tuple(indices))
    assert Architecture.parse(str(arch), MOGA) == arch
    assert Architecture.parse(",\n".join(arch.names), MOGA) == arch
    assert Architecture.from_dict(json.loads(json.dumps(arch.to_dict()))) == arch


@pytest.mark.parametrize("name", ["moga", "fbnet", "motley", "minimal"])
def test_files_round_trip(get_space: Get, name: str, tmp_path: Path) -> None:
    arch = Architecture.random(get_space(name), np.random.default_rng(3))
    path = arch.save(tmp_path / "deep" / "arch.json", {"costs": {"latency_ms": 1.5}})
    assert Architecture.load(path) == arch
    data = json.loads(path.read_text(encoding="utf-8"))
    assert data["costs"] == {"latency_ms": 1.5} and data["choices"] == list(arch.names)
    if name in ("moga", "fbnet"):
        assert data["space"] == name, "a shipped space goes by its name"
    else:
        assert SearchSpace.from_dict(data["space"]) == arch.space, "one's own is embedded whole"


def test_an_own_space_with_a_shipped_name_is_embedded() -> None:
    own = SearchSpace.from_dict(MOGA.to_dict() | {"num_classes": 10})
    arch = Architecture(own, (0,) * 14)
    assert arch.to_dict()["space"]["num_classes"] == 10
    assert Architecture.from_dict(arch.to_dict()) == arch != Architecture(MOGA, (0,) * 14)


def test_equality_and_hash() -> None:
    arch = Architecture.parse(MOGA_A, MOGA)
    again = Architecture(SearchSpace.load("moga"), np.array(arch.indices))
    assert arch == again and len({arch, again, Architecture(MOGA, (0,) * 14)}) == 2
    assert all(type(index) is int for index in again.indices), "NumPy integers would not go into JSON"
    assert str(arch) == MOGA_A and arch.names[0] == arch.choices[0].name == "E6K5"
    with pytest.raises(FrozenInstanceError):
        arch.indices = (0,) * 14  # type: ignore[misc]


def test_random_uses_the_given_generator_only(get_space: Get) -> None:
    space = get_space("motley")
    np.random.seed(0)  # noqa: NPY002 - to see that the global generator is left alone
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    draws = [
        Architecture.random(space, generator) for generator in [np.random.default_rng(7)] for _ in range(500)
    ]
    again = Architecture.random(space, np.random.default_rng(7))
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    assert draws[0] == again
    seen = np.array([arch.indices for arch in draws])
    for layer, count in enumerate(space.num_choices):
        shares = np.bincount(seen[:, layer], minlength=count) / len(draws)
        assert len(shares) == count and np.abs(shares - 1 / count).max() < 0.06


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ((0,) * 13, "14 layers, but 13 choices"),
        ((), "14 layers, but 0 choices"),
        ((12, *(0,) * 12, -1), "No such choice index in space moga: L1: 12, L14: -1"),
        ((1.5, *(0,) * 13), "Choices must be integers"),
        (("1", *(0,) * 13), "Choices must be integers"),
        ((None,) * 14, "Choices must be integers"),
    ],
)
def test_wrong_indices(indices: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        Architecture(MOGA, indices)


def test_torch_integers_are_integers() -> None:
    assert Architecture(MOGA, (*torch.arange(12).tolist(), 0, 1)).indices[11] == 11
    assert Architecture(MOGA, tuple(torch.zeros(14, dtype=torch.long))).indices == (0,) * 14


def test_all_unknown_names_are_listed(get_space: Get) -> None:
    with pytest.raises(ArchitectureError) as caught:
        Architecture.parse("wide_k5 e9 skip skip", get_space("motley"))
    message = str(caught.value)
    assert "L2: 'e9' (known: half_k7_se, wide_k3_se" in message
    assert "L4: 'skip' (known: half_k7_se)" in message and "L3" not in message
    with pytest.raises(ArchitectureError, match="4 layers, but 1 choices were given: skip"):
        Architecture.parse("skip", get_space("motley"))


GOOD = Architecture.parse(MOGA_A, MOGA).to_dict()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not valid JSON"),
        ('{"format": "dnas-arch', "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "found 'list'"),
        ("{}", "found None"),
        ({"format": "dnas-architecture/2"}, "expected 'format': 'dnas-architecture/1'"),
        ({"space": None, "choices": None}, "missing space"),
        ({"choices": MOGA_A}, "must be a list of choice names"),
        ({"choices": [0] * 14}, "must be a list of choice names"),
        ({"choices": [["E3K3"]] * 14}, "must be a list of choice names"),
        ({"choices": ["E3K3"] * 13}, "14 layers, but 13 choices"),
        ({"choices": ["E3K3"] * 13 + ["skip"]}, r"L14: 'skip' \(known"),
        ({"space": "mogo"}, "Unknown search space 'mogo'"),
        ({"space": 5}, "A search space is a mapping"),
        ({"space": {}}, "problem"),
        ({"space": {**MOGA.to_dict(), "resolution": -1}}, "resolution: -1 is less than"),
        ({"space_sha256": "0" * 64}, "another version of the space moga"),
        ({"space_sha256": 7}, "another version of the space moga"),
    ],
)
def test_damaged_files(content: str | dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "arch.json"
    if isinstance(content, dict):
        data = {**GOOD, **content}
        content = json.dumps({key: value for key, value in data.items() if value is not None})
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ArchitectureError, match=message) as caught:
        Architecture.load(path)
    assert str(path) in str(caught.value)


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "binary.json").write_bytes(b"\x80\x81")
    with pytest.raises(ArchitectureError, match="not valid JSON"):
        Architecture.load(tmp_path / "binary.json")
    for path in (tmp_path, tmp_path / "missing.json"):
        with pytest.raises(ArchitectureError, match="No architecture file"):
            Architecture.load(path)


def test_from_dict_without_a_digest_takes_the_space_as_it_is() -> None:
    assert Architecture.from_dict({k: v for k, v in GOOD.items() if k != "space_sha256"}).names[0] == "E6K5"
    with pytest.raises(SpaceError):
        SearchSpace.from_dict({})


def test_index_array(get_space: Get) -> None:
    space = get_space("motley")
    arch = Architecture(space, (6, 1, 1, 0))
    np.testing.assert_array_equal(index_array(arch, space), [[6, 1, 1, 0]])
    np.testing.assert_array_equal(index_array([arch, arch], space), [[6, 1, 1, 0]] * 2)
    np.testing.assert_array_equal(index_array((each for each in [arch]), space), [[6, 1, 1, 0]])
    np.testing.assert_array_equal(index_array(np.array([6, 1, 1, 0], dtype=np.uint8), space), [[6, 1, 1, 0]])
    assert index_array([], space).shape == (0, 4) and index_array(np.empty((0, 4), int), space).shape == (
        0,
        4,
    )


@pytest.mark.parametrize(
    ("genomes", "message"),
    [
        (np.zeros((2, 3), int), r"\(n, 4\) array of integers, got \(2, 3\)"),
        (np.zeros((2, 4)), "of float64"),
        (np.zeros((2, 4), bool), "of bool"),
        (np.zeros((1, 4, 4), int), "array of integers"),
        ([[0.5, 0, 0, 0]], "of float64"),
        ([[0, 0, 2, 0]], "out of range"),
        ([[0, 0, -1, 0]], "out of range"),
        ([Architecture(MOGA, (0,) * 14)], "another space .moga."),
    ],
)
def test_index_array_refuses(get_space: Get, genomes: Any, message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        index_array(genomes, get_space("motley"))


def test_a_network_without_choices_need_not_name_them(tmp_path: Path) -> None:
    space = SearchSpace.load("moga")
    one = SearchSpace.from_dict(space.restricted([["E6K5"]] * len(space)) | {"name": "one"})
    path = tmp_path / "one.yaml"
    path.write_text(
        yaml.safe_dump({"format": "dnas-architecture/1", "space": one.to_dict()}, sort_keys=False),
        encoding="utf-8",
    )
    assert Architecture.load(path) == Architecture(one, (0,) * len(one))
    path.write_text("format: dnas-architecture/1\nspace: moga\n", encoding="utf-8")
    with pytest.raises(ArchitectureError, match="missing choices: moga has 1,283,918,464,548,864 arch"):
        Architecture.load(path)
    path.write_text("format: [", encoding="utf-8")
    with pytest.raises(
        ArchitectureError, match=r"one.yaml is not an architecture file, it is not valid YAML"
    ):
        Architecture.load(path)
