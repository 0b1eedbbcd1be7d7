"""Signals, kills and ``--resume``: one folder, one curve, the same end bit for bit."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dnas.support import resuming
from dnas.support.files import only_one
from lightning_modules.app.cli import main
from lightning_modules.app.continuing import continued, newest_checkpoint, refuse_keywords
from lightning_modules.app.lightning_command import DnasCLI
from lightning_modules.app.run_logs import Events, MetricsFile
from lightning_modules.callbacks.figures import SearchFigures
from lightning_modules.data.digits import Digits

RunCLI = Callable[..., subprocess.CompletedProcess[str]]
# Signals of our choice, behind a batch of our choice: the process sends itself what a batch system would.
PRESS = """\
import os, signal
import pytorch_lightning as pl

class Press(pl.Callback):
    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        name, epoch, number = os.environ.get("PRESS", "none -1 -1").split()
        if (trainer.current_epoch, batch_idx) == (int(epoch), int(number)):
            for each in name.split("+"):
                os.kill(os.getpid(), getattr(signal, each))
"""


@pytest.fixture
def run(tiny_flags: list[str], environment: dict[str, str], run_cli: RunCLI, tmp_path: Path) -> RunCLI:
    """``dnas fit`` of three epochs of three steps, or going on with it, with a signal at PRESS."""
    (tmp_path / "press.py").write_text(PRESS, encoding="utf-8")
    paths = os.pathsep.join((environment["PYTHONPATH"], str(tmp_path)))
    flags = [*tiny_flags, "--trainer.max_epochs=3", "--trainer.limit_train_batches=3"]
    flags += ["--trainer.callbacks+=press.Press", "--checkpoint_minutes=1e-6"]

    def fit(*arguments: str, press: str = "none -1 -1") -> subprocess.CompletedProcess[str]:
        given = ["fit", *arguments] if "--resume" in arguments else [*flags, *arguments]
        return run_cli(*given, cwd=tmp_path, PYTHONPATH=paths, PRESS=press)

    return fit


def ends(run_folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(run_folder / "checkpoints" / "last.ckpt", weights_only=True)
    return {key: content[key] for key in ("state_dict", "optimizer_states", "random_state", "global_step")}


def curve(run_folder: Path) -> list[dict[str, str]]:
    """Without what depends on when an epoch was interrupted: means over its batches, and time."""
    with (run_folder / "metrics.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert rows, "an empty file is no curve"
    return [
        {key: row[key] for key in ("epoch", "step", "tau", "val_top1", "entropy") if key in row}
        for row in rows
    ]


@pytest.mark.slow
def test_stopped_killed_and_resumed_is_as_if_nothing_had_happened(run: RunCLI, tmp_path: Path) -> None:
    whole = run("--run_folder=whole")
    assert whole.returncode == 0, whole.stderr
    stopped = run("--run_folder=part", press="SIGTERM 0 1")
    assert stopped.returncode == 143, stopped.stderr
    assert stopped.stderr.splitlines()[-1].endswith("Go on with: dnas fit --resume part")
    assert "Traceback" not in stopped.stderr
    asked = run("--resume", "part", press="SIGUSR1 1 0")
    assert asked.returncode == 75, asked.stderr
    killed = run("--resume", "part", press="SIGKILL 2 1")
    assert killed.returncode == -9
    # In the middle of the third epoch, of which last.ckpt knows nothing.
    assert newest_checkpoint(tmp_path / "part") == tmp_path / "part" / "checkpoints" / "moment.ckpt"
    last = run("--resume", "part")
    assert last.returncode == 0, last.stderr
    torch.testing.assert_close(ends(tmp_path / "part"), ends(tmp_path / "whole"), rtol=0, atol=0)
    assert curve(tmp_path / "part") == curve(tmp_path / "whole")


@pytest.mark.slow
def test_a_second_signal_ends_the_process_without_a_checkpoint(run: RunCLI, tmp_path: Path) -> None:
    stopped = run("--run_folder=run", press="SIGINT+SIGTERM 0 1")
    assert stopped.returncode == -15
    assert not (tmp_path / "run" / "checkpoints" / "interrupted.ckpt").exists()


def save_progress(path: Path, batches: int) -> None:
    progress = {"total": {"completed": batches}}
    torch.save({"loops": {"fit_loop": {"epoch_loop.batch_progress": progress}}}, path)


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for name, done in (("early", 3), ("late", 7)):
        save_progress(folder / f"{name}.ckpt", done)
    assert newest_checkpoint(tmp_path) == folder / "late.ckpt"
    content = (folder / "late.ckpt").read_bytes()
    (folder / "late.ckpt").write_bytes(content[: len(content) // 2])
    assert newest_checkpoint(tmp_path) == folder / "early.ckpt"
    assert (
        f"Not used, damaged or no checkpoint of a training: {folder / 'late.ckpt'}" in capsys.readouterr().err
    )


@pytest.mark.parametrize("flags", [["--ckpt_path", "last"], ["--ckpt_path=best"]])
def test_keywords_are_refused_with_the_path_that_is_meant(flags: list[str], tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    path = tmp_path / "checkpoints" / "last.ckpt"
    save_progress(path, 1)
    with pytest.raises(ValueError, match="a new one holds no checkpoint") as caught:
        refuse_keywords(["fit", "--config", str(tmp_path / "config.yaml"), *flags])
    assert f"--ckpt_path {path}, " in str(caught.value)
    assert f"dnas fit --resume {tmp_path}" in str(caught.value)
    refuse_keywords(["fit", "--ckpt_path", str(path)])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no command.json"),
        ("{", "command.json is damaged"),
        ('{"command": "dnas refine", "arguments": [], "cwd": "."}', "was written by dnas refine"),
    ],
)
def test_what_cannot_be_resumed_says_why(content: str | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "command.json").write_text(content)
    with pytest.raises(SystemExit, match=message):
        main(["fit", "--resume", str(tmp_path)])


@pytest.mark.parametrize("flag", ["--run_folder", "--trainer.default_root_dir"])
def test_it_goes_on_in_no_other_folder(flag: str, tmp_path: Path) -> None:
    for arguments in ([flag, "other"], [f"{flag}=other"]):
        with pytest.raises(ValueError, match=f"in the run's own folder: leave out {flag}"):
            continued(tmp_path, ["fit", *arguments])


def test_killed_before_the_first_checkpoint_it_begins_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = {"command": "dnas fit", "arguments": ["--config", "a.yaml"], "cwd": str(tmp_path)}
    (tmp_path / "command.json").write_text(json.dumps(call))
    begun = ["fit", "--config", "a.yaml", f"--run_folder={tmp_path}", "--trainer.max_epochs=4"]
    assert continued(tmp_path, ["fit", "--trainer.max_epochs=4"]) == begun
    assert f"Nothing was saved yet: beginning anew in {tmp_path}" in capsys.readouterr().out
    resuming.remember(tmp_path, "dnas fit")
    assert continued(tmp_path, ["fit"])[: len(begun)] == begun, "killed again, it knows its further options"
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").write_bytes(b"torn")
    with pytest.raises(ValueError, match=r"All checkpoints in .* are damaged. Begin anew, in another folder"):
        continued(tmp_path, ["fit"])


def test_a_signal_before_the_first_step_says_how_to_go_on(
    tiny_flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Digits, "setup", lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit) as ended:
        main([*tiny_flags, f"--run_folder={tmp_path}"])
    assert ended.value.code == 143
    says = f"SIGTERM. It was before the first step. Go on with: dnas fit --resume {tmp_path}\n"
    assert capsys.readouterr().err.endswith(says)


@pytest.mark.parametrize(
    ("place", "name", "when"),
    [
        (DnasCLI, "_loggers", "It was before the first step"),
        (SearchFigures, "on_fit_end", "The training had come to its end"),
        (DnasCLI, "after_fit", "The training had come to its end"),
    ],
)
def test_a_signal_before_or_after_the_training_says_how_to_go_on(
    place: type,
    name: str,
    when: str,
    tiny_flags: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(place, name, lambda *_, **__: signal.raise_signal(signal.SIGUSR1))
    with pytest.raises(SystemExit) as ended:
        main([*tiny_flags, f"--run_folder={tmp_path}"])
    assert ended.value.code == 75
    says = f"SIGUSR1. {when}. Go on with: dnas fit --resume {tmp_path}\n"
    assert capsys.readouterr().err.endswith(says)


def test_a_finished_run_that_was_moved_names_its_checkpoint_where_it_is(
    tiny_flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([*tiny_flags, "--trainer.max_epochs=1", f"--run_folder={tmp_path / 'before'}"])
    (tmp_path / "before").rename(tmp_path / "after")
    capsys.readouterr()
    main(["fit", "--resume", str(tmp_path / "after")])
    assert f"Checkpoint: {tmp_path / 'after' / 'checkpoints' / 'last.ckpt'}\n" in capsys.readouterr().out


@pytest.mark.slow
def test_how_a_run_was_called_stays_known(tiny_flags: list[str], tmp_path: Path) -> None:
    """Begun anew with a further option it knows that, too; going on with one changes nothing."""
    command = tmp_path / "command.json"
    call = {"command": "dnas fit", "arguments": tiny_flags[1:], "cwd": str(tmp_path)}
    command.write_text(json.dumps(call))
    main(["fit", "--resume", str(tmp_path), "--trainer.max_epochs=1"])
    known = json.loads(command.read_text())
    assert known["arguments"] == [*tiny_flags[1:], f"--run_folder={tmp_path}", "--trainer.max_epochs=1"]
    main(["fit", "--resume", str(tmp_path), "--trainer.max_epochs=2"])
    assert json.loads(command.read_text()) == known
    assert [row["epoch"] for row in curve(tmp_path) if row["val_top1"]] == ["0", "1"]


def test_a_process_that_lightning_starts_finds_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first process has changed to the folder that the run was begun in."""
    monkeypatch.chdir(tmp_path)
    for name in ("run/checkpoints", "begun"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "run" / "config.yaml").touch()
    call = {"command": "dnas fit", "arguments": [], "cwd": str(tmp_path / "begun")}
    (tmp_path / "run" / "command.json").write_text(json.dumps(call))
    save_progress(tmp_path / "run" / "checkpoints" / "last.ckpt", 3)
    first = continued(Path("run"), ["fit"])
    assert Path.cwd() == tmp_path / "begun"
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("DNAS_RUN_FOLDER", str(tmp_path / "run"))
    assert continued(Path("run"), ["fit"]) == first


def test_metrics_of_steps_that_are_done_again_are_written_once(tmp_path: Path) -> None:
    first = MetricsFile(tmp_path)
    for epoch, step in enumerate((2, 5, 6, 8)):
        first.log_metrics({"loss": step / 2, "epoch": min(epoch, 2)}, step)
    first.save()
    with (tmp_path / "metrics.csv").open("a") as stream:
        stream.write("1")
    again = MetricsFile(tmp_path, done=(2, 7))
    again.log_metrics({"loss": 9.0, "new": 1.0}, 8)
    again.save()
    with (tmp_path / "metrics.csv").open(newline="") as stream:
        rows = [(row["step"], row["loss"], row["new"]) for row in csv.DictReader(stream)]
    assert rows == [("2", "1.0", ""), ("5", "2.5", ""), ("6", "3.0", ""), ("8", "9.0", "1.0")]


@pytest.mark.parametrize("damage", [(b"1.5", b"1,5"), (b"1.5", b"1\xae5"), (b"1.5", b"1\x005")])
def test_a_damaged_row_of_metrics_does_not_end_a_training(
    damage: tuple[bytes, bytes], tmp_path: Path
) -> None:
    first, file = MetricsFile(tmp_path), tmp_path / "metrics.csv"
    for step in range(3):
        first.log_metrics({"loss": step + 0.5, "epoch": 0}, step)
    first.save()
    file.write_bytes(file.read_bytes().replace(*damage))
    again = MetricsFile(tmp_path, done=(1, 3))
    again.log_metrics({"loss": 3.5, "epoch": 1}, 3)
    again.save()
    assert [row["step"] for row in curve(tmp_path) if row["step"] != "1"] == ["0", "2", "3"]


def test_two_runs_never_share_a_folder(tiny_flags: list[str], tmp_path: Path) -> None:
    with only_one(tmp_path / "run"), pytest.raises(SystemExit, match="Another run is at work in"):
        main([*tiny_flags, f"--run_folder={tmp_path / 'run'}"])
    assert not (tmp_path / "run" / "command.json").exists()


LOSE = """\
import shutil
from pathlib import Path
import pytorch_lightning as pl

class Lose(pl.Callback):
    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        if (trainer.current_epoch, batch_idx) == (0, 1):
            folder = Path(trainer.default_root_dir)
            shutil.rmtree(folder)
            folder.mkdir()
            (folder / "figures").write_text("in the way")
            (folder / "metrics.csv").mkdir()
"""


@pytest.mark.slow
def test_figures_and_logs_that_cannot_be_written_end_nothing(
    tiny_flags: list[str], environment: dict[str, str], run_cli: RunCLI, tmp_path: Path
) -> None:
    (tmp_path / "lose.py").write_text(LOSE, encoding="utf-8")
    paths = os.pathsep.join((environment["PYTHONPATH"], str(tmp_path)))
    flags = [*tiny_flags, "--trainer.callbacks+=lose.Lose", "--run_folder=run"]
    done = run_cli(*flags, cwd=tmp_path, PYTHONPATH=paths)
    assert done.returncode == 0, done.stderr
    assert "metrics.csv cannot be written" in done.stderr and "this goes on without" in done.stderr
    assert "Figures in " in done.stderr
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").is_file()


def log(events: Events) -> None:
    for step in range(40):
        events.log_metrics({"loss": 1.0}, step)
        events.save()
    events.finalize("failed")


def log_until_full(folder: Path) -> None:
    """In a process of its own, whose files may have 500 bytes, as on a disk that is full then."""
    import resource  # Windows has none

    resource.setrlimit(resource.RLIMIT_FSIZE, (500, resource.RLIM_INFINITY))
    with pytest.warns(UserWarning, match="File too large.* goes on without"):
        log(Events(folder))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
def test_events_on_a_full_disk_end_nothing(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=log_until_full, args=(tmp_path,))
    process.start()
    process.join(60)
    assert process.exitcode == 0


def test_logs_that_cannot_begin_end_nothing(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("in the way")
    events, metrics = Events(tmp_path / "run"), MetricsFile(tmp_path / "metrics")
    with pytest.warns(UserWarning, match=r"Events of TensorBoard in .* cannot be written .* goes on without"):
        events.log_hyperparams({"lr": 0.1})
    events.log_metrics({"loss": 1.0}, 1)
    events.save()
    (Path(metrics.log_dir) / "hparams.yaml").mkdir(parents=True)
    with pytest.warns(UserWarning, match=r"hparams.yaml in .* cannot be written"):
        metrics.log_hyperparams({"lr": 0.1})


@pytest.mark.slow
def test_a_checkpoint_that_cannot_be_written_ends_in_one_message(
    tiny_flags: list[str], run_cli: RunCLI, tmp_path: Path
) -> None:
    (tmp_path / "lose.py").write_text(LOSE.replace("figures", "checkpoints"), encoding="utf-8")
    done = run_cli(*tiny_flags, "--trainer.callbacks+=lose.Lose", "--run_folder=run", cwd=tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "last.ckpt cannot be written" in done.stderr
