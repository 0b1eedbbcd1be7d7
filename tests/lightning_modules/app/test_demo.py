"""The demo as a new user runs it, held to what the README promises."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from dnas import Architecture, SearchSpace, costs
from latency import load_table

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole demo, made by the command that `make demo` runs."""
    output = tmp_path_factory.mktemp("demo")
    command = [Path(sys.executable).with_name("dnas"), "demo", "--output", output]
    done = subprocess.run(command, cwd=output, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return (output / "latest").resolve()


@pytest.fixture(scope="module")
def summary(demo: Path) -> dict:
    return json.loads((demo / "summary.json").read_text())


def test_latency_falls_and_accuracy_holds(summary):
    start, end = summary["expected_latency_ms_at_start"], summary["expected_latency_ms_at_end"]
    assert start - end >= 2.0
    assert summary["one_shot_top1"] >= 0.95
    assert summary["retrained_top1"] >= 0.975


def test_tighter_budgets_give_faster_networks(summary):
    latencies = [summary["latency_ms"], *(row["latency_ms"] for row in summary["budgets"])]
    assert len(latencies) == 4
    assert all(slower > faster for slower, faster in pairwise(latencies))
    assert all(0.9 < row["top1"] <= 1.0 for row in summary["budgets"])


def test_architecture_file_says_what_the_table_and_the_counts_say(demo, summary):
    path = demo / "derived" / "architecture.json"
    arch, written = Architecture.load(path), json.loads(path.read_text())
    assert arch.space == SearchSpace.load("moga")
    assert str(arch) == summary["architecture"]
    table = load_table("adreno630_mace_calibrated", arch.space)
    assert written["costs"]["latency_ms"] == pytest.approx(table.latency_ms(arch), abs=1e-9)
    assert written["costs"]["params"] == costs.count(arch.space).params_of(arch) == summary["params"]
    assert written["provenance"]["table"] == table.identity()


@pytest.mark.parametrize(
    "name",
    [
        "search/figures/alpha.png",
        "search/figures/curves.png",
        "budgets/accuracy_latency.png",
        "derived/architecture.png",
    ],
)
def test_figures_are_there(demo, name):
    assert (demo / name).read_bytes().startswith(b"\x89PNG")


def test_the_searches_are_compared_at_equal_evaluations(demo, summary):
    comparison = json.loads((demo / "comparison" / "comparison.json").read_text())
    methods = {method["name"]: method for method in comparison["methods"]}
    evolved = ("NSGA-II seeded", "NSGA-II", "random")
    assert set(methods) == {"search", *evolved, "published"}
    assert {methods[name]["cost"]["evaluations"] for name in evolved} == {96}
    volumes = {name: methods[name]["hypervolume"]["mean"] for name in evolved}
    assert all(0.1 < volume < 1 for volume in volumes.values())
    assert summary["finding"] == comparison["finding"]
    report = (demo / "comparison" / "report.html").read_text()
    assert "http-equiv" in report and all(f">{name}<" in report for name in methods)


def test_interrupted_readme_path_works_on_the_demos_checkpoint(demo, tmp_path):
    """The checkpoint that the README points at can be derived from after the folder was moved."""
    moved = shutil.copytree(demo / "search", tmp_path / "moved")
    command = [sys.executable, "-m", "dnas.derive", "--checkpoint", moved / "checkpoints" / "last.ckpt"]
    command += ["--latency-below", "7", "--no-accuracy", "--output", tmp_path / "derived"]
    subprocess.run(command, check=True, cwd=tmp_path, capture_output=True)
    assert json.loads((tmp_path / "derived" / "architecture.json").read_text())["costs"]["latency_ms"] <= 7.0
