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
        ("- 1", "x: expected a mapping"),
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
    tables = {"pixel3_latency": {KEY: 1.0}, "raspi4_latency": {KEY: 9.0}, "fpga_energy": {KEY: 5.0}}
    result = FBNET.read(json.dumps(tables), "x", "ms")
    assert [(each.key, each.ms, each.table) for each in result.readings] == [
        (KEY, 1.0, "pixel3_latency"),
        (KEY, 9.0, "raspi4_latency"),
    ]
    assert "fpga_energy: no latencies" in str(result.unread[0])


def test_a_matrix_is_no_table_of_several_devices() -> None:
    for text in ('{"0": {"0": 1.5, "1": 2}}', "0: {0: {mean: 1.5, n: 9}}\n1: {0: {mean: 1.5, n: 9}}"):
        assert "layers and choices are numbered" in str(FBNET.read(text, "x", "ms").unread[0])
    assert (
        FBNET.read(json.dumps({"160": {KEY: 1.0}, "224": {KEY: 2.0}}), "x", "ms").readings[0].table == "160"
    )


def test_what_else_is_known_of_a_key_is_no_table() -> None:
    (reading,) = FBNET.read('{"a": {"latency": 1.5, "flops": 9}}', "x", "ms").readings
    assert (reading.key, reading.ms, reading.table) == ("a", 1.5, None)
    result = FBNET.read('{"a": {"latency_ms": 1.5, "flops": 9}}', "x", "ms")
    assert "a: expected a number or {mean: a number" in str(result.unread[0])


def test_lists_of_something_else() -> None:
    (unread,) = FBNET.read('{"layers": [{"name": "L1", "ms": 2}]}', "x", "ms").unread
    assert unread.reason.startswith("layers: expected a number or {mean: a number, ...}")


def test_single_runs() -> None:
    (reading,) = FBNET.read('{"a": [10, 12, 14]}', "x", "us").readings
    assert (reading.ms, reading.n, reading.std) == (pytest.approx(0.012), 3, pytest.approx(0.002))


@pytest.mark.parametrize("name", ["unit", "units"])
def test_what_a_table_states_of_itself(name: str) -> None:
    text = f"device: Pixel 4\nruntime_version: 2.10\n{name}: usec\na: 1500\n"
    result = FBNET.read(text, "x", None)
    assert [(each.key, each.ms) for each in result.readings] == [("a", 1.5)]
    assert result.facts == (("device", "Pixel 4"), ("runtime_version", "2.10"))
    assert "the latencies are in us, not in ms" in str(FBNET.read(text, "x", "ms").unread[0])
    unknown = FBNET.read(text.replace("usec", "ticks"), "x", "ms").unread[0]
    assert "the unit 'ticks' is not known, expected one of ns, us, ms, s" in str(unknown)


def test_choices_by_layer() -> None:
    result = FBNET.read("L1:\n  k3_e1: 2.5\n  skip: {mean: 1, n: 4, var: 0.25}\nhead: 3", "x", "ms")
    assert [(each.key, each.ms, each.table) for each in result.readings] == [
        ("L1_k3_e1", 2.5, None),
        ("L1_skip", 1.0, None),
        ("head", 3.0, None),
    ]


@pytest.mark.parametrize(
    ("text", "std"),
    [
        ("a: {count: 799, mean: 722, std: 35}", 0.035),
        ("a: {count: 799, mean: 722, var: 1225}", 0.035),
        ("a: {mean: 722, count: 799}", None),
    ],
)
def test_what_a_table_states_of_the_runs(text: str, std: float | None) -> None:
    """A variance is in the unit squared."""
    (reading,) = PROXYLESSNAS.read(text, "x", "us").readings
    assert (reading.ms, reading.n) == (pytest.approx(0.722), 799)
    assert reading.std == (None if std is None else pytest.approx(std))


def test_the_unit_must_be_given() -> None:
    result = FBNET.read('{"a": 1}', "x", None)
    assert result.readings == ()
    assert "give --unit ns, us, ms or s" in str(result.unread[0])
