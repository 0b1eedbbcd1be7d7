"""``latency import`` as a user runs it: every format to a table that loads, every mistake to a message."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from dnas.space import SearchSpace
from latency.__main__ import main
from latency.table import LatencyTable, load_table
from latency.table.entry import Geometry

US = {
    "L1_small": 1100,
    "L1_large": 2100,
    "L2_small": 350,
    "L2_large": 4100,
    "stem": 600,
    "head": 225,
    "overhead": 100,
}
PARTS = ["--stem-ms", "0.5", "--head-ms", "0.125", "--overhead-ms", "0.1"]
STEM = "112x112x16"
Log = Callable[..., str]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "made" / "phone.csv"


@pytest.fixture
def logs(tmp_path: Path, log: Log) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    for key, us in US.items():
        (folder / f"{key}.log").write_text(log(us))
    return folder


def imported(arguments: list[str], space: SearchSpace | str, output: Path) -> LatencyTable:
    name = "moga" if isinstance(space, SearchSpace) else space
    assert main(["import", *arguments, "--space", name, "--output", str(output)]) == 0
    return load_table(output, SearchSpace.load(name))


def refused(arguments: list[str], output: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["import", *arguments, "--output", str(output)]) == 1
    assert not output.exists()
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_benchmark_model(logs: Path, tiny_file: str, facts: list[str], output: Path) -> None:
    table = imported(["benchmark_model", str(logs), *facts], tiny_file, output)
    assert table.ms.tolist() == [[1.0, 2.0, 0.0], [0.25, 4.0, 0.0]]
    assert (table.stem_ms, table.head_ms, table.overhead_ms) == (0.5, 0.125, 0.1)
    assert table.relative_error[0, 0] == pytest.approx(2**0.5 * 0.002 / 1.0, rel=1e-4)
    assert table.is_measured
    assert table.name == "phone"
    assert (
        table.provenance["statistic"]
        == "mean of the runs of benchmark_model, less the overhead per inference"
    )
    assert table.provenance["runtime_version"] == "2.10"


def test_the_same_files_give_the_same_table_again(
    logs: Path, tiny_file: str, facts: list[str], output: Path
) -> None:
    arguments = ["benchmark_model", *map(str, sorted(logs.iterdir())), *facts]
    first = imported(arguments, tiny_file, output).sha256
    assert imported(arguments[:1] + arguments[:0:-1][2:] + facts, tiny_file, output).sha256 == first


def test_gpu_profile(
    tmp_path: Path, profile: Callable[..., str], tiny_file: str, facts: list[str], output: Path
) -> None:
    for key, us in US.items():
        (tmp_path / f"{key}.txt").write_text(profile(us / 2000, us / 2000, separator="; "))
    files = [str(tmp_path / f"{key}.txt") for key in US if key != "overhead"]
    options = ["--overhead-ms", "0.86", "--relative-error", "0.03"]
    table = imported(["gpu_profile", *files, *facts, *options], tiny_file, output)
    assert table.ms.tolist() == [[1.1, 2.1, 0.0], [0.35, 4.1, 0.0]]
    assert (table.stem_ms, table.head_ms, table.overhead_ms) == (0.6, 0.225, 0.86)
    assert table.kind == "assembled"
    assert table.relative_error[1].tolist() == [0.03, 0.03, 0.0]


def test_benchncnn(tmp_path: Path, tiny_file: str, facts: list[str], output: Path) -> None:
    path = tmp_path / "out.txt"
    lines = [
        f"{key:>20}  min = {us / 1000 - 0.01:7.2f}  max = {us / 1000 + 1:7.2f}  avg = {us / 1000:7.2f}"
        for key, us in US.items()
    ]
    path.write_text("\n".join(["loop_count = 8", "gpu_device = 0", *lines]))
    table = imported(["benchncnn", str(path), *facts, "--relative-error", "0.1"], tiny_file, output)
    assert table.ms.tolist() == [[1.0, 2.0, 0.0], [0.25, 4.0, 0.0]]


def test_csv_by_name(tmp_path: Path, tiny_file: str, facts: list[str], output: Path) -> None:
    path = tmp_path / "mine.csv"
    rows = [
        ",".join([*key.partition("_")[::2], str(us), "100", "20", str(us + 30)]) for key, us in US.items()
    ]
    path.write_text("\n".join(["layer,choice,us,n,std,p90", *rows]))
    table = imported(["csv", str(path), *facts], tiny_file, output)
    assert table.ms.tolist() == [[1.1, 2.1, 0.0], [0.35, 4.1, 0.0]]
    assert table.relative_error[0, 0] == pytest.approx(0.002 / 1.1, rel=1e-4)
    inference = imported(["csv", str(path), *facts, "--readings", "inference"], tiny_file, output)
    assert inference.ms.tolist() == [[1.0, 2.0, 0.0], [0.25, 4.0, 0.0]]


def test_csv_by_geometry(tmp_path: Path, facts: list[str], output: Path) -> None:
    """Every geometry of moga once, layers 4 and 5, 7 to 9, 13 and 14 share theirs."""
    moga = SearchSpace.load("moga")
    shapes = dict.fromkeys(Geometry.of(layer, choice) for layer in moga.layers for choice in layer.choices)
    names = list(next(iter(shapes)).facts)
    rows = [[*shape.facts.values(), str(1 + i)] for i, shape in enumerate(shapes)]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(map(",".join, [[*names, "ms"], *rows])))
    table = imported(["csv", str(path), *facts, *PARTS, "--relative-error", "0.1"], moga, output)
    assert len(shapes) == 120
    assert sorted(set(table.ms.ravel())) == list(range(1, 121))
    assert table.ms[6].tolist() == table.ms[7].tolist() == table.ms[8].tolist()


def test_once_for_all(
    tmp_path: Path, facts: list[str], output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole of moga in Once-for-All's keys, stem and head from their operations."""
    moga = SearchSpace.load("moga")
    ms = {
        "Conv-input:224x224x3-output:112x112x16": 0.25,
        f"expanded_conv-input:{STEM}-output:{STEM}-expand:16-kernel:3-stride:1-idskip:0-se:0-hs:0": 0.5,
        "Conv_1-input:7x7x160-output:7x7x960": 1.0,
        "AvgPool2D-input:7x7x960-output:1x1x960": 2.0,
        "Conv_2-input:1x1x960-output:1x1x1280": 4.0,
        "Logits-input:1x1x1280-output:1000": 8.0,
    }
    for layer in moga.layers:
        for column, choice in enumerate(layer.choices):
            each = choice.options
            n, c, m = layer.input_size, layer.in_channels, layer.output_size
            hidden, squeezed = each.hidden_channels(layer), each.squeezed_channels(layer)
            key = (
                f"expanded_conv-input:{n}x{n}x{c}-output:{m}x{m}x{layer.out_channels}-expand:{hidden}"
                f"-kernel:{each.kernel}-stride:{layer.stride}-idskip:{int(layer.keeps_shape)}"
                f"-se:{int(squeezed > 0)}-hs:{int(layer.activation == 'hswish')}"
            )
            ms[key] = 1.0 + column
    path = tmp_path / "note10.yaml"
    path.write_text(yaml.safe_dump({key: {"mean": value, "count": 1} for key, value in ms.items()}))
    options = ["--unit", "ms", "--overhead-ms", "0", "--relative-error", "0.05"]
    table = imported(["proxylessnas", str(path), *facts, *options], moga, output)
    assert table.ms.tolist() == [list(range(1, 13))] * 14
    assert (table.stem_ms, table.head_ms, table.overhead_ms) == (0.75, 15.0, 0.0)
    assert "how wide squeeze-excite is" in table.provenance["notes"]
    assert "168 entries from 126 readings" in capsys.readouterr().out


def test_proxylessnas(tmp_path: Path, facts: list[str], output: Path) -> None:
    definition = {
        "format": "dnas-space/1",
        "name": "proxyless",
        "resolution": 32,
        "num_classes": 10,
        "stem": [
            {"type": "conv", "out": 8, "kernel": 3, "stride": 2, "activation": "relu6"},
            {"type": "separable", "out": 8, "kernel": 3, "stride": 1, "activation": "relu6"},
        ],
        "choices": {"E3K3": {"expansion": 3, "kernel": 3}, "E6K7": {"expansion": 6, "kernel": 7}},
        "layers": [
            {"out": 8, "stride": 1, "activation": "relu6"},
            {"out": 16, "stride": 2, "activation": "relu6"},
        ],
        "head": [{"type": "conv", "out": 32, "kernel": 1, "activation": "relu6"}, {"type": "pool"}],
    }
    space = tmp_path / "proxyless.yaml"
    space.write_text(yaml.safe_dump(definition, sort_keys=False))
    path = tmp_path / "lut.yaml"
    path.write_text(
        """
Conv-input:32x32x3-output:16x16x8: {mean: 1}
expanded_conv-input:16x16x8-output:16x16x8-expand:1-kernel:3-stride:1-idskip:0: {mean: 2}
expanded_conv-input:16x16x8-output:16x16x8-expand:3-kernel:3-stride:1-idskip:1: {mean: 10}
expanded_conv-input:16x16x8-output:16x16x8-expand:3-kernel:3-stride:1-idskip:0: {mean: 99}
expanded_conv-input:16x16x8-output:16x16x8-expand:6-kernel:7-stride:1-idskip:1: {mean: 20}
expanded_conv-input:16x16x8-output:8x8x16-expand:3-kernel:3-stride:2-idskip:0: {mean: 30}
expanded_conv-input:16x16x8-output:8x8x16-expand:6-kernel:7-stride:2-idskip:0: {mean: 40}
Conv_1-input:8x8x16-output:8x8x32: {mean: 4}
Logits-input:8x8x32-output:10: {mean: 8}
"""
    )
    options = ["--unit", "us", "--overhead-ms", "0", "--relative-error", "0.05"]
    table = imported(["proxylessnas", str(path), *facts, *options], str(space), output)
    assert table.ms.tolist() == [[0.01, 0.02], [0.03, 0.04]]
    assert (table.stem_ms, table.head_ms) == (0.003, 0.012)


def test_fbnet(tmp_path: Path, facts: list[str], output: Path) -> None:
    """The whole of the FBNet space in HW-NAS-Bench's keys."""
    space = SearchSpace.load("fbnet")
    ms: dict[str, float] = {
        "ConvNorm_H224_W224_Cin3_Cout16_kernel3_stride2_group1": 1,
        "ConvNorm_H7_W7_Cin352_Cout1984_kernel1_stride1_group1": 2,
        "AvgP_H7_W7_Cin1984_Cout1984_kernel7_stride1": 4,
        "FC_Cin1984_Cout1000": 8,
    }
    for layer in space.layers:
        for column, choice in enumerate(layer.choices):
            shape = f"H{layer.input_size}_W{layer.input_size}_Cin{layer.in_channels}_Cout{layer.out_channels}"
            name = f"Skip_{shape}_stride{layer.stride}"
            if not choice.skip:
                each = choice.options
                block = f"exp{each.expansion:.0f}_kernel{each.kernel}_stride{layer.stride}_group{each.groups}"
                name = f"ConvBlock_{shape}_{block}"
            ms[name] = 0.0 if choice.skip and layer.keeps_shape else 1.0 + column
    path = tmp_path / "pixel3.json"
    path.write_text(json.dumps(ms))
    options = ["--unit", "ms", "--overhead-ms", "0", "--relative-error", "0.05", "--kind", "predicted"]
    table = imported(["fbnet", str(path), *facts, *options], "fbnet", output)
    assert table.ms[1].tolist() == list(range(1, 10))  # changes the shape, so that the skip is a convolution
    assert table.ms[2].tolist() == [*range(1, 9), 0]
    assert (table.stem_ms, table.head_ms) == (1.0, 14.0)
    assert table.kind == "predicted"


def test_everything_that_is_wrong_is_said_at_once(
    logs: Path, tiny_file: str, output: Path, log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    (logs / "stem.log").unlink()
    (logs / "L1_large.log").write_text(log(2100).replace("completely", "partially"))
    (logs / "L2_small.log").write_text("")
    (logs / "L2_large.log").write_bytes(b"\x80\x02}q\x00")
    (logs / "L1_small.log").write_text(log(1100)[:-60])
    (logs / "L7_small.log").write_text(log(1))
    (logs / "readme.txt").write_text(log(1))
    text = refused(["benchmark_model", str(logs), "--space", tiny_file, "--unit", "ms"], output, capsys)
    for message in (
        "L1_large.log: only partially executed by the GPU delegate",
        "L2_small.log: the file is empty",
        "L2_large.log: a binary file, expected text",
        "L1_small.log: the summary",
        "not used, no block that runs in this space: L7_small",
        "readme.txt:11: 'readme' is no key",
        "--unit ms: files of benchmark_model are in us; leave it out",
        "--device (phone or board",
        "missing entries (4): L1 small large; L2 small large",
        "give one, or --stem-ms",
    ):
        assert message in text
    assert f"{output} was not written, 4 problem(s):" in text


def test_a_table_is_never_half_replaced(
    logs: Path, tiny_file: str, facts: list[str], output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    imported(["benchmark_model", str(logs), *facts], tiny_file, output)
    before = output.read_bytes()
    (logs / "L1_small.log").unlink()
    assert (
        main(["import", "benchmark_model", str(logs), *facts, "--space", tiny_file, "--output", str(output)])
        == 1
    )
    assert "missing entries (1): L1 small" in capsys.readouterr().err
    assert output.read_bytes() == before
    assert list(output.parent.iterdir()) == [output]


def test_values_that_are_no_numbers(
    tmp_path: Path, tiny_file: str, facts: list[str], output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("key,ms\nL1_small,nan\nL1_large,1\nL2_small,1\nL2_large,inf\n")
    arguments = ["csv", str(path), *facts, *PARTS, "--relative-error", "0.1", "--space", tiny_file]
    text = refused(arguments, output, capsys)
    assert f"not read: {path}:2: ms nan is not a finite number" in text
    assert "missing entries (2): L1 small; L2 large" in text


def test_cpu_runs_must_be_asked_for(
    logs: Path, tiny_file: str, facts: list[str], output: Path, log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    for key, us in US.items():
        lines = log(us, delegated="", asked="Num threads: [1]").splitlines()
        (logs / f"{key}.log").write_text(
            "\n".join(line for line in lines if "GPU" not in line and "Gpu" not in line)
        )
    text = refused(["benchmark_model", str(logs), *facts, "--space", tiny_file], output, capsys)
    assert "7 reading(s) ran on the CPU; give --cpu if that is meant" in text
    assert imported(["benchmark_model", str(logs), *facts, "--cpu"], tiny_file, output).ms[0, 0] == 1.0


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--precision", "half", "precision: 'half'"),
        ("--date", "today", "date: 'today'"),
        ("--name", "my phone", "name:"),
    ],
)
def test_wrong_facts(
    logs: Path,
    tiny_file: str,
    facts: list[str],
    output: Path,
    option: str,
    value: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["benchmark_model", str(logs), *facts, option, value, "--space", tiny_file]
    assert message in refused(arguments, output, capsys)


@pytest.mark.parametrize("option", ["--relative-error", "--stem-ms"])
@pytest.mark.parametrize("value", ["nan", "-1", "much"])
def test_impossible_options(option: str, value: str, tiny_file: str, output: Path) -> None:
    with pytest.raises(SystemExit):
        main(["import", "csv", "x.csv", "--space", tiny_file, "--output", str(output), f"{option}={value}"])


def test_no_such_file_and_an_empty_folder(
    tmp_path: Path, tiny_file: str, facts: list[str], output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = refused(["csv", str(tmp_path / "none.csv"), *facts, "--space", tiny_file], output, capsys)
    assert "none.csv: no such file" in text
    (tmp_path / "empty").mkdir()
    assert "missing entries (4)" in refused(
        ["csv", str(tmp_path / "empty"), *facts, "--space", tiny_file], output, capsys
    )


def test_stem_and_head_of_the_space_are_in_the_header(
    logs: Path, tiny: SearchSpace, tiny_file: str, facts: list[str], output: Path
) -> None:
    fixed = imported(["benchmark_model", str(logs), *facts], tiny_file, output).provenance["fixed"]
    assert (len(fixed["stem"]), len(fixed["head"])) == (len(tiny.stem_ops), len(tiny.head_ops))


def test_logs_of_a_windows_console(
    logs: Path, tiny_file: str, facts: list[str], output: Path, log: Log
) -> None:
    (logs / "L1_small.log").write_text(log(1100), encoding="utf-16")
    assert imported(["benchmark_model", str(logs), *facts], tiny_file, output).ms[0, 0] == 1.0


def test_a_table_of_thousands_of_other_blocks(
    tmp_path: Path, tiny_file: str, facts: list[str], output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "lut.json"
    others = {f"Skip_H{size}_W{size}_Cin4_Cout6_stride2": 1.0 for size in range(100, 600)}
    own = {"L1_small": 1.0, "L1_large": 2.0, "L2_small": 3.0, "L2_large": 4.0}
    path.write_text(json.dumps({**others, **own}))
    options = [*PARTS, "--unit", "ms", "--relative-error", "0.1"]
    assert imported(["fbnet", str(path), *facts, *options], tiny_file, output).ms[1, 1] == 4.0
    assert "not used, either: 480 more readings" in capsys.readouterr().out


def test_a_skip_that_keeps_its_shape_is_0_whatever_its_log_says(
    logs: Path, tiny_file: str, facts: list[str], output: Path, log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    (logs / "L1_skip.log").write_text(log(101))
    assert imported(["benchmark_model", str(logs), *facts], tiny_file, output).ms[0, 2] == 0
    assert "not used, no block that runs in this space: L1_skip" in capsys.readouterr().out
