"""Values of whole networks, read from CSV files as people write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dnas.space import SearchSpace
from latency.analysis.profile.samples import ACCURACY, LATENCY, MOST_LISTED, Quantity, read_samples
from latency.table.errors import TableError


def write(folder: Path, text: str) -> Path:
    path = folder / "values.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_of_one_network_are_averaged(tmp_path: Path, tiny: SearchSpace) -> None:
    text = 'architecture,device,latency_ms\nskip small,a,1.0\n"large,large",a,4\nskip  small,b,3.0\n'
    samples = read_samples(write(tmp_path, text), tiny, LATENCY)
    assert samples.rows == 3
    found = {
        tuple(genome): value for genome, value in zip(samples.genomes.tolist(), samples.values, strict=True)
    }
    assert found == {(2, 0): 2.0, (1, 1): 4.0}


def test_other_spellings(tmp_path: Path, tiny: SearchSpace) -> None:
    """Spreadsheets write a byte order mark and carriage returns; derive writes top1 instead of accuracy."""
    path = tmp_path / "values.csv"
    path.write_bytes("﻿architecture, top1, name\r\nsmall small, 0.5, x\r\nskip large, 1, y\r\n".encode())
    np.testing.assert_array_equal(read_samples(path, tiny, ACCURACY).values, [0.5, 1.0])


@pytest.mark.parametrize(
    ("quantity", "text", "bad"),
    [
        (LATENCY, "0", "not a number of milliseconds above 0"),
        (LATENCY, "-1", "not a number of milliseconds"),
        (LATENCY, "nan", "not a number of milliseconds"),
        (LATENCY, "inf", "not a number of milliseconds"),
        (LATENCY, "", "latency_ms '' is not"),
        (LATENCY, "3 ms", "'3 ms' is not"),
        (ACCURACY, "75.3", "divide per cent by 100"),
        (ACCURACY, "-0.1", "a fraction from 0 to 1"),
        (ACCURACY, "nan", "a fraction from 0 to 1"),
    ],
)
def test_impossible_values(
    tmp_path: Path, tiny: SearchSpace, quantity: Quantity, text: str, bad: str
) -> None:
    with pytest.raises(TableError, match=f"1 problem.*\n.*row 2: .*{bad}"):
        read_samples(
            write(tmp_path, f"architecture,{quantity.columns[0]}\nskip small,{text}\n"), tiny, quantity
        )


def test_everything_wrong_is_named_at_once(tmp_path: Path, tiny: SearchSpace) -> None:
    text = "architecture,latency_ms\nskip small,1\nskip skip,1\nsmall,1\n,1\nskip small\nskip small,x\n"
    with pytest.raises(TableError) as caught:
        read_samples(write(tmp_path, text), tiny, LATENCY)
    message = str(caught.value)
    assert message.startswith("5 problem(s)")
    for part in (
        "row 3: Unknown choice(s)",
        "L2: 'skip'",
        "row 4: Space tiny has 2 layers",
        "row 5: no arch",
        "row 6",
        "row 7",
    ):
        assert part in message


def test_a_long_list_is_cut(tmp_path: Path, tiny: SearchSpace) -> None:
    with pytest.raises(TableError) as caught:
        read_samples(write(tmp_path, "architecture,latency_ms\n" + "skip small,x\n" * 500), tiny, LATENCY)
    assert str(caught.value).count("row ") == MOST_LISTED
    assert "500 problem(s)" in str(caught.value) and "... and 480 more" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found an empty file"),
        ("architecture,latency_ms\n", "there are no rows"),
        (
            "architecture,latency_us\nskip small,1\n",
            "expected the columns 'architecture' and 'latency_ms'.*latency_us",
        ),
        ("architecture;latency_ms\nskip small;1\n", "separated by commas; found architecture;latency_ms"),
    ],
)
def test_no_such_columns_or_rows(tmp_path: Path, tiny: SearchSpace, text: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        read_samples(write(tmp_path, text), tiny, LATENCY)


def test_no_text_file(tmp_path: Path, tiny: SearchSpace) -> None:
    for path in (tmp_path, tmp_path / "absent.csv"):
        with pytest.raises(TableError, match="No file"):
            read_samples(path, tiny, LATENCY)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(TableError, match="not UTF-8"):
        read_samples(tmp_path / "binary.csv", tiny, LATENCY)
