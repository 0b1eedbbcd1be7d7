"""The file: what is written is read, and every damage is refused."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from dnas.blocks import BlockType, Position, option
from dnas.space import Choice, SearchSpace
from latency import TableError, load_table
from latency.table import version1
from latency.table.entry import COLUMNS, Entry, Geometry
from latency.table.table_file import digest, read_file, render, seal, shipped_tables, write_file


def test_what_is_written_is_read(file: Path, header: dict[str, Any], entries: list[Entry]) -> None:
    read = read_file(file)
    assert read.problems == ()
    assert read.entries == tuple(entries)
    assert {key: read.header[key] for key in header} == header
    assert read.header["entries"] == len(entries)


def test_entries_are_a_plain_csv_below_the_comments(file: Path, entries: list[Entry]) -> None:
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["choice"], float(row["ms"])) for row in rows] == [
        (entry.choice, entry.ms) for entry in entries
    ]


def test_numbers_survive_unrounded(tmp_path: Path, header: dict[str, Any], entries: list[Entry]) -> None:
    odd = Entry("L1", "small", entries[0].geometry, 0.1 + 0.2, "measured", 1 / 3, n=7, std=1e-17, p90=2 / 3)
    assert read_file(write_file(tmp_path / "t.csv", header, [odd])).entries == (odd,)


def test_parts_may_be_given_or_left_out(
    file: Path, tmp_path: Path, header: Any, entries: list[Entry]
) -> None:
    assert [entry.parts for entry in read_file(file).entries] == [{}] * len(entries)
    split = dataclasses.replace(entries[0], parts={"conv": 0.75, "pool": 0.25})
    again = read_file(write_file(tmp_path / "t.csv", header, [split, *entries[1:]]))
    assert again.problems == ()
    assert again.entries[0].parts == {"conv": 0.75, "pool": 0.25}


def test_the_column_of_parts_may_be_absent(file: Path, entries: list[Entry]) -> None:
    lines = file.read_text().splitlines()
    body = next(index for index, line in enumerate(lines) if not line.startswith("#"))
    rows = [line.rpartition(",")[0] for line in lines[body:]]
    file.write_text("\n".join([*lines[:body], *rows]) + "\n")
    seal(file)
    assert read_file(file).problems == ()
    assert read_file(file).entries == tuple(entries)


VERSION_1 = f"""{",".join(version1.COLUMNS)}
L1,small,4,4,4,4,3,1,0,relu,1,true,1.0,5,,,measured,0.01,
L1,large,4,4,8,4,5,1,4,relu,1,true,2.0,5,,,measured,0.01,
L1,skip,4,4,0,4,1,1,0,relu,1,false,0.0,5,,,measured,0.01,
L2,small,4,4,4,6,3,2,0,hswish,1,false,0.25,5,,,measured,0.01,
L2,large,4,4,8,6,5,2,4,hswish,1,false,4.0,5,,,measured,0.01,
"""


def test_version_1_is_read(file: Path, entries: list[Entry], tiny: SearchSpace) -> None:
    lines = [line for line in file.read_text().splitlines() if line.startswith("# ")]
    head = [line for line in lines if not line.startswith(("# sha256", "# entries", "# format"))]
    file.write_text("\n".join(["# format: dnas-latency-table/1", *head, VERSION_1]).rstrip() + "\n")
    seal(file)
    assert read_file(file).problems == () and read_file(file).entries == tuple(entries)
    assert load_table(file, tiny).ms.tolist() == [[1.0, 2.0, 0.0], [0.25, 4.0, 0.0]]
    text = file.read_text()
    file.write_text(text.replace("L1,small,4,4,4,4,3,1,0,relu,1,true", "L1,small,4,4,4,4,3,1,0,relu,1,false"))
    with pytest.raises(TableError, match="geometry of L1 small: residual is false, not true"):
        load_table(file, tiny)
    file.write_text(text.replace("relu,1,true,1.0", "relu,1,perhaps,1.0"))
    assert any("residual 'perhaps' is neither true nor false" in each for each in read_file(file).problems)
    file.write_text(text.replace("L1,small,4,4,4,4", "L1,small,4,4,-4,4"))
    assert any("hidden '-4' is not an integer of at least 0" in each for each in read_file(file).problems)


def test_line_endings_and_byte_order_mark_do_not_count(file: Path) -> None:
    text = file.read_text()
    file.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert read_file(file).problems == ()


def test_digest_covers_header_and_entries(header: dict[str, Any], entries: list[Entry]) -> None:
    text = render(header, entries)
    assert f"# sha256: {digest(text)}\n" in text
    assert digest(text.replace("fp16", "fp32")) != digest(text) != digest(text.replace("0.25", "0.26"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"\x00\x01\x02", "binary file"),
        (b"\x89PNG\xff\xfe", "binary file"),
        (b"layer,choice,ms\nL1,a,1\n", "is not a latency table"),
        (b"# just words\nlayer\n", "is not a latency table"),
        (b"# format: [dnas\nlayer\n", "not valid YAML"),
        (
            b"# format: dnas-latency-table/3\nlayer\n",
            "expected format 'dnas-latency-table/2', found 'dnas-latency-table/3'",
        ),
        (
            b"# format: dnas-latency-table/2\n# unit: us\n# unit: ms\nlayer\n",
            "given twice: unit",
        ),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(TableError, match=message):
        read_file(path)


def test_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="is a directory"):
        read_file(tmp_path)


@pytest.mark.parametrize("name", ["adreno9000", "nowhere/table.csv"])
def test_unknown_name_or_path_lists_the_shipped_tables(name: str) -> None:
    with pytest.raises(TableError, match=", ".join(shipped_tables())):
        read_file(name)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (",1.0,5,", ",1.5,5,", "a value was edited"),
        ("# gpu: x", "# gpu: y", "a value was edited"),
        (
            ",1.0,5,",
            ",1e308,5,",
            "(L1 small): ms '1e308' is not a finite number of at least 0, at most 1e+09",
        ),
        (",1.0,5,", ",nan,5,", "(L1 small): ms 'nan' is not a finite number"),
        (",1.0,5,", ",inf,5,", "(L1 small): ms 'inf' is not a finite number"),
        (",1.0,5,", ",-1.0,5,", "(L1 small): ms '-1.0' is not a finite number of at least 0"),
        (",1.0,5,", ",fast,5,", "(L1 small): ms 'fast' is not a number"),
        (",1.0,5,", ",,5,", "(L1 small): ms '' is not a number"),
        (",1.0,5,", ",0.0,5,", "(L1 small): ms is 0, which only a skip that keeps its shape may be"),
        ("hidden=4;kernel=3", "hidden=4;hidden=3", "gives a name twice"),
        ("inverted_residual,hidden", "inverted residual,hidden", "type 'inverted residual' is no name"),
        (",1.0,5,", "0,1.0,5,", "is no digest of operations (16 hexadecimal digits)"),
        ("L1,small,4,", "L1,small,-4,", "input_size '-4' is not an integer of at least 1"),
        (
            "measured,0.01,\nL1,l",
            "measured,0.01,conv=0.7\nL1,l",
            "parts: the kernel kinds add up to 0.7 ms, not to 1",
        ),
        ("measured,0.01,\nL1,l", "measured,0.01,conv=nan\nL1,l", "parts 'nan' is not a finite number"),
        ("measured,0.01,\nL1,l", "measured,0.01,conv=-1\nL1,l", "parts '-1' is not a finite number"),
        ("measured,0.01,\nL1,l", "measured,0.01,conv\nL1,l", "parts '' is not a number"),
        ("measured,0.01,\nL1,l", "measured,0.01,=1.0\nL1,l", "parts '' is no name"),
        ("measured,0.01,\nL1,l", "measured,0.01,a=0.5;a=0.5\nL1,l", "parts 'a' is given twice"),
        ("1.0,5,,,measured", "1.0,5,,,guessed", "source 'guessed' is none of measured, assembled"),
        ("L1,small,4,4", 'L1,"small,4,4', "choice '\"small' is no name"),
        ("L1,small,", "L1,small,7,", "(L1 small): expected 17 values, found 18"),
        ("L1,large", "L1,small", "given twice: L1 small"),
        ("# unit: ms", "# unit: us", "unit: expected 'ms', found 'us'; convert"),
        ("# batch: 1", "# batch: 8", "batch: expected 1, found 8"),
        ("# kind: measured", "# kind: guessed", "kind: 'guessed' is not one of"),
        ("# gpu: x\n", "", "header: 'gpu' is a required property"),
        ("# gpu: x\n", "# gpu: x\n# gpuu: x\n", "'gpuu' was unexpected"),
        ("stem_ms: 0.5", "stem_ms: .nan", "fixed.stem_ms: nan is not a finite number"),
        ("stem_ms: 0.5", "stem_ms: -1", "fixed.stem_ms: -1 is less than the minimum"),
        ("# entries: 5", "# entries: 6", "entries: the header promises 6, here are 5"),
    ],
)
def test_every_damage_is_named(file: Path, old: str, new: str, problem: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    assert any(problem in found for found in read_file(file).problems), read_file(file).problems


def test_a_table_with_unmeasured_entries_is_not_called_measured(file: Path) -> None:
    file.write_text(file.read_text().replace("1.0,5,,,measured", "1.0,5,,,predicted"))
    assert any("kind is measured, but L1 small (predicted)" in found for found in read_file(file).problems)


def test_cut_between_rows_and_within_a_row(file: Path) -> None:
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:-1]))
    assert any("promises 5, here are 4" in found for found in read_file(file).problems)
    file.write_text("".join(lines)[:-20])
    assert any("(L2 large)" in found for found in read_file(file).problems)


def test_cut_in_the_header_names_all_that_is_missing(file: Path) -> None:
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:5]))
    with pytest.raises(TableError, match=r"(?s)'runtime' is a required.*found the end of the file"):
        read_file(file)


def test_two_statements_of_the_overhead_contradict(
    tmp_path: Path, header: dict[str, Any], entries: list[Entry]
) -> None:
    header["calibration"] = {"offset_ms": 1.0, "slope": 1.1, "networks": 20, "mape": 0.03, "max_error": 0.06}
    problems = read_file(write_file(tmp_path / "t.csv", header, entries)).problems
    assert problems == (
        "fixed.overhead_ms and calibration.offset_ms both state the overhead per inference; keep one",
    )


def test_seal_signs_an_edit(file: Path) -> None:
    lines = [line for line in file.read_text().splitlines() if not line.startswith(("# sha256", "# entries"))]
    file.write_text("\n".join(lines[:-1]).replace(",1.0,5,", ",1.5,5,") + "\n")
    assert seal(file) == read_file(file).header["sha256"]
    assert read_file(file).problems == ()
    assert [entry.ms for entry in read_file(file).entries] == [1.5, 2.0, 0.0, 0.25]


def test_seal_leaves_a_wrong_file_as_it_was(file: Path) -> None:
    damaged = file.read_text().replace(",1.0,5,", ",-1.5,5,")
    file.write_text(damaged)
    with pytest.raises(TableError, match="not a finite number"):
        seal(file)
    assert file.read_text() == damaged


@dataclasses.dataclass(frozen=True)
class Texts:
    """Options that hold what separates the values of a table."""

    mode: str = option("any text")
    side: float | None = option("none is a value", default=None)


class Named(BlockType):
    """A convolution with a text for an option."""

    name = "named"
    Options = Texts

    def build(self, position: Position, options: Texts) -> nn.Module:
        return nn.Conv2d(position.in_channels, position.out_channels, 1, position.stride)


def test_any_option_of_a_type_of_ones_own_survives(tmp_path: Path, header: Any, tiny: SearchSpace) -> None:
    choice = Choice("odd", Named(), Texts('a,b;c=d "e"\n#'))
    geometry = Geometry.of(tiny.layers[0], choice)
    entry = Entry("L1", "odd", geometry, 1.0, "measured", 0.1)
    file = read_file(write_file(tmp_path / "t.csv", header, [entry]))
    assert file.problems == () and file.entries == (entry,)
    assert geometry.facts["side"] == "None" and geometry.facts["type"] == "named"
