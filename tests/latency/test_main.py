"""The commands, run as a user does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from dnas.space import SearchSpace, zoo
from latency import TableError, load_table
from latency.__main__ import COMMANDS, main
from latency.sources.calibrated.model import FACTS, runtime_data
from latency.table.table_file import read_file, read_shipped, shipped_files, write_file


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def test_list_names_every_shipped_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    rows = {line.split()[0]: line for line in out.splitlines()}
    for name, space in shipped_files():
        # Networks of the zoo are counted, unless a table is for one of them alone.
        assert space in rows[name] or (space in zoo.names() and "of the zoo" in rows[name])
        assert read_shipped(name, space).header["device"] in rows[name]
    # The tables' own documentation has this figure too.
    assert rows["adreno616_tflite2.10"].split()[-1] == "2.0%"


def test_without_a_command_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {name} " in out for name in COMMANDS)


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
        "milliseconds of the mean network (10.06): 91.7% calibrated, 8.3% fixed part",
        "validation: each network of the fit left out",
    ):
        assert text in out


def test_show_an_architecture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    architecture = zoo.load("moga_a")
    for text in ("moga_a", str(architecture), str(architecture.save(tmp_path / "a.json"))):
        assert main(["show", "adreno630_mace_calibrated", "--architecture", text, "--level", "0.9"]) == 0
        out = capsys.readouterr().out
        lines = [line.split() for line in out.splitlines()]
        assert [
            "L2",
            "E6K7",
            "1.317",
            "12.0%",
            "conv",
            "0.392",
            "depthwise",
            "0.895",
            "add",
            "0.030",
        ] in lines
        assert ["depthwise", "2.469", "22.5%"] in lines
        assert "10.95 ms, between 10.43 and 11.47 ms with probability 0.9" in out


def test_show_an_architecture_without_kernel_kinds(
    file: Path, tiny: SearchSpace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = tmp_path / "tiny.yaml"
    space.write_text(yaml.safe_dump(tiny.to_dict()))
    argv = ["show", str(file), "--space", str(space), "--architecture"]
    assert main([*argv, "small small"]) == 0
    assert "does not know kernel kinds" in capsys.readouterr().out
    assert main([*argv, "moga_a"]) == 1
    assert "another space (moga)" in capsys.readouterr().err


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
    lines = [line.split() for line in out.splitlines()]
    assert ["MoGA-A", "169", "11.1", "10.95", "-1.3%", "10.97", "-1.2%", "10.95"] in lines
    assert "left out of the fit 2.3% mean, 5.3% max, Kendall tau 1.00" in out
    assert "ranking as published: MoGA-A > MoGA-B > Proxyless GPU > FairNAS-A > MobileNetV3-Large >" in out
    assert "assumption: MobileNetV3-Large" in out


def test_check_says_where_the_ranking_differs(capsys: pytest.CaptureFixture[str]) -> None:
    """The SNPE model puts MoGA-B before MobileNetV3-Large, the paper measured the reverse."""
    assert main(["check", "adreno630_snpe_calibrated", "--space", "fbnet"]) == 0
    out = capsys.readouterr().out
    assert "published MoGA-A > MobileNetV3-Large > MoGA-B" in out
    assert "left out of the fit 6.9% mean, 14.6% max, Kendall tau 0.76" in out
    row = ["MoGA-A", "169", "11.8", "11.43", "-3.1%", "11.14", "-5.6%", "-"]  # no network of this space
    assert row in [line.split() for line in out.splitlines()]
    assert "assumption: shuffle: assumed" in out


def test_check_of_a_table_without_published_latencies(
    file: Path, tiny: SearchSpace, tmp_path: Path, header: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    space = tmp_path / "tiny.yaml"
    space.write_text(yaml.safe_dump(tiny.to_dict()))
    argv = ["check", str(file), "--space", str(space)]
    assert main(argv) == 0
    assert "no validation figures; stated error: none known" in capsys.readouterr().out
    figures = [{"what": "depthwise", "mape": 0.07, "n": 31}, {"what": "networks", "mape": 0.03, "n": 9}]
    header["validation"] = {
        "method": "one family left out",
        "figures": figures,
        "weak_spots": ["7x7 is rare"],
    }
    write_file(file, header, read_file(file).entries)
    assert main(argv) == 0
    out = capsys.readouterr().out
    assert "validation: one family left out" in out
    assert ["depthwise", "7.0%", "31"] in [line.split() for line in out.splitlines()]
    assert "weak spot: 7x7 is rare" in out


@pytest.mark.parametrize(
    ("column", "coefficients", "errors"),
    [
        (
            "mace_ms",
            "15.29 ms per dense GMAC, 39.12 ms per depthwise GMAC, 30.43 us per kernel",
            "2.3% mean, 5.3% max",
        ),
        (
            "snpe_ms",
            "14.74 ms per dense GMAC, 25.13 ms per depthwise GMAC, 37.64 us per kernel",
            "6.9% mean, 14.6% max",
        ),
    ],
)
def test_calibrate_again_from_the_published_latencies(
    column: str, coefficients: str, errors: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", "--published", column]) == 0
    out = capsys.readouterr().out
    assert coefficients in out
    assert errors in out


@pytest.fixture
def measurements(tmp_path: Path) -> Path:
    path = tmp_path / "timed.csv"
    rows = [("moga_a", 11.1), ("moga_b", 10.0), ("moga_c", 8.8), ("mobilenet_v2", 7.0), ("fairnas_a", 9.7)]
    path.write_text("architecture,latency_ms\n" + "".join(f"{name},{ms}\n" for name, ms in rows))
    return path


def test_calibrate_a_phone_of_ones_own_and_build_its_table(
    measurements: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts, model, table = (tmp_path / name for name in ("facts.yaml", "model.yaml", "table.csv"))
    facts.write_text(yaml.safe_dump({**dict.fromkeys(FACTS, "x"), "precision": "fp16", "date": "2020-02-29"}))
    runtime = tmp_path / "runtime.yaml"
    runtime.write_text(yaml.safe_dump({**runtime_data("mace_2019"), "name": "mine"}))
    given = ["--measurements", str(measurements), "--space", "moga", "--runtime", str(runtime)]
    assert main(["calibrate", *given, "--header", str(facts), "--output", str(model)]) == 0
    runtime.unlink()  # the model file carries it
    assert main(["build-calibrated", str(model), "--space", "fbnet", "--output", str(table)]) == 0
    capsys.readouterr()
    assert main(["check", str(table)]) == 0
    out = capsys.readouterr().out
    assert "Nothing is published for this table" in out
    assert "validation: each network of the fit left out" in out


def test_wrong_facts_do_not_lose_the_fit(
    measurements: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = tmp_path / "facts.yaml"
    facts.write_text("name: x\n")
    given = ["--measurements", str(measurements), "--space", "moga", "--runtime", "mace_2019"]
    assert main(["calibrate", *given, "--header", str(facts), "--output", str(tmp_path / "m.yaml")]) == 1
    told = capsys.readouterr()
    assert "us per kernel" in told.out
    assert "'device' is a required property" in told.err
    assert not (tmp_path / "m.yaml").exists()


def test_calibrate_asks_for_all_that_is_missing(
    measurements: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", "--measurements", str(measurements), "--output", "m.yaml"]) == 1
    message = capsys.readouterr().err
    for what in ("needs --runtime", "needs --space", "--header and --output go together"):
        assert what in message


def test_a_calibrated_table_of_a_family_s_member(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "table.csv"
    scale = ["--width", "0.35", "--resolution", "96"]
    assert (
        main(["build-calibrated", "adreno630_mace", "--space", "fbnet", *scale, "--output", str(path)]) == 0
    )
    member = SearchSpace.load("fbnet").scale(width=0.35, resolution=96)
    assert load_table(path, member).provenance["space"] == "fbnet_w0.35_96px"
    assert main(["show", str(path)]) == 0, "the table's own space is found by its name"
    with pytest.raises(TableError, match=r"--space fbnet_w0\.5 --output DIR' from measured kernels"):
        load_table("adreno640_tflite2.10", SearchSpace.load("fbnet_w0.5"))
    with pytest.raises(
        TableError, match=r"To deploy at 48 px, another table is needed.*--space fbnet_w0\.35"
    ):
        load_table(path, member.adapt(resolution=48))


def test_build_and_seal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / "table.csv"
    assert main(["build-calibrated", "adreno630_mace", "--space", "moga", "--output", str(path)]) == 0
    path.write_text(path.read_text().replace("0.3456", "0.3461"))
    assert main(["show", str(path)]) == 1
    assert "a value was edited" in capsys.readouterr().err
    assert main(["seal", str(path)]) == 0
    assert main(["show", str(path)]) == 0


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["show", "adreno9"], "Unknown latency table 'adreno9'. Give one of adreno616_tflite2.10"),
        (["check", "missing.csv"], "No latency table file"),
        (
            ["build-calibrated", "adreno9", "--space", "moga", "--output", "x.csv"],
            "No 'adreno9' in latency/data/models",
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


@pytest.mark.parametrize("argv", [["unknown"], ["build-calibrated"]])
def test_wrong_usage_ends_with_code_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(argv)
    assert "usage: dnas latency" in capsys.readouterr().err
