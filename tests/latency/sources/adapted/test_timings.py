"""Timings of the new phone: whatever is wrong with them is said in one message."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnas.space import SearchSpace, zoo
from latency import TableError
from latency.sources.adapted.timings import read_timings

MOGA = SearchSpace.load("moga")
NAMES = ("moga_a", "moga_b", "moga_c", "mobilenet_v2", "fairnas_a")


def write(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "timed.csv"
    path.write_text("\n".join(("architecture,latency_ms", *lines)) + "\n")
    return path


def test_networks_by_name_file_and_choices(tmp_path: Path) -> None:
    saved = zoo.load("moga_b").save(tmp_path / "b.json")
    lines = ["moga_a,9.5", f"{saved},9", f'"{zoo.load("moga_c")}",8', "mobilenet_v2,7", "fairnas_a,10"]
    found = read_timings(write(tmp_path, *lines), MOGA)
    assert [timing.name for timing in found] == ["moga_a", str(saved), "line 4", "mobilenet_v2", "fairnas_a"]
    assert [timing.architecture for timing in found] == [zoo.load(name) for name in NAMES]
    assert [timing.latency_ms for timing in found] == [9.5, 9, 8, 7, 10]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"moga_b": "0"}, "line 3: a latency is above 0 ms, not 0"),
        ({"moga_b": "-1"}, "line 3: '-1' is not a finite number of at least 0"),
        ({"moga_b": "nan"}, "line 3: 'nan' is not a finite number"),
        ({"moga_a": "1\nmoga_z,2"}, "line 3: Space moga has 14 layers"),
        ({"moga_c": f'4\n"{zoo.load("moga_c")}",5'}, "moga_c, line 5: the same network"),
    ],
)
def test_lines_that_cannot_be_used(tmp_path: Path, changed: dict[str, str], message: str) -> None:
    lines = [f"{name},{changed.get(name, '3')}" for name in NAMES]
    with pytest.raises(TableError, match=message):
        read_timings(write(tmp_path, *lines), MOGA)


def test_too_few(tmp_path: Path) -> None:
    lines = [f"{name},3" for name in NAMES[:4]]
    with pytest.raises(TableError, match=r"4 timing\(s\), at least 5 are needed, better 20"):
        read_timings(write(tmp_path, *lines), MOGA)
