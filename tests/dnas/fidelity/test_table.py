"""Known accuracies from a CSV file: averaged over seeds, failures kept apart, all mistakes in one message."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dnas.fidelity.table import KnownAccuracies
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture

A, B = "E1K3 E1K3 E1K3", "E3K5SE E3K5SE E3K5SE"
Known = Callable[[str], KnownAccuracies]


@pytest.fixture
def known(tmp_path: Path, tiny_space: SearchSpace) -> Known:
    def read(text: str) -> KnownAccuracies:
        (tmp_path / "known.csv").write_text(text, encoding="utf-8")
        return KnownAccuracies(tmp_path / "known.csv", tiny_space)

    return read


def values(known: KnownAccuracies) -> dict[str, float]:
    drawn = known.sample(None, np.random.default_rng(0))
    found = known.accuracies(drawn, lambda what, done, of: None)
    return {str(architecture): each.top1 for architecture, each in zip(drawn, found, strict=True)}


def test_one_row_each_other_columns_passed_over(known: Known) -> None:
    table = known(f"\ufeffarchitecture,name,top1\n{A},x,0.5\n{B},y,1.0\n")
    assert values(table) == {A: 0.5, B: 1.0}
    assert table.describe()["rows"] == 2 and table.describe()["file"] == "known.csv"


def test_seeds_are_averaged(known: Known) -> None:
    table = known(f"architecture,top1,seed\n{A},0.5,0\n{B},0.9,0\n{A},0.7,1\n")
    assert values(table) == pytest.approx({A: 0.6, B: 0.9})
    assert table.describe()["rows"] == 3


@pytest.mark.parametrize("cell", ["", "nan"])
def test_a_failed_training_leaves_an_architecture_without_accuracy(known: Known, cell: str) -> None:
    table = known(f"architecture,top1,seed\n{A},0.5,0\n{A},{cell},1\n{B},0.9,0\n")
    assert math.isnan(values(table)[A]) and values(table)[B] == 0.9
    (alone,) = table.accuracies(table.sample(None, np.random.default_rng(0))[:1], lambda *_: None)
    assert alone.reason == "no accuracy in the file"


def test_some_of_them(known: Known, tiny_space: SearchSpace) -> None:
    table = known(f"architecture,top1\n{A},0.5\n{B},0.9\n")
    (one,) = table.sample(1, np.random.default_rng(0))
    assert one in {Architecture.parse(text, tiny_space) for text in (A, B)}


def test_everything_wrong_in_one_message(known: Known) -> None:
    rows = [f"{A},97.5,0", "E9K9 E1K3 E1K3,0.5,0", "E1K3,0.5,0", f"{B},good,0", ",0.5,0"]
    rows += [f"{B},0.5,1", f"{B},0.6,1", f"{B},-0.1,2", f"{B},inf,3"]
    with pytest.raises(ValueError) as caught:
        known("\n".join(["architecture,top1,seed", *rows]))
    told = str(caught.value)
    assert told.startswith("8 problem(s) in --accuracies") and "known.csv" in told
    for part in (
        "row 2: top1 '97.5' is no fraction from 0 to 1 (divide per cent by 100)",
        "row 3: Unknown choice(s) for space tiny: L1: 'E9K9'",
        "row 4: Space tiny has 3 layers",
        "row 5: top1 'good'",
        "row 6: no architecture",
        f"row 8: the architecture {B} a second time with seed 1",
        "row 9: top1 '-0.1'",
        "row 10: top1 'inf'",
    ):
        assert part in told, part


def test_an_architecture_twice_without_seeds(known: Known) -> None:
    with pytest.raises(ValueError, match=rf"row 3: the architecture {A} a second time$"):
        known(f"architecture,top1\n{A},0.5\n{A},0.5\n")


def test_not_more_than_can_be_read(known: Known) -> None:
    with pytest.raises(ValueError, match=r"(?s)30 problem\(s\).*row 21:.*\.\.\. and 10 more$"):
        known("architecture,top1\n" + "E9,0.5\n" * 30)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no column architecture and top1, found nothing"),
        (f"architecture,accuracy\n{A},0.5\n", "has no column top1, found architecture, accuracy"),
        ("architecture,top1\n", "there are no rows"),
        ("architecture,top1\n" + '"' + "x" * 200_000, "is not a CSV file"),
    ],
)
def test_files_that_are_none(known: Known, text: str, told: str) -> None:
    with pytest.raises(ValueError) as caught:
        known(text)
    assert told in str(caught.value)


def test_no_file_and_no_text(tmp_path: Path, tiny_space: SearchSpace) -> None:
    with pytest.raises(ValueError, match=r"no file .*none\.csv\. Expected a CSV file with the columns"):
        KnownAccuracies(tmp_path / "none.csv", tiny_space)
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="is not a CSV file"):
        KnownAccuracies(tmp_path / "bytes.csv", tiny_space)


def test_names_of_a_network_are_averaged(tmp_path: Path, skips_space: SearchSpace) -> None:
    path = tmp_path / "known.csv"
    path.write_text(
        "architecture,top1\nskip E1K3 skip skip,0.5\nE1K3 skip skip skip,0.7\nE1K3 E1K3 skip skip,0.9\n"
    )
    known = KnownAccuracies(path, skips_space)
    assert values(known) == {"E1K3 skip skip skip": pytest.approx(0.6), "E1K3 E1K3 skip skip": 0.9}
    assert len(known.sample(2, np.random.default_rng(0))) == 2
    with pytest.raises(ValueError, match="only 2 architectures are known"):
        known.sample(3, np.random.default_rng(0))
