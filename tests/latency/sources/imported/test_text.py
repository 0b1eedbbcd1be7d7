"""What stands around a tool's output, and is gone before it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from latency.sources.imported.text import normal, read_text

LINE = "count=50 first=9 curr=8 avg=8.5"


@pytest.mark.parametrize(
    "prefix",
    [
        "> ",
        "> > ",
        ">",
        "INFO: ",
        "VERBOSE: ",
        "11-29 10:00:00.123  123  456 I tflite  : ",
        "2026-11-29 10:00:00.123456  1000  123  456 I tflite: ",
        "11-29 10:00:00.123 I/tflite  ( 1234): ",
        "I/tflite  (1234): INFO: ",
        "2026-11-29 10:00:00.123 1234-1240/org.tool.app I/tflite: ",
        "2026-11-29 10:00:00.123  1234-1240  tflite                  org.tool.app      I  ",
        "10:00:00.123  1234-1240  tflite  org.tool.app  I  ",
        "I mace/tools/mace_run.cc:474] ",
        "I /home/me/mace/utils/statistics.cc:344] ",
        "I0000 00:00:1764410400.123456    1234 benchmark.cc:120] ",
        "INFO: [./litert/tools/benchmark_litert_model.h:88] ",
        "2026-11-29 10:00:00,123 INFO benchmark_litert_model: ",
        "2026-11-29 10:00:00 INFO __main__: ",
        "2026-11-29T10:00:00.1234567Z ",
        "\x1b[32mINFO: \x1b[0m",
        "\ufeff",
    ],
)
def test_prefixes(prefix: str) -> None:
    assert normal(f"{prefix}{LINE}\x1b[K \t\n{prefix}last\u00a0one ") == f"{LINE}\nlast one"


def test_code_in_a_list_of_markdown() -> None:
    assert normal(f"  - `INFO: {LINE}`\n`") == f"  - `INFO: {LINE}\n"


@pytest.mark.parametrize(
    "line", ["  conv - 1.04 ms", "a: {mean: 1}", "L1,small,-1", "key > 2", "   L1_small  min = 1"]
)
def test_what_is_no_prefix_stays(line: str) -> None:
    assert normal(line) == line


def test_a_quoted_block_keeps_its_indentation() -> None:
    assert normal("> a:\n>   mean: 1\n>\n> b: 2") == "a:\n  mean: 1\n\nb: 2"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
def test_line_ends_keep_the_numbers_of_the_lines(end: str) -> None:
    assert normal(end.join(["a", "", "b"])) == "a\n\nb"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes("key,latency_\u00b5s\r\nstem,5\r\n".encode(encoding))
    assert read_text(path) == "key,latency_\u00b5s\nstem,5\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b" \r\n", "empty"),
        (b"\x80\x02}q\x00", "binary"),
        (b"\x1f\x8b\x08\x00\x00abc", "binary"),
        (b"\xff\xfea", "binary"),
        (b"\x80\x04\x95\x05pickle", "binary"),
    ],
)
def test_what_is_no_text(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_text(path)
