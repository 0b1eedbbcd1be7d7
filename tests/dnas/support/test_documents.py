"""Limits of documents: bytes, depth, aliases, numbers, characters, keys given twice."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dnas.support.documents import (
    DocumentError,
    GivenTwice,
    check_values,
    load_json,
    load_yaml,
    printable,
    read_text,
)

LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)


def test_what_is_read_of_plain_documents() -> None:
    text = "base: &base {a: 1, b: 2}\nmember: {<<: *base, b: 3}\nsame: *base\ndate: 2024-01-02\n"
    data = load_yaml(text)
    assert (data["member"], data["same"]) == ({"a": 1, "b": 3}, {"a": 1, "b": 2})
    read = load_json('{"a": [1, 2.5, null], "\\u00e9": "x\\ny"}')
    assert read == {"a": [1, 2.5, None], "é": "x\ny"}
    assert load_json("[" * 64 + "]" * 64) == load_yaml("[" * 64 + "]" * 64)


def test_numbers_and_texts_that_look_like_another_base() -> None:
    assert load_yaml("[0, 0.5, 10, '0224', \"1:30\", a:30, 089, 2020-01-02, 0x1f, !!str 010]") == [
        *(0, 0.5, 10, "0224", "1:30", "a:30", "089", date(2020, 1, 2), 31, "010")
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LAUGHS, "more than 1,000,000 values"),
        ("&a [*a]", "the alias *a names nothing, or what it stands in"),
        ("[" * 65 + "]" * 65, "nested more than 64 levels deep"),
        ("[" * 100_000, "nested more than 64 levels deep"),
        ("a: {b: 1, c: 2, b: 3}\nd: 1\nd: 2", "given twice: b, d"),
        ("- {x: 1, 'x': 2}", "given twice: x"),
        (f"a: {10**20}", "an integer beyond 2^64 (17 hexadecimal digits)"),
        ("a: " + "9" * 5000, "Exceeds the limit (4300 digits)"),
        ('a: "\\u202egnp.exe"', "the character \\u202e"),
        ('"\\e[2J": 1', "the character \\x1b"),
        ('a: "\\0"', "the character \\x00"),
        ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("? [a]\n: 1", "unhashable key"),
        ("!!timestamp x", "NoneType"),
        ("{", "while parsing a flow node"),
        ("px: 0224", "YAML reads 0224 as 148: write 148, or '0224' in quotes for a text"),
        ("- 1:30", "YAML reads 1:30 as 90"),
        ("1:30: half past", "YAML reads 1:30 as 90"),
        ("-010", "YAML reads -010 as -8"),
    ],
    ids=lambda each: each[:20],
)
def test_yaml_that_is_refused(text: str, said: str) -> None:
    with pytest.raises(DocumentError) as error:
        load_yaml(text)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 65 + "]" * 65, "nested more than 64 levels deep"),
        ('{"a":' * 100_000, "nested more than 64 levels deep"),
        ('[{"a": 1, "b": 2, "a": 3}]', "given twice: a"),
        ("[" + "9" * 400 + "]", "an integer beyond 2^64"),
        ("[" + "9" * 5000 + "]", "Exceeds the limit (4300 digits)"),
        ('"\\ud800"', "the character \\ud800"),
        ('{"\\u2066": 1}', "the character \\u2066"),
        ("", "Expecting value"),
    ],
    ids=lambda each: each[:20],
)
def test_json_that_is_refused(text: str, said: str) -> None:
    with pytest.raises(DocumentError) as error:
        load_json(text)
    assert said in str(error.value)


def test_numbers_that_are_not_finite() -> None:
    assert load_json("[Infinity]") == [float("inf")]
    for text in ("[Infinity]", "[NaN]", "[1e999]"):
        with pytest.raises(DocumentError, match="is no finite number"):
            load_json(text, finite=True)


def test_keys_given_twice_may_be_left_to_the_reader() -> None:
    assert load_yaml("a: 1\na: 2", unique=False) == {"a": 2}
    with pytest.raises(GivenTwice, match="given twice: a"):
        load_yaml("a: 1\na: 2")


def test_data_that_hold_themselves() -> None:
    """As a pickle may."""
    endless: list[Any] = []
    endless.append(endless)
    wide: Any = "x"
    for _ in range(30):
        wide = [wide, wide]
    for data in (endless, wide):
        with pytest.raises(DocumentError):
            check_values(data)


def test_long_and_binary_files(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1025)
    with pytest.raises(DocumentError, match=r"longer than 0\.0009"):
        read_text(path, most_bytes=1024)
    path.write_bytes(b"\xef\xbb\xbfa: 1")
    assert read_text(path) == "a: 1"
    path.write_bytes(b"ab\xff")
    with pytest.raises(DocumentError, match="not a text in UTF-8 \\(byte 2\\)"):
        read_text(path)


def test_what_a_terminal_would_act_upon_is_escaped() -> None:
    assert printable("a\x1b[2J\u202eb\n\té") == "a\\x1b[2J\\u202eb\n\té"
