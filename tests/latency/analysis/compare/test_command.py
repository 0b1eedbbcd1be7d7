"""``latency compare``, run as a user does."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from dnas.space import SearchSpace
from latency.__main__ import main
from latency.table.table_file import write_file


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def test_two_phones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    snpe, out = tmp_path / "snpe.csv", tmp_path / "out"
    assert main(["build-calibrated", "adreno630_snpe", "--space", "moga", "--output", str(snpe)]) == 0
    options = ["compare", "adreno630_mace_calibrated", str(snpe), "--space", "moga", "--output", str(out)]
    assert main([*options, "--networks", "200"]) == 0
    printed = capsys.readouterr().out
    for text in ("Kendall tau", "over 200 random networks", "moga_c", "depthwise", "assumption: MobileNetV3"):
        assert text in printed
    with (out / "compare.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 168 and "adreno630_snpe_calibrated position" in rows[0]
    assert rows[0]["adreno630_mace_calibrated rank"] == "1"
    assert (
        (out / "tau.csv")
        .read_text()
        .startswith("table,adreno630_mace_calibrated,adreno630_snpe_calibrated\n")
    )
    assert (out / "kernels.csv").read_text().startswith("table,network,kind,ms,share\n")
    for figure in ("scatter.png", "kernels.png"):
        assert (out / figure).stat().st_size > 10000


def test_tables_of_ones_own(
    file: Path,
    tiny: SearchSpace,
    header: dict[str, Any],
    entries: list[Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    space = tmp_path / "tiny.yaml"
    space.write_text(yaml.safe_dump(tiny.to_dict(), sort_keys=False))
    others = [
        str(
            write_file(
                tmp_path / f"{factor}.csv",
                {**header, "name": f"phone{factor}"},
                [replace(entry, ms=entry.ms**factor) for entry in entries],
            )
        )
        for factor in (2, 3, 4)
    ]
    options = ["--space", str(space), "--output", str(tmp_path / "out")]
    assert main(["compare", str(file), *others, *options]) == 0
    printed = capsys.readouterr().out
    assert "its table does not know them" in printed and "phone4" in printed
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "compare.csv",
        "scatter.png",
        "tau.csv",
    ]


def test_one_table_is_not_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--space", "moga", "--output", str(tmp_path / "out")]
    assert main(["compare", "adreno630_mace_calibrated", *options]) == 1
    assert "two tables or more are compared, got 1" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
