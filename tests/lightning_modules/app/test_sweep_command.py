"""``dnas sweep`` with real searches of two members of a family, in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dnas.runs.checkpoint_file import read
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from dnas.support.sealed_json import seal, unseal
from dnas.support.stopping import Stopped
from latency.sources.calibrated.calibrated_table import build_calibrated
from latency.sources.calibrated.model import CalibratedModel
from lightning_modules.app.sweep_command import run_and_wait

RunCli = Callable[..., subprocess.CompletedProcess[str]]


def build_table(space: SearchSpace, width: float, folder: Path) -> None:
    member = space.scale(width=width, resolution=48)
    build_calibrated(CalibratedModel.load("adreno630_mace"), member, folder / f"w{width:g}.csv")


CHILD = """
import signal, sys, time
from pathlib import Path

def save(number, frame):
    Path(sys.argv[1], "saved").write_text(str(number))
    sys.exit(0)

signal.signal(signal.SIGTERM, save)
Path(sys.argv[1], "ready").touch()
time.sleep(60)
"""


def test_a_signal_goes_on_to_the_search(tmp_path: Path) -> None:
    def ask() -> None:
        while not (tmp_path / "ready").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    threading.Thread(target=ask).start()
    with pytest.raises(Stopped, match="SIGTERM"):
        run_and_wait([sys.executable, "-c", CHILD, str(tmp_path)])
    assert (tmp_path / "saved").read_text() == str(int(signal.SIGTERM))
    assert signal.getsignal(signal.SIGTERM) is before
    assert run_and_wait([sys.executable, "-c", "raise SystemExit(3)"]) == 3


@pytest.mark.slow
def test_searches_of_two_widths_make_one_front(
    run_cli: RunCli, tiny_flags: list[str], tiny_space: SearchSpace, tmp_path: Path
) -> None:
    flags = [flag.removeprefix("--") for flag in tiny_flags[2:] if "model.table" not in flag]
    command = ["sweep", "--config", "digits/search.yaml", "--set", *flags, "--output", "out"]
    command += ["--widths", "1", "1.5", "--resolutions", "48", "--targets", "0.01", "50"]
    command += ["--table", "w{width}.csv"]
    build_table(tiny_space, 1.0, tmp_path)

    # The second search has no table yet: the first one is not lost with it.
    failed = run_cli(*command, cwd=tmp_path)
    assert failed.returncode == 1
    assert "No latency table file 'w1.5.csv'" in failed.stderr
    assert "The search in out/searches/w1.5_48px/run-1 did not finish (exit status 1)" in failed.stderr
    assert "Traceback" not in failed.stderr
    first = tmp_path / "out/searches/w1_48px/run-1/checkpoints/last.ckpt"
    trained = first.read_bytes()

    build_table(tiny_space, 1.5, tmp_path)
    done = run_cli(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert first.read_bytes() == trained and not (first.parents[2] / "run-2").exists()
    assert "search 2 of 2: w1.5_48px" in done.stdout
    content = json.loads((tmp_path / "out/sweep.json").read_text())
    assert list(content["searches"]) == ["w1_48px", "w1.5_48px"]
    members = content["members"]
    assert [(each["space"], each["target_ms"]) for each in members] == [
        ("tiny_48px", 50),
        ("tiny_w1.5_48px", 50),
    ]
    assert all(each["unattainable_ms"] == [0.01] for each in content["searches"].values())
    for each in members:
        architecture = Architecture.load(tmp_path / "out" / each["file"])
        assert architecture.space.resolution == 48 and each["latency_ms"] <= 50
        assert 0 <= each["top1"] <= 1
    assert any(each["on_front"] for each in members)
    checkpoint = read(tmp_path / "out/searches/w1.5_48px/run-1/checkpoints/last.ckpt")
    assert checkpoint.space == tiny_space.scale(width=1.5, resolution=48)


@pytest.mark.slow
def test_every_target_may_have_a_search(
    run_cli: RunCli, tiny_flags: list[str], tiny_space: SearchSpace, tmp_path: Path
) -> None:
    flags = [flag.removeprefix("--") for flag in tiny_flags[2:] if "model.table" not in flag]
    form = ["model.objective.form=AbsoluteLatency", "model.objective.form.weight=1"]
    form.append("model.objective.form.target_ms={target}")
    build_table(tiny_space, 0.5, tmp_path)
    command = ["sweep", "--config=digits/search.yaml", "--set", *flags, *form, "--output", "out"]
    command += ["--widths", "0.5", "--resolutions", "48", "--table", "w{width}.csv", "--targets", "40", "50"]
    done = run_cli(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "out/sweep.json").read_text())
    assert [(each["search"], each["target_ms"]) for each in content["members"]] == [
        ("w0.5_48px_40ms", 40),
        ("w0.5_48px_50ms", 50),
    ]
    for target in (40, 50):
        config = (tmp_path / f"out/searches/w0.5_48px_{target}ms/run-1/config.yaml").read_text()
        assert f"target_ms: {target}" in config

    # Killed between its last epoch and the note that it has finished: it resumes, and has nothing to do.
    record = tmp_path / "out/searches/w0.5_48px_40ms/search.json"
    content = json.loads(record.read_text())
    record.write_text(json.dumps(seal(unseal(content) | {"checkpoint": None})))
    again = run_cli(*command, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert json.loads(record.read_text()) == content
    assert (record.parent / "run-2").is_dir()
    assert not (tmp_path / "out/searches/w0.5_48px_50ms/run-2").exists()
