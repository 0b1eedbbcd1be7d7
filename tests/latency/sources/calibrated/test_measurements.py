"""Latencies of whole networks from a user's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnas.space import SearchSpace, zoo
from latency import TableError
from latency.sources.calibrated import published
from latency.sources.calibrated.measurements import read_measurements

MOGA = SearchSpace.load("moga")
TEXT = str(zoo.load("moga_c"))


def write(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "m.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_every_way_of_naming_a_network(tmp_path: Path) -> None:
    saved = zoo.load("moga_b").save(tmp_path / "b.json")
    path = write(
        tmp_path,
        "# timed on my phone",
        "architecture,latency_ms,std_ms",
        "moga_a,11.1,0.1",
        "",
        f"{saved},10.0,",
        f'"{TEXT.replace(" ", ",")}", 8.8,0.1',
        "mobilenet_v2,7.0,0.1",
    )
    found = read_measurements(path, MOGA)
    assert [network.name for network in found] == ["moga_a", str(saved), "line 6", "mobilenet_v2"]
    assert [network.latency_ms for network in found] == [11.1, 10.0, 8.8, 7.0]
    expected = ["moga_a", "moga_b", "moga_c", "mobilenet_v2"]
    assert [network.ops for network in found] == [published.load(name).ops for name in expected]


def test_everything_wrong_is_named_with_its_line(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "architecture,latency_ms",
        "moga_z,1.0",
        "moga_a,fast",
        "moga_a",
        "E3K3 E3K3,2.0",
        "nowhere.json,3.0",
        f"{TEXT},4.0",
        "moga_c,4.1",
    )
    with pytest.raises(TableError) as caught:
        read_measurements(path, MOGA)
    for what in (
        "6 problem(s)",
        "line 2: Space moga has 14 layers",
        "line 3: 'fast' is not a number",
        "line 4: expected 2 values, found 1",
        "line 5: Space moga has 14 layers, but 2 choices",
        "line 6: No architecture file nowhere.json",
        "line 7, moga_c: the same network",
    ):
        assert what in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "found an empty file"),
        (b"architecture,latency_us\nmoga_a,11100\n", r"\(milliseconds\), found architecture,latency_us"),
        (b"\xff\xfe\x00", r"not a text in UTF-8 \(byte 0\)"),
    ],
)
def test_files_that_hold_no_measurements(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes(content)
    with pytest.raises(TableError, match=message):
        read_measurements(path, MOGA)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="No file"):
        read_measurements(tmp_path / "m.csv", MOGA)
