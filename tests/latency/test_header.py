"""The header: its schema and what a schema cannot say."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from latency import TableError
from latency.header import header_problems, parse_header


@pytest.fixture
def complete(header: dict[str, Any]) -> dict[str, Any]:
    return {**header, "entries": 5, "sha256": "0" * 64}


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(
        json.loads(resources.files("latency").joinpath("table_schema.json").read_text())
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
    ],
)
def test_wrong_values(complete: dict[str, Any], key: str, value: Any, problem: str) -> None:
    (found,) = header_problems({**complete, key: value})
    assert found.startswith(problem)


def test_infinite_numbers_are_named_with_their_place(complete: dict[str, Any]) -> None:
    complete["fixed"] = {**complete["fixed"], "head_ms": float("inf")}
    assert header_problems(complete) == ["fixed.head_ms: inf is not a finite number"]


def test_unquoted_date_is_a_date() -> None:
    assert parse_header(["format: dnas-latency-table/1", "date: 2020-02-29"], "t")["date"] == "2020-02-29"


def test_nested_key_given_twice() -> None:
    lines = ["format: dnas-latency-table/1", "fixed:", "  stem_ms: 1", "  stem_ms: 2"]
    with pytest.raises(TableError, match="given twice in the header: stem_ms"):
        parse_header(lines, "t")
