"""The header: its schema and what a schema cannot say."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from latency import TableError
from latency.table.header import header_problems, parse_header


@pytest.fixture
def complete(header: dict[str, Any]) -> dict[str, Any]:
    return {**header, "entries": 5, "sha256": "0" * 64}


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(
        json.loads(resources.files("latency").joinpath("data", "table_schema.json").read_text())
    )


def test_complete_header_has_no_problems(complete: dict[str, Any]) -> None:
    assert header_problems(complete) == []


def test_every_key_is_required_but_these(complete: dict[str, Any]) -> None:
    for key in complete:
        rest = {name: value for name, value in complete.items() if name != key}
        assert header_problems(rest) == [f"header: {key!r} is a required property"]
    assert header_problems({**complete, "driver": "v1", "notes": "cooled", "model": "m"}) == []


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("name", "two words", "name: 'two words' does not match"),
        ("precision", "fp8", "precision: 'fp8' is not one of"),
        ("date", "yesterday", "date: 'yesterday' does not match"),
        ("resolution", 0, "resolution: 0 is less than the minimum of 1"),
        ("device", "", "device: '' should be non-empty"),
        ("sha256", "abc", "sha256: 'abc' does not match"),
        ("error", {}, "error: 'statement' is a required property"),
        ("calibration", {"slope": 1}, "calibration: {'slope': 1} is not valid"),
        (
            "validation",
            {"figures": [{"what": "conv", "mape": 0.1, "n": 3}]},
            "validation: 'method' is a required property",
        ),
        (
            "validation",
            {"method": "x", "figures": [{"what": "conv", "mape": -0.1, "n": 3}]},
            "validation.figures.0.mape: -0.1 is less than the minimum",
        ),
        (
            "validation",
            {"method": "x", "figures": [{"what": "conv", "mape": 0.1, "n": 3, "tau": 0.9}]},
            "validation.figures.0: Additional properties are not allowed ('tau' was unexpected)",
        ),
    ],
)
def test_wrong_values(complete: dict[str, Any], key: str, value: Any, problem: str) -> None:
    (found,) = header_problems({**complete, key: value})
    assert found.startswith(problem)


def test_infinite_numbers_are_named_with_their_place(complete: dict[str, Any]) -> None:
    complete["fixed"] = {**complete["fixed"], "head_ms": float("inf")}
    assert header_problems(complete) == ["fixed.head_ms: inf is not a finite number"]


def test_infinite_numbers_in_lists_are_named_with_their_place(complete: dict[str, Any]) -> None:
    complete["validation"] = {"method": "x", "figures": [{"what": "conv", "mape": float("nan"), "n": 3}]}
    assert header_problems(complete) == ["validation.figures.0.mape: nan is not a finite number"]


def test_a_whole_validation_is_accepted(complete: dict[str, Any]) -> None:
    figures = [{"what": "conv", "mape": 0.07, "max_error": 0.2, "kendall_tau": 0.9, "n": 3}]
    complete["validation"] = {"method": "one family left out", "figures": figures, "weak_spots": ["7x7"]}
    assert header_problems(complete) == []


@pytest.mark.parametrize("part", ["stem", "head"])
def test_parts_of_the_fixed_part_must_add_up(complete: dict[str, Any], part: str) -> None:
    whole = complete["fixed"][f"{part}_ms"]
    for parts, right in (
        ({"conv": whole / 2, "pool": whole / 2}, True),
        ({"conv": whole / 2}, False),
        ({}, True),
    ):
        complete["fixed"][f"{part}_parts"] = parts
        problems = header_problems(complete)
        assert (problems == []) == right
        assert right or problems[0].startswith(f"fixed.{part}_parts: the kernel kinds add up to")


def test_unquoted_date_is_a_date() -> None:
    assert parse_header(["format: dnas-latency-table/2", "date: 2020-02-29"], "t")["date"] == "2020-02-29"


@pytest.mark.parametrize("lines", [["date: 2020-13-45"], ["2020-01-01: x"], ["a: [1"]])
def test_damaged_yaml_is_one_error(lines: list[str]) -> None:
    with pytest.raises(TableError, match="not valid YAML"):
        parse_header(["format: dnas-latency-table/2", *lines], "t")


def test_key_given_twice_within_a_list() -> None:
    lines = ["format: dnas-latency-table/2", "figures:", "- n: 1", "  n: 2"]
    with pytest.raises(TableError, match="header: given twice: n"):
        parse_header(lines, "t")


def test_nested_key_given_twice() -> None:
    lines = ["format: dnas-latency-table/2", "fixed:", "  stem_ms: 1", "  stem_ms: 2"]
    with pytest.raises(TableError, match="header: given twice: stem_ms"):
        parse_header(lines, "t")
