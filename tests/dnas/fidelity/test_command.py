"""The command itself: trained, killed and continued, read back, printed, refused."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dnas.fidelity.audit import Audit
from dnas.fidelity.command import main
from dnas.fidelity.correlation import best_tau
from dnas.fidelity.report import to_dict, write
from dnas.support.files import only_one

ROOT = Path(__file__).resolve().parents[3]

PRESS = """\
import os, signal
import pytorch_lightning as pl

class Press(pl.Callback):
    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        with open(os.environ["TRAINED"], "a") as file:
            file.write(f"{trainer.current_epoch} {batch_idx}\\n")
        if (trainer.current_epoch, batch_idx) == (int(os.environ["PRESS"]), 1):
            os.kill(os.getpid(), signal.SIGTERM)
"""


@pytest.fixture
def arguments(one_shot_checkpoint: Path, known_file: Path) -> list[str]:
    return [f"--checkpoint={one_shot_checkpoint}", "--recalibration-batches=1", f"--accuracies={known_file}"]


@pytest.fixture
def training(one_shot_checkpoint: Path) -> list[str]:
    """Three architectures, three steps each."""
    quick = ("data.resolution=8", "trainer.limit_train_batches=3", "trainer.limit_val_batches=1")
    options = ["--architectures=3", "--recalibration-batches=1", "--train-config=digits/train.yaml"]
    return [f"--checkpoint={one_shot_checkpoint}", *options, "--epochs=1", "--set", *quick]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def clean_environment() -> dict[str, str]:
    leaks = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "DNAS_RUN_FOLDER", "PL_GLOBAL_SEED", "DNAS_TRACEBACK")
    environment = {name: value for name, value in os.environ.items() if name not in leaks}
    return environment | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def kill_after_first_training(arguments: list[str], output: Path) -> None:
    command = [sys.executable, "-m", "dnas.fidelity", *arguments, f"--output={output}"]
    with subprocess.Popen(command, env=clean_environment(), stderr=subprocess.PIPE, text=True) as process:
        while not list(output.glob("trainings-*.jsonl")):
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)


@pytest.mark.slow
def test_trained_killed_continued_and_read_back(
    training: list[str], alone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = alone / "out"
    kill_after_first_training(training, output)
    (store,) = output.glob("trainings-*.jsonl")
    done = [
        json.loads(line) for line in store.read_text().split()[:0] or store.read_text().splitlines() if line
    ]
    assert 1 <= len(done) < 3 and not (output / "fidelity.json").exists()
    found = main([*training, f"--output={output}"])
    told = capsys.readouterr().out
    assert [str(each) for each in found.architectures][: len(done)] == [each["architecture"] for each in done]
    # The same seconds: it was not trained again.
    assert [each.seconds for each in found.stand_alone][: len(done)] == [each["seconds"] for each in done]
    assert len({each.top1 for each in found.stand_alone}) > 1
    assert {each.images for each in found.stand_alone} == {270}
    assert found.best_taus[180] == best_tau(found.top1, 180, 270, np.random.default_rng([0, 2]))
    assert found.source["overrides"][:2] == ["model.stem_stride=2", "trainer.max_epochs=1"]
    assert "entangled" in told and "top-1 on 270 test images" in told.replace("\n", " ")
    assert not list(output.glob("training-*"))
    # What it wrote is a file of known accuracies.
    known = f"--accuracies={output / 'architectures.csv'}"
    read_back = main([training[0], "--recalibration-batches=1", known, f"--output={alone / 'again'}"])
    assert [scored.correlation.tau.value for scored in read_back.scored] == [
        scored.correlation.tau.value for scored in found.scored
    ]


@pytest.mark.slow
def test_processes_share_it_and_find_the_same(training: list[str], alone: Path) -> None:
    """Three of them, stopped while at least one of them trains; two go on."""
    asked = [*training, "trainer.max_epochs=3", "--architectures=5"]

    def start(processes: int) -> subprocess.Popen[str]:
        torchrun = ("torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m")
        command = [sys.executable, "-m", *torchrun, "dnas.fidelity", *asked, f"--output={alone / 'out'}"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, env=clean_environment(), text=True, **pipes)

    killed = start(3)
    while not (running := list(alone.glob("out/training-*/*/run/checkpoints/last.ckpt"))):
        assert killed.poll() is None, killed.communicate()
        time.sleep(0.01)
    killed.send_signal(signal.SIGTERM)
    said = killed.communicate(timeout=60)[1]
    assert said.count("dnas fidelity: stopped by SIGTERM. ") == 1, said
    assert " --nproc-per-node 3 -m -- dnas.fidelity --checkpoint" in said
    stores = {path.name: path.read_bytes() for path in alone.glob("out/trainings-*.jsonl")}
    resumed = start(2)
    printed, errors = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, errors
    assert printed.count("Wrote ") == 1 and not list(alone.glob("out/training-*"))
    lines = [line for path in alone.glob("out/trainings-*.jsonl") for line in path.read_text().split("\n")]
    trained = [json.loads(line)["architecture"] for line in filter(None, lines)]
    assert len(trained) == 5 == len(set(trained)) and running
    for name, content in stores.items():
        assert (alone / "out" / name).read_bytes().startswith(content)
    main([*asked, f"--output={alone / 'one'}"])
    one, several = (rows(alone / name / "architectures.csv") for name in ("one", "out"))
    assert [row | {"seconds": ""} for row in several] == [row | {"seconds": ""} for row in one]
    assert (alone / "out/correlations.csv").read_bytes() == (alone / "one/correlations.csv").read_bytes()


def test_files_and_terminal(
    arguments: list[str],
    one_shot_checkpoint: Path,
    tiny_table_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Brackets must not be taken for markup.
    arguments[0] = f"--checkpoint=my [bold]={one_shot_checkpoint}"
    found = main([*arguments, f"--output={tmp_path}", f"--table={tiny_table_file}"])
    told = capsys.readouterr().out
    content = json.loads((tmp_path / "fidelity.json").read_text())
    assert {name: value for name, value in content.items() if name != "date"} == {
        name: value for name, value in to_dict(found).items() if name != "date"
    }
    assert content["format"] == "dnas-fidelity/1" and content["supernets"][0]["validation_images"] == 180
    assert content["architectures"] == {"drawn": 20, "counted": 20, "seed": 0}
    assert content["stand_alone"]["kind"] == "known" and content["stand_alone"]["rows"] == 40
    best = content["supernets"][0]["best_tau_estimate"]
    assert best["low"] < best["mean"] < best["high"]
    correlations = rows(tmp_path / "correlations.csv")
    assert list(correlations[0]) == ["checkpoint", "predictor", "n", "kendall_tau", "tau_low", "tau_high",
                                     "spearman", "rho_low", "rho_high"]  # fmt: skip
    assert [(row["checkpoint"], row["predictor"]) for row in correlations] == [
        ("my [bold]", "one-shot loss"),
        ("my [bold]", "one-shot top-1"),
        *(("", name) for name in ("parameters", "multiply-adds", "depth", "latency")),
    ]
    depth = correlations[4]
    assert depth["n"] == "20" and {depth[name] for name in list(depth)[3:]} == {""}
    assert content["correlations"][4]["kendall_tau"] is None
    assert float(correlations[0]["kendall_tau"]) == found.scored[0].correlation.tau.value
    networks = rows(tmp_path / "architectures.csv")
    assert networks[0]["architecture"] == "E1K3 E1K3 E1K3" and len(networks) == 20
    assert float(networks[3]["my [bold] one-shot loss"]) == found.evaluations[0][3].loss
    assert networks[0]["depth"] == "3.0" and networks[0]["seconds"] == ""
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"scatter.png", "tau.png"}
    assert content["finding"] in told.replace("\n", " ").replace("  ", " ") and " my [bold]  " in told
    assert "undefined" in told and str(found.scored[0].correlation.tau) in told
    assert f"Wrote {tmp_path / 'fidelity.json'}" in told


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--architectures=2"], "--architectures must be 3 or more, got 2"),
        (["--epochs=1"], "--epochs and --set are for training"),
        (["--train-config=digits/train.yaml"], "give either --train-config"),
        (["--architectures=21"], "Accuracies of only 20 architectures are known, 21 were asked for"),
        (["--checkpoint=none.ckpt"], "No checkpoint none.ckpt"),
        (["--table=nosuch"], "nosuch"),
        (["--accuracies=none.csv"], "--accuracies: no file none.csv"),
        (["--device=tpu"], "--device must be one of auto, cpu, cuda, got tpu"),
    ],
)
def test_mistakes_end_with_one_message(
    options: list[str], told: str, arguments: list[str], alone: Path
) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*arguments, f"--output={alone / 'out'}", *options])
    assert str(caught.value).startswith("dnas fidelity: ") and told in str(caught.value)


@pytest.mark.slow
def test_a_training_that_is_stopped_goes_on_where_it_was(training: list[str], alone: Path) -> None:
    """SIGTERM to the process itself, in the second epoch of the first training."""
    (alone / "press.py").write_text(PRESS, encoding="utf-8")
    asked = [*training, "trainer.callbacks=[{class_path: press.Press}]", "--epochs=3"]
    environment = {"PYTHONPATH": f"{ROOT}{os.pathsep}{alone}", "OMP_NUM_THREADS": "1"}

    def run(*arguments: str, press: str) -> subprocess.CompletedProcess[str]:
        trained = alone / f"{arguments[-1].removeprefix('--output=')}.txt"
        return subprocess.run(
            [sys.executable, "-m", "dnas.fidelity", *arguments],
            env=os.environ | environment | {"PRESS": press, "TRAINED": str(trained)},
            cwd=alone,
            capture_output=True,
            text=True,
            timeout=300,
        )

    stopped = run(*asked, "--output=out", press="1")
    assert stopped.returncode == 143, stopped.stderr
    assert "Go on with: dnas fidelity" in stopped.stderr and "Traceback" not in stopped.stderr
    (training_folder,) = (alone / "out").glob("training-*")
    assert list(training_folder.glob("*/run/checkpoints/interrupted.ckpt"))
    resumed = run("--resume", "out", press="-1")
    assert resumed.returncode == 0, resumed.stderr
    whole = run(*asked, "--output=whole", press="-1")
    assert whole.returncode == 0, whole.stderr
    accuracies = [
        [row["top1"] for row in rows(alone / name / "architectures.csv")] for name in ("out", "whole")
    ]
    assert len(accuracies[0]) == 3 and accuracies[0] == accuracies[1]
    # No batch was trained twice.
    assert (alone / "out.txt").read_text() == (alone / "whole.txt").read_text()


def test_configs_that_cannot_be_used(training: list[str], alone: Path) -> None:
    for option, told in (
        ("--train-config=none.yaml", "no config 'none.yaml'"),
        ("--set=trainer.nosuch=1", "nosuch"),
    ):
        with pytest.raises(SystemExit) as caught:
            main([*training, f"--output={alone / 'out'}", option])
        assert told in str(caught.value)
    assert not list((alone / "out").glob("trainings-*"))


def test_an_output_that_is_a_file_or_in_use(arguments: list[str], alone: Path) -> None:
    (alone / "file").write_text("mine")
    with pytest.raises(SystemExit, match="is a file: give a folder"):
        main([*arguments, f"--output={alone / 'file'}"])
    assert (alone / "file").read_text() == "mine"
    with only_one(alone / "out"), pytest.raises(SystemExit, match="at work in"):
        main([*arguments, f"--output={alone / 'out'}"])


def test_the_result_is_written_last(known_audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    output = known_audit.settings.output
    (output / "fidelity.json").unlink(missing_ok=True)

    def full(*arguments: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("dnas.fidelity.report.save_figure", full)
    with pytest.raises(OSError, match="disk full"):
        write(known_audit)
    assert (output / "correlations.csv").is_file() and not (output / "fidelity.json").exists()
