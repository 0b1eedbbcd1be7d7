"""``latency adapt``, run as a user does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dnas.space import SearchSpace
from latency import load_table
from latency.__main__ import main
from latency.sources.adapted.timings import Timing

MOGA = SearchSpace.load("moga")
KNOWN = ("adreno640_tflite2.10", "adreno616_tflite2.10", "mali_g76_tflite2.10")
NEW = "powervr_ge8320_tflite2.10"
Make = Callable[..., list[Timing]]


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def measurements(tmp_path: Path, timings: Make) -> Path:
    rows = [f"{timing.architecture},{timing.latency_ms:.4f}" for timing in timings(NEW, MOGA)]
    mobilenet = load_table(NEW, SearchSpace.load("mobilenet_v2"))
    rows.append(f"mobilenet_v2,{mobilenet.latency_ms(mobilenet.cheapest()):.4f}")
    path = tmp_path / "timed.csv"
    path.write_text("\n".join(["architecture,latency_ms", *rows]) + "\n")
    return path


def adapt(measurements: Path, *tables: str, output: str = "new.csv") -> list[str]:
    given = ["--measurements", str(measurements), "--output", str(measurements.with_name(output))]
    return ["adapt", "--from", *tables, *given]


def test_a_table_that_a_search_can_read(
    measurements: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = tmp_path / "facts.yaml"
    header.write_text("device: Phone 1\ngpu: PowerVR\nruntime_version: 2.10\ndate: 2026-01-31\n")
    assert main([*adapt(measurements, *KNOWN), "--header", str(header)]) == 0
    out = capsys.readouterr().out
    table = load_table(tmp_path / "new.csv", MOGA)
    truth = load_table(NEW, MOGA)
    genomes = MOGA.sample(100, np.random.default_rng(7))
    assert (abs(table.latency_ms(genomes) / truth.latency_ms(genomes) - 1)).mean() < 0.04
    assert table.provenance["runtime_version"] == "2.10"
    assert table.provenance["tool"].endswith(
        f"adapt --from {' '.join(KNOWN)} --measurements timed.csv --space moga"
    )
    for text in ("mobilenet_v2", "the new phone is", "x mali_g76_tflite2.10", "corrected by kind: overhead"):
        assert text in out
    assert f"wrote {tmp_path / 'new.csv'}: new: Phone 1 (PowerVR), unknown 2.10" in out


def test_one_table_says_so(measurements: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(adapt(measurements, KNOWN[0])) == 0
    assert "weak spot: one known phone" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (["adreno999"], "Unknown latency table 'adreno999'"),
        ([KNOWN[0], KNOWN[0]], "The same table is given twice"),
        ([KNOWN[0], "tiny.csv"], "No latency table file"),
        ([KNOWN[0], "adreno640_tflite2.10_256px"], "give --space"),
    ],
)
def test_tables_that_cannot_be_used(
    measurements: Path, tables: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(adapt(measurements, *tables)) == 1
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err
    assert not measurements.with_name("new.csv").exists()


def test_tables_of_different_spaces(
    measurements: Path, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(adapt(measurements, *KNOWN[:2])) == 0
    capsys.readouterr()
    assert main(adapt(measurements, str(file), str(tmp_path / "new.csv"), output="third.csv")) == 1
    assert f"different spaces ({file} for tiny, {tmp_path / 'new.csv'} for moga)" in capsys.readouterr().err


def test_an_adapted_table_is_one_of_a_known_phone_too(
    measurements: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """But a file holds its own space alone: a network of the zoo is named that is not in it."""
    assert main(adapt(measurements, *KNOWN[:2])) == 0
    new = str(tmp_path / "new.csv")
    assert main(adapt(measurements, KNOWN[0], new, output="again.csv")) == 1
    assert f"mobilenet_v2: not in {new}" in capsys.readouterr().err
    measurements.write_text("\n".join(measurements.read_text().splitlines()[:-1]) + "\n")
    assert main(adapt(measurements, KNOWN[0], new, output="again.csv")) == 0


def test_timings_that_cannot_be_used(measurements: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = measurements.read_text().splitlines()
    measurements.write_text("\n".join(lines[:4]) + "\n")
    assert main(adapt(measurements, *KNOWN)) == 1
    assert "3 timing(s), at least 5 are needed" in capsys.readouterr().err
    measurements.write_text("\n".join([*lines, "a_network,3.0"]) + "\n")
    assert main(adapt(measurements, *KNOWN)) == 1
    assert f"line {len(lines) + 1}: " in capsys.readouterr().err
