"""``latency import`` of what people have: files as tools, phones and colleagues leave them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from dnas.space import SearchSpace
from latency.__main__ import main
from latency.table import LatencyTable, load_table

PARTS = ["--stem-ms", "0.5", "--head-ms", "0.125", "--overhead-ms", "0"]
KEYS = ("L1_small", "L1_large", "L2_small", "L2_large")
ERROR = ["--relative-error", "0.05"]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "phone.csv"


def imported(arguments: list[str], space: str, output: Path) -> LatencyTable:
    assert main(["import", *arguments, "--space", space, "--output", str(output)]) == 0
    return load_table(output, SearchSpace.load(space))


def test_logs_from_powershell_logcat_and_converters(
    tmp_path: Path, log: Callable[..., str], tiny_file: str, facts: list[str], output: Path
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    for name, us in zip(
        ("l1_small", "L1_large_float16", "L2_SMALL", "L2_large"), (1000, 2000, 250, 4000), strict=True
    ):
        lines = [f"11-29 10:00:00.123  123  456 I tflite  : {line}" for line in log(us).splitlines()]
        (folder / f"{name}.LOG").write_bytes("\r\n".join(lines).encode("utf-16"))
    table = imported(["benchmark_model", str(folder), *facts, *PARTS], tiny_file, output)
    assert table.ms.tolist() == [[1.0, 2.0, 0.0], [0.25, 4.0, 0.0]]


@pytest.mark.parametrize(("cpu", "ms"), [([], 1.2), (["--cpu"], 5.2)])
def test_two_runs_in_one_file(
    tmp_path: Path, tiny_file: str, facts: list[str], output: Path, cpu: list[str], ms: float
) -> None:
    path = tmp_path / "out.txt"
    rows = [f"{key}.ncnn.param  min = {{low}}  max = {{high}}  avg = {{avg}}" for key in KEYS]
    runs = ((-1, {"low": 5.1, "high": 5.3, "avg": 5.2}), (0, {"low": 1.1, "high": 1.3, "avg": 1.2}))
    path.write_text(
        "".join(
            f"loop_count = 8\ngpu_device = {device}\n" + "\n".join(rows).format(**each) + "\n"
            for device, each in runs
        )
    )
    table = imported(["benchncnn", str(path), *facts, *PARTS, *ERROR, *cpu], tiny_file, output)
    assert set(table.ms.ravel()) == {ms, 0.0}


def test_what_a_table_states_needs_no_option(
    tmp_path: Path, tiny_file: str, facts: list[str], output: Path
) -> None:
    path = tmp_path / "lut.yaml"
    path.write_text(yaml.safe_dump({key: {"count": 100, "mean": 2.0, "var": 0.04} for key in KEYS}))
    table = imported(["proxylessnas", str(path), "--unit", "ms", *facts, *PARTS], tiny_file, output)
    assert table.relative_error[0, 0] == pytest.approx(0.2 / math.sqrt(100) / 2)
    assert ",2.0,100,0.2," in output.read_text()


def test_one_device_of_several(
    tmp_path: Path, tiny_file: str, facts: list[str], output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "all.json"
    path.write_text(
        json.dumps({f"{name}_latency": dict.fromkeys(KEYS, ms) for name, ms in (("pixel3", 3), ("pi", 9))})
    )
    arguments = ["fbnet", str(path), "--unit", "ms", *facts, *PARTS, *ERROR]
    assert main(["import", *arguments, "--space", tiny_file, "--output", str(output)]) == 1
    assert "give --table with one of pixel3_latency, pi_latency" in capsys.readouterr().err
    table = imported([*arguments, "--table", "pixel3_latency"], tiny_file, output)
    assert table.ms[0, 0] == 3


def test_a_matrix(tmp_path: Path, tiny_file: str, facts: list[str], output: Path) -> None:
    path = tmp_path / "lookup_table.txt"
    path.write_text("small large skip\n1000 2000 1.5\n250 4000 847.9\n")
    table = imported(["matrix", str(path), "--unit", "us", *facts, *PARTS, *ERROR], tiny_file, output)
    assert table.ms.tolist() == [[1.0, 2.0, 0.0], [0.25, 4.0, 0.0]]


def test_facts_that_the_files_state(
    tmp_path: Path, tiny_file: str, facts: list[str], output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fill what nobody gave; one who gives another is heard, and hears of it."""
    path = tmp_path / "mace.log"
    path.write_text(
        "".join(
            f"model name: {key}\nmace version: v0.12.0\ndevice: GPU\nround: 9\nAverage latency: 3.5 ms\n"
            for key in KEYS
        )
    )
    arguments = ["mace", str(path), *PARTS, *ERROR]
    table = imported([*arguments, *facts], tiny_file, output)
    assert (table.provenance["runtime"], table.provenance["runtime_version"]) == ("TFLite", "2.10")
    assert "the files state runtime 'MACE', the header 'TFLite'" in capsys.readouterr().out
    header = Path(facts[1])
    header.write_text("".join(line for line in header.open() if not line.startswith("runtime")))
    table = imported([*arguments, *facts], tiny_file, output)
    assert (table.provenance["runtime"], table.provenance["runtime_version"]) == ("MACE", "v0.12.0")


def test_a_file_of_another_format(
    tmp_path: Path, tiny_file: str, facts: list[str], output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "out.txt"
    path.write_text("[ - ] L1_small.mnn  max = 1.7 ms  min = 1.2 ms  avg = 1.3 ms\n")
    main(["import", "benchmark_model", str(path), *facts, "--space", tiny_file, "--output", str(output)])
    assert "out.txt: the file reads as mnn" in capsys.readouterr().out


SHAPE = "16x16x8"
FIRST = f"expanded_conv-input:{SHAPE}-output:{SHAPE}-expand:8-kernel:3-stride:1-idskip:1-se:0-hs:0"
BLOCK = f"expanded_conv-input:{SHAPE}-output:{SHAPE}-expand:24-kernel:3-stride:1-idskip:1-se:0-hs:0"
ENTRIES = {f"Conv-input:32x32x3-output:{SHAPE}": 0.5, FIRST: 1.75, BLOCK: 4.0}
LAYER = {"out": 8, "stride": 1, "activation": "relu"}


def space_file(folder: Path, stem: list[dict[str, Any]], layers: list[dict[str, Any]], **choices: Any) -> str:
    conv = {"type": "conv", "out": 8, "kernel": 3, "stride": 2, "activation": "hswish"}
    data = {
        "format": "dnas-space/2",
        "name": "ofa",
        "resolution": 32,
        "num_classes": 10,
        "stem": [conv, *stem],
        "choices": {"E3K3": {"expansion": 3, "kernel": 3}, **choices},
        "layers": layers,
        "head": [{"type": "pool"}],
    }
    path = folder / "ofa.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return str(path)


@pytest.fixture
def once_for_all(tmp_path: Path, facts: list[str]) -> list[str]:
    path = tmp_path / "lut.json"
    path.write_text(json.dumps({key: {"mean": ms, "count": 100, "std": 0.04} for key, ms in ENTRIES.items()}))
    return ["proxylessnas", str(path), *facts, "--unit", "ms", "--head-ms", "1", "--overhead-ms", "0"]


def test_the_first_block_in_a_stem(
    tmp_path: Path, once_for_all: list[str], output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has a shortcut in the tables that the space's separable convolution has not."""
    separable = {"type": "separable", "out": 8, "kernel": 3, "stride": 1, "activation": "relu"}
    space = space_file(tmp_path, [separable], [LAYER])
    assert main(["import", *once_for_all, "--space", space, "--output", str(output)]) == 1
    message = capsys.readouterr().err
    assert "readings of it have a shortcut that it has not: 0.5 ms in Conv-" in message
    assert "= 2.25 ms; give --stem-with-shortcut to take their sum, or --stem-ms" in message
    table = imported([*once_for_all, "--stem-with-shortcut"], space, output)
    assert (table.stem_ms, table.ms.tolist()) == (2.25, [[4.0]])
    assert "has a shortcut; the space's has none" in table.provenance["notes"]


def test_the_first_block_as_a_layer(tmp_path: Path, once_for_all: list[str], output: Path) -> None:
    """As the shipped space has it."""
    layers = [{**LAYER, "choices": ["E1K3"]}, {**LAYER, "choices": ["E3K3"]}]
    first = {"expansion": 1, "kernel": 3, "expand_always": False}
    space = space_file(tmp_path, [], layers, E1K3=first)
    table = imported(once_for_all, space, output)
    assert (table.stem_ms, table.ms.tolist()) == (0.5, [[1.75], [4.0]])
    assert table.relative_error[0, 0] == pytest.approx(0.004 / 1.75, rel=1e-4)
