"""The command itself: what it prints and refuses, alone and as several processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dnas.fidelity.command import main as fidelity
from dnas.refine import run as refine_run
from dnas.refine.command import main
from dnas.refine.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def arguments(one_shot_checkpoint: Path, tiny_table_file: Path) -> list[str]:
    options = {"--checkpoint": one_shot_checkpoint, "--table": tiny_table_file, "--population": 5}
    small = {"--generations": 2, "--recalibration-batches": 1}
    return [f"{name}={value}" for name, value in (options | small).items()]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    leaks = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "DNAS_TRACEBACK")
    environment = {name: value for name, value in os.environ.items() if name not in leaks}
    environment |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "120"}
    return subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=300
    )


def test_it_prints_the_front_and_what_it_cost(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = main([*arguments, "--output", str(tmp_path)])
    printed = capsys.readouterr().out
    assert f"nsga2: front of {len(outcome.rows)}, of 10 evaluated" in printed
    assert f"{outcome.rows[0]['loss']:.4f}" in printed and "calibrated ms" in printed
    assert "Ranked by loss on 180 validation images" in printed and "s each" in printed
    assert f"Wrote {tmp_path / 'front.json'}" in printed.replace("\n", "")
    assert "Continued" not in printed
    main([*arguments, "--output", str(tmp_path)])
    assert "Continued from generation 2" in capsys.readouterr().out


def test_a_signal_says_how_to_go_on(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = main([*arguments, "--output", str(tmp_path / "whole")])
    save = refine_run._save

    def save_and_stop(*state: Any) -> None:
        save(*state)
        signal.raise_signal(signal.SIGUSR1)

    monkeypatch.setattr(refine_run, "_save", save_and_stop)
    with pytest.raises(SystemExit) as caught:
        main([*arguments, "--output", str(tmp_path / "run")])
    monkeypatch.undo()
    assert caught.value.code == 75
    said = capsys.readouterr().err
    assert "stopped by SIGUSR1. What is done is kept. Go on with: dnas refine --checkpoint" in said
    assert main(["--resume", str(tmp_path / "run")]).rows == whole.rows
    with pytest.raises(SystemExit, match="run was written by dnas refine: dnas refine --resume "):
        fidelity(["--resume", str(tmp_path / "run")])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "evaluations"),
    [
        ((), 10),
        (("--predictor", "auto", "--population", "9", "--generations", "3"), 27),
        (("--stop-early", "--population", "9", "--generations", "3"), 27),
    ],
)
def test_three_processes_find_the_same_as_one(
    options: tuple[str, ...],
    evaluations: int,
    arguments: list[str],
    one_shot_checkpoint: Path,
    tmp_path: Path,
) -> None:
    arguments = [*arguments, *options]
    if "--stop-early" in options:
        content = torch.load(one_shot_checkpoint, weights_only=True)
        content["dnas"]["data"]["init_args"]["eval_batch_size"] = 8
        torch.save(content, tmp_path / "small_batches.ckpt")
        arguments += ["--checkpoint", str(tmp_path / "small_batches.ckpt")]
    one = run("-m", "dnas.refine", *arguments, "--output", str(tmp_path / "one"))
    assert one.returncode == 0, one.stderr
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=3")
    three = run(*torchrun, "-m", "dnas.refine", *arguments, "--output", str(tmp_path / "three"))
    assert three.returncode == 0, three.stderr
    for name in ("front.json", "evaluated.csv", "hypervolume.csv"):
        assert (tmp_path / "three" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    shares = [len(path.read_text().split("\n\n")) for path in tmp_path.glob("three/evaluations-*.jsonl")]
    assert len(shares) == 3 and sum(shares) == evaluations
    if "--predictor" in options:
        assert "Generation 1: " in three.stderr and "of left-out architectures, chose " in three.stderr
    assert three.stdout.count("Wrote") == 1 and "Traceback" not in three.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--latency-below", "0.01"], "latency at most 0.01 ms"),
        (["--population", "0", "--generations", "0"], "--population must be 1 or more, got 0; --generations"),
        (["--weights", "1", "-1", "0"], "--weights must be three numbers, 0 or more and not all 0"),
        (["--predictor", "auto", "--algorithm", "random"], "--predictor is for nsga2 and its variants, not"),
        (["--target-ms", "5"], "--target-ms is for mnasnet and netadapt"),
        (["--algorithm", "mnasnet"], "mnasnet needs the latency that its reward aims at: --target-ms"),
        (["--algorithm", "netadapt"], "netadapt needs a network to begin with: --seed-from"),
        (["--latency-below", "nan"], "--latency-below must be a number above 0, got nan"),
        (["--device", "tpu"], "--device must be one of auto, cpu, cuda, got tpu"),
        (["--table", "nosuch"], "nosuch"),
        (["--checkpoint", "none.ckpt"], "No checkpoint none.ckpt"),
        (["--seed-from", "moga_a"], "is of the space moga"),
    ],
)
def test_mistakes_end_with_one_message(
    options: list[str], told: str, arguments: list[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*arguments, "--output", str(tmp_path / "out"), *options])
    assert told in str(caught.value) and str(caught.value).startswith("dnas refine: ")


def test_an_output_that_is_a_file(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SystemExit, match="is a file: give a folder"):
        main([*arguments, "--output", str(tmp_path / "file")])
    assert (tmp_path / "file").read_text() == "mine"


def test_every_algorithm_is_explained() -> None:
    from dnas.refine.settings import ALGORITHM_NAMES

    told = main.parser().format_help()
    assert all(f"\n  {name} " in told for name in ALGORITHM_NAMES)


def test_defaults_are_those_of_the_settings() -> None:
    options = vars(main.parser().parse_args(["--checkpoint", "a", "--output", "b"]))
    plain: Any = Settings(Path("a"), Path("b"))
    assert {name: tuple(v) if isinstance(v, list) else v for name, v in options.items()} == {
        name: tuple(v) if isinstance(v, list) else v for name, v in vars(plain).items()
    }
