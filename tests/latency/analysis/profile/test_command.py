"""``latency profile``, run as a user does."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import yaml

from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency.__main__ import main
from latency.table import LatencyTable, load_table


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def space_file(tiny: SearchSpace, tmp_path: Path) -> str:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(tiny.to_dict(), sort_keys=False))
    return str(path)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def write_samples(
    path: Path, column: str, table: LatencyTable, values: np.ndarray, genomes: np.ndarray
) -> str:
    lines = [
        f"{Architecture(table.space, tuple(g))},{v!r}" for g, v in zip(genomes, values.tolist(), strict=True)
    ]
    path.write_text("\n".join([f"architecture,{column}", *lines]) + "\n")
    return str(path)


def test_a_table(file: Path, space_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["profile", "--table", str(file), "--space", space_file, "--output", str(tmp_path / "out")]
    assert main(options) == 0
    out = capsys.readouterr().out
    for text in ("random networks: ", "(exactly 2.05)", "skip %", "+1.875", "-1.875", "no reduced space"):
        assert text in out
    found = tmp_path / "out"
    assert sorted(path.name for path in found.iterdir()) == [
        "profile.csv",
        "shifts.png",
        "variance.csv",
        "variance.png",
    ]
    profile = rows(found / "profile.csv")
    assert [(row["layer"], row["choice"], row["networks"]) for row in profile][2] == ("L1", "skip", "100")
    assert [float(row["shift_ms"]) for row in profile] == [0, 1, -1, -1.875, 1.875]
    variance = rows(found / "variance.csv")
    assert {row["layer"] for row in variance} == {"L1", "L2", "all"}
    total = next(row for row in variance if (row["layer"], row["part"]) == ("all", "all"))
    assert float(total["share"]) == 1
    parts = [float(row["share"]) for row in variance if row["layer"] == "all" and row["part"] != "all"]
    assert sum(parts) == pytest.approx(1)
    before = (found / "profile.csv").read_bytes()
    assert main(options) == 0
    assert (found / "profile.csv").read_bytes() == before
    assert main([*options, "--seed", "1"]) == 0
    assert (found / "profile.csv").read_bytes() != before


def test_accuracies_give_a_space_that_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = load_table("adreno630_mace_calibrated", SearchSpace.load("moga"))
    genomes = np.random.default_rng(0).integers(12, size=(300, 14))
    accuracies = write_samples(
        tmp_path / "acc.csv", "accuracy", table, 0.5 + 0.01 * (genomes[:, 0] == 3), genomes
    )
    out = tmp_path / "out"
    options = ["--table", "adreno630_mace_calibrated", "--space", "moga", "--output", str(out)]
    assert main(["profile", *options, "--accuracies", accuracies]) == 0
    printed = capsys.readouterr().out
    assert "15 of 168 choices, 2 of 1,283,918,464,548,864 architectures" in printed
    space = SearchSpace.load(out / "moga_reduced_adreno630_mace_calibrated.yaml")
    assert [choice.name for choice in space.choices(0)] == ["E3K3", "E3K3SE"]
    assert load_table("adreno630_mace_calibrated", space).space.size == 2
    reduction = rows(out / "reduction.csv")
    assert len(reduction) == 168 and sum(row["kept"] == "True" for row in reduction) == 15
    assert all((row["kept"] == "True") == (row["dropped_for"] == "") for row in reduction)
    assert main(["profile", *options]) == 0
    assert "reduction.csv is of an earlier run" in capsys.readouterr().out


def test_measurements_become_a_table(
    file: Path, space_file: str, tiny: SearchSpace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = load_table(file, tiny)
    genomes = np.array([[a, b] for a in range(3) for b in range(2)] * 2)
    noisy = truth.latency_ms(genomes) + np.random.default_rng(0).normal(0, 0.01, 12)
    measurements = write_samples(tmp_path / "ms.csv", "latency_ms", truth, noisy, genomes)
    (tmp_path / "facts.yaml").write_text("device: My phone\n")
    out = tmp_path / "out"
    options = ["--space", space_file, "--output", str(out), "--folds", "6"]
    facts = ["--header", str(tmp_path / "facts.yaml")]
    assert main(["profile", "--measurements", measurements, *options, *facts]) == 0
    printed = capsys.readouterr().out
    assert "table fitted to 6 networks (12 rows)" in printed and "assumption" in printed
    assert "My phone" in printed and "calibrated, not timed block by block" in printed
    table = load_table(out / "table.csv", tiny)
    np.testing.assert_allclose(table.latency_ms(genomes), truth.latency_ms(genomes), atol=0.05)
    effects = rows(out / "effects.csv")
    assert len(effects) == 5 and [row["networks"] for row in effects] == ["2", "2", "2", "3", "3"]
    assert all(float(row["low_ms"]) < float(row["effect_ms"]) < float(row["high_ms"]) for row in effects)
    # The table that it wrote can be profiled in the same folder.
    assert (
        main(["profile", "--table", str(out / "table.csv"), "--space", space_file, "--output", str(out)]) == 0
    )


def test_mistakes_end_with_one_message_and_nothing_written(
    file: Path, space_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.csv").write_text("architecture,accuracy,latency_ms\nskip small,75,0\n")
    base = ["profile", "--space", space_file, "--output", str(tmp_path / "out")]
    table, bad = ["--table", str(file)], str(tmp_path / "bad.csv")
    for options, message in (
        ([*table, "--accuracies", bad], "fraction from 0 to 1"),
        (["--measurements", bad], "milliseconds above 0"),
        ([*table, "--networks", "10"], "10 networks per choice are too few"),
        ([*table, "--confidence", "95"], "confidence is a fraction"),
        ([*table, "--margin", "-1"], "margin is a fraction"),
        ([*table, "--header", bad], "--header describes --measurements"),
    ):
        assert main([*base, *options]) == 1
        assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
