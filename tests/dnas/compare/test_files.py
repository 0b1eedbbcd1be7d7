"""Files of runs: damage of every kind ends in one message that names the file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from dnas.compare.files import RunError, read_columns, read_json, sha256_of


def refusal(path: Path, content: bytes, schema: str = "front") -> str:
    path.write_bytes(content)
    with pytest.raises(RunError) as caught:
        read_json(path, schema)
    assert str(caught.value).startswith(str(path))
    return str(caught.value)


def test_all_that_is_wrong_in_one_message(tmp_path: Path) -> None:
    content = b"""{"format": "dnas-front/2", "space_sha256": "x", "members": [{"choices": ["a"], "top1": 1.5,
        "top5": 1, "loss": "low", "generation": 0}]}"""
    message = refusal(tmp_path / "front.json", content)
    for part in ("$.format", "$.space_sha256", "$.members[0].top1", "$.members[0].loss: 'low'"):
        assert part in message
    assert "generation" not in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not valid JSON"),
        (b'{"format": "dnas-front/1"', "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"\xff\xfe", "not a text in UTF-8"),
        (b"[]", "$: [] is not of type 'object'"),
        (b'{"x": NaN}', "nan is no finite number"),
        (b"{}", "'members' is a required property"),
    ],
)
def test_damaged_json(tmp_path: Path, content: bytes, message: str) -> None:
    assert message in refusal(tmp_path / "front.json", content)


def test_a_large_wrong_value_is_not_quoted_whole(tmp_path: Path) -> None:
    assert len(refusal(tmp_path / "front.json", b"[" + b"1," * 5000 + b"1]")) < 500


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is missing: the run is incomplete"):
        read_json(tmp_path / "run.json", "run")


def test_columns_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("c,a,b\n9,1,2\n8,3,0.5\n", encoding="utf-8")
    assert read_columns(path, ("a", "b")) == [(1.0, 2.0), (3.0, 0.5)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no column a, b; found none"),
        ("a,c\n1,2\n", "no column b; found ['a', 'c']"),
        ("a,b\n1,2\n1\n", "line 3: expected numbers in a, b"),
        ("a,b\n1,x\n", "line 2: expected numbers in a, b"),
    ],
)
def test_damaged_columns(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(RunError) as caught:
        read_columns(path, ("a", "b"))
    assert str(path) in str(caught.value) and message in str(caught.value)


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256_of(tmp_path / "x") == hashlib.sha256(b"abc").hexdigest()
