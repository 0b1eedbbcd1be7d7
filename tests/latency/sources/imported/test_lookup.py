"""Look-up tables in YAML and JSON."""

from __future__ import annotations

import json

import pytest

from latency.sources.imported.lookup import FBNET, PROXYLESSNAS

KEY = "Skip_H8_W8_Cin4_Cout6_stride2"


def test_proxylessnas() -> None:
    result = PROXYLESSNAS.read("# a table\na: {mean: 1.5, count: 3}\nb:\n  mean: 2e-1\n", "lut.yaml", "ms")
    assert [(reading.key, reading.ms, reading.line) for reading in result.readings] == [
        ("a", 1.5, 2),
        ("b", 0.2, 3),
    ]
    assert result.unread == ()


def test_fbnet_as_json() -> None:
    text = json.dumps({KEY: 1500.0, "b": 1e-05}, indent="\t")
    result = FBNET.read(text, "lut.json", "us")
    assert [(reading.key, reading.ms, reading.line) for reading in result.readings] == [
        (KEY, 1.5, 2),
        ("b", pytest.approx(1e-8), 3),
    ]


def test_keys_given_twice_are_both_kept() -> None:
    assert [reading.ms for reading in FBNET.read('{"a": 1, "a": 2}', "x", "ms").readings] == [1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: {median: 1}", "x:1: a: expected {mean: a number, ...}"),
        ("a: 3", "x:1: a: expected {mean: a number, ...}"),
        ("a: {mean: fast}", "'fast' is not a number"),
        ("a: {mean: .nan}", "'.nan' is not a number"),
        ("a: {mean: NaN}", "NaN is not a finite number"),
        ("a: {mean: -1}", "-1 is not a finite number of at least 0"),
        ("- 1", "x:1: expected a mapping"),
        ("a: {mean: 1", "neither YAML nor JSON"),
        ("a: {mean: 1_000}", "'1_000' is not a number"),
        ("a: {mean: 1}\n---\nb: {mean: 2}", "neither YAML nor JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("# nothing", "expected a mapping"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    result = PROXYLESSNAS.read(text, "x", "ms")
    assert result.readings == ()
    assert message in str(result.unread[0])


def test_the_tables_of_all_devices_at_once() -> None:
    result = FBNET.read(json.dumps({"pixel3_latency": {KEY: 1.0}}), "x", "ms")
    assert "the look-up table of one device and one metric" in str(result.unread[0])


def test_the_unit_must_be_given() -> None:
    result = FBNET.read('{"a": 1}', "x", None)
    assert result.readings == ()
    assert "give --unit us, ms or s" in str(result.unread[0])
