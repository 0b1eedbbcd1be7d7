"""The commands, run as a user does."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dnas.space import SearchSpace
from latency.__main__ import main
from latency.table_file import read_file, shipped_tables


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def test_list_names_every_shipped_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    for name in shipped_tables():
        assert name in out
        assert read_file(name).header["sha256"][:12] in out


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "adreno630_mace_calibrated"]) == 0
    out = capsys.readouterr().out
    for text in (
        "Adreno 630",
        "not timed block by block",
        "L14",
        "E6K7SE",
        "fixed part 0.836 ms",
        "6.22 to 14.82 ms",
    ):
        assert text in out


def test_show_a_table_of_ones_own_space(
    file: Path, tiny: SearchSpace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = tmp_path / "tiny.yaml"
    space.write_text(yaml.safe_dump(tiny.to_dict()))
    assert main(["show", str(file), "--space", str(space)]) == 0
    assert "measured block by block" in capsys.readouterr().out
    assert main(["show", str(file)]) == 1
    assert "Unknown search space 'tiny'" in capsys.readouterr().err


def test_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "adreno630_mace_calibrated"]) == 0
    out = capsys.readouterr().out
    assert "ranking as published: MoGA-A > MoGA-B > MobileNetV3-Large > MoGA-C" in out
    assert "assumption: MobileNetV3-Large" in out


def test_check_says_where_the_ranking_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The SNPE model puts MoGA-B before MobileNetV3-Large, the paper measured the reverse."""
    path = str(tmp_path / "snpe.csv")
    assert main(["build-calibrated", "adreno630_snpe", "--space", "moga", "--output", path]) == 0
    assert main(["check", path]) == 0
    assert (
        "published MoGA-A > MobileNetV3-Large > MoGA-B > MoGA-C, model MoGA-A > MoGA-B"
        in capsys.readouterr().out
    )


def test_build_and_seal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / "table.csv"
    assert main(["build-calibrated", "adreno630_mace", "--space", "moga", "--output", str(path)]) == 0
    path.write_text(path.read_text().replace("0.3456", "0.3333"))
    assert main(["show", str(path)]) == 1
    assert "a value was edited" in capsys.readouterr().err
    assert main(["seal", str(path)]) == 0
    assert main(["show", str(path)]) == 0


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["show", "adreno9"], "Unknown latency table 'adreno9'. Give one of adreno630_mace_calibrated"),
        (["check", "missing.csv"], "No latency table file"),
        (
            ["build-calibrated", "adreno9", "--space", "moga", "--output", "x.csv"],
            "No 'adreno9' in latency/models",
        ),
        (
            ["build-calibrated", "adreno630_mace", "--space", "mogi", "--output", "x.csv"],
            "Unknown search space",
        ),
    ],
)
def test_mistakes_end_in_one_message(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 1
    assert capsys.readouterr().err.startswith(f"error: {message}")


@pytest.mark.parametrize("argv", [[], ["unknown"], ["build-calibrated"]])
def test_wrong_usage_ends_with_code_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(argv)
    assert "usage: dnas latency" in capsys.readouterr().err
