"""Matrices of latencies: rows are layers, columns choices."""

from __future__ import annotations

import pytest

from dnas.space import SearchSpace
from latency.sources.imported.matrix import read
from latency.sources.imported.resolve import resolve


def resolved(text: str, space: SearchSpace) -> dict[tuple[str, str], float]:
    result = read(text, "lut.txt", "us")
    assert result.unread == ()
    found = resolve(result.readings, space)
    assert found.unread == []
    return {block: reading.ms for block, reading in found.blocks.items()}


@pytest.mark.parametrize("separator", [" ", ",", ";", "\t", "  "])
def test_text(tiny: SearchSpace, separator: str) -> None:
    """Columns in the header's order, not the space's; a skip that keeps the shape is of no use."""
    text = "skip large small\n1.5 2000 1000\n9 4000 3000".replace(" ", separator)
    assert resolved(text, tiny) == {
        ("L1", "small"): 1.0,
        ("L1", "large"): 2.0,
        ("L2", "small"): 3.0,
        ("L2", "large"): 4.0,
    }


@pytest.mark.parametrize(
    "text",
    [
        ",small,large\n0,1000,2000\n1,3000,4000",
        "layer small large\n1 1000 2000\n2 3000 4000",
        "layer;small;large\nL1;1000;2000\nL2;3000;4000",
    ],
)
def test_a_column_that_numbers_the_layers(tiny: SearchSpace, text: str) -> None:
    assert list(resolved(text, tiny).values()) == [1.0, 2.0, 3.0, 4.0]


def test_json_has_the_choices_in_the_spaces_order(tiny: SearchSpace) -> None:
    text = "[null, [1000, 2000, 1.5], null, [3000, 4000]]"
    assert [len(layer.choices) for layer in tiny.layers] == [3, 2]
    assert list(resolved(text, tiny).values()) == [1.0, 2.0, 3.0, 4.0]


def test_numbered_layers_and_choices(tiny: SearchSpace) -> None:
    """By their numbers, whatever their order in the file."""
    text = '{"1": {"1": 4000, "0": 3000}, "0": {"2": 1.5, "0": 1000, "1": 2000}}'
    assert list(resolved(text, tiny).values()) == [1.0, 2.0, 3.0, 4.0]
    layers = [f'"{10 - number}": {{"1": {10 - number}000}}' for number in range(10)]
    found = read(f"{{{', '.join(layers)}}}", "x", "us").readings
    assert [each.ms for each in found] == [float(number) for number in range(1, 11)]


def test_names_of_the_reproductions() -> None:
    fbnet = SearchSpace.load("fbnet")
    names = "ir_k3_e1 ir_k3_s2 ir_k3_e3 ir_k3_e6 ir_k5_e1 ir_k5_s2 ir_k5_e3 ir_k5_e6 skip"
    rows = [" ".join(str(100 * row + column) for column in range(1, 10)) for row in range(1, 23)]
    found = resolved("\n".join([names, *rows]), fbnet)
    assert found["L22", "k5_e1_g2"] == pytest.approx(2.206)
    blocks = {(layer.name, choice.name) for layer in fbnet.layers for choice in layer.choices}
    assert {choice for _, choice in blocks - set(found)} == {"skip"}


@pytest.mark.parametrize("text", ["small large\n1 2\n3 4\n5 6", "[[1, 2, 3], [4, 5], [6, 7]]"])
def test_a_matrix_of_another_space_is_not_shifted(tiny: SearchSpace, text: str) -> None:
    found = resolve(read(text, "x", "us").readings, tiny)
    assert found.blocks == {}
    assert [each.reason.partition(":")[0] for each in found.unread] == [
        "a matrix of 3 rows, but the space tiny has 2 layers"
    ]


def test_columns_without_names_must_be_all_choices(tiny: SearchSpace) -> None:
    found = resolve(read("[[1, 2], [3, 4]]", "x", "us").readings, tiny)
    assert "row 1 has 2 columns without names, but L1 has 3 choices (small, large, skip)" in str(
        found.unread[0]
    )
    assert set(found.blocks) == {("L2", "small"), ("L2", "large")}


@pytest.mark.parametrize(
    ("text", "unit", "message"),
    [
        ("a b\n1 2", None, "does not state the unit"),
        ("a b\n1 2\n3", "us", "line 3: 1 values for 2 choices (a b)"),
        ("1 2\n3 4", "us", "expected a header with the names"),
        ("layer a\n2 5\n1 6", "us", "the first column (2, 1, ...) does not number the layers"),
        ("a b\n1 2 3\n4 5 6", "us", "the first column (1, 4, ...) does not number the layers"),
        ("a b", "us", "expected a header with the names"),
        ("a a\n1 2", "us", "given twice: a"),
        ("a b\n1 nan", "us", "nan is not a finite number"),
        ("[[1, true]]", "us", "expected a list with a list of numbers"),
        ("[[1, 2], {}]", "us", "expected a list with a list of numbers"),
        ('{"0": {"0": 1, "2": 2}}', "us", "numbered from 0 or 1, found '0', '2'"),
        ('{"2": {"0": 1}}', "us", "numbered from 0 or 1, found '2'"),
        ('{"0": {"0": 1, "00": 2}}', "us", "numbered from 0 or 1, found '0', '00'"),
        ('{"stem": 1}', "us", "numbered from 0 or 1, found 'stem'"),
        ('{"0": 1}', "us", "expected a list with a list of numbers"),
        ("{}", "us", "expected a list with a list of numbers"),
        ("[[1, -2]]", "us", "-2 is not a finite number"),
        ("[[1, 2]", "us", "no JSON"),
        ("[" * 100_000, "us", "no JSON"),
    ],
)
def test_what_is_refused(text: str, unit: str | None, message: str) -> None:
    result = read(text, "x", unit)
    assert result.readings == ()
    assert message in str(result.unread[0])
