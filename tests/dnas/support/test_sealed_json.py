"""A flipped bit in a document or a line is found, or changes nothing."""

from __future__ import annotations

import json
import random
import warnings
from pathlib import Path

import pytest

from dnas.support.files import append_line, write_text
from dnas.support.sealed_json import CHECKSUM, seal, unseal, whole_lines

DATA = {"name": "ü", "numbers": (1, -0.0, 0.1, 1e300, float("nan")), "deeper": {"b": None, "a": [True]}}
PLAIN = json.dumps(DATA)


def flipped(content: bytes, dice: random.Random) -> bytes:
    place = dice.randrange(8 * len(content))
    changed = bytearray(content)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


def test_what_was_sealed_comes_back() -> None:
    read = json.loads(json.dumps(seal(DATA), indent=1))
    assert read[CHECKSUM] and json.dumps(unseal(read)) == PLAIN
    assert json.dumps(unseal(json.loads(PLAIN))) == PLAIN, "files of earlier versions have no checksum"
    assert unseal([1]) == [1]


def test_another_value_is_refused() -> None:
    with pytest.raises(ValueError, match="its checksum is not that of its content"):
        unseal({**json.loads(json.dumps(seal(DATA))), "name": "u"})


def test_of_200_flipped_bits_in_a_document_none_changes_it(tmp_path: Path) -> None:
    content = write_text(tmp_path / "state.json", json.dumps(seal(DATA), indent=1)).read_bytes()
    dice, refused = random.Random(0), 0
    for _ in range(200):
        try:
            read = unseal(json.loads(flipped(content, dice).decode()))
        except ValueError:
            refused += 1
        else:
            # The key of the checksum itself may be hit: then it is one more, which nobody reads.
            assert json.dumps({key: read[key] for key in DATA}) == PLAIN
    assert refused > 150


def test_of_200_flipped_bits_in_lines_none_changes_one(tmp_path: Path) -> None:
    path, dice, lost = tmp_path / "lines", random.Random(0), 0
    for number in range(5):
        append_line(path, json.dumps(seal({"number": number, "loss": number / 7})))
    content = path.read_bytes()
    with warnings.catch_warnings(record=True):
        for _ in range(200):
            path.write_bytes(flipped(content, dice))
            found = {each["number"]: each["loss"] for each in map(json.loads, whole_lines(path))}
            assert all(found[number] == number / 7 for number in found) and 3 <= len(found) <= 5
            lost += len(found) < 5
    assert lost > 150


def test_lines_that_are_damaged_are_counted_in_one_warning(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text('{"older": 1}\n\n{"torn": 1\nx\n' + json.dumps({"a": 1, CHECKSUM: "0"}) + "\n")
    with pytest.warns(UserWarning, match="lines: 2 of 4 lines are damaged") as caught:
        assert whole_lines(path) == [b'{"older": 1}']
    assert len(caught) == 1
    path.write_text('{"a": 1}\n[1]\nnull\n5\n{"b": 1}\n')
    with pytest.warns(UserWarning, match="lines: 4 of 5 lines are damaged"):
        assert whole_lines(path, lambda record: "b" in record) == [b'{"b": 1}']
