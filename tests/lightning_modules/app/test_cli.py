"""The ``dnas`` command as a user meets it: files, overrides, two doors, mistakes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pytorch_lightning.callbacks import ModelCheckpoint

import dnas
from dnas.report.history import read_history
from dnas.search.gradient.objective import FBNetLatency, Objective
from lightning_modules.app.cli import LIGHTNING, MODULES, main
from lightning_modules.app.lightning_command import DnasCLI, run_lightning

RunCli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def fit(tiny_flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., DnasCLI]:
    """``dnas fit`` of the tiny space in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DNAS_RUN_FOLDER", "")

    def run(*more: str) -> DnasCLI:
        with torch.random.fork_rng(devices=[]):
            return run_lightning([*tiny_flags, *more])

    return run


def test_the_run_folder_holds_everything(
    fit: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit("--run_folder=here")
    files = {path.relative_to(tmp_path / "here").as_posix() for path in (tmp_path / "here").rglob("*.*")}
    assert files >= {
        "config.yaml",
        "metrics.csv",
        "checkpoints/last.ckpt",
        "figures/alpha.png",
        "figures/curves.png",
    }
    assert any("events.out.tfevents" in name for name in files)
    assert read_history(tmp_path / "here")["expected_latency_ms"].shape == (2,)
    said = capsys.readouterr().out
    assert "Run folder: here" in said and "Checkpoint: " in said
    assert said.count("Latency: adreno630_mace_calibrated") == 1
    assert "deployed network at 32 px; training sees images of 8 px" in said


def test_the_resolution_is_said_only_where_it_differs(fit: Any, capsys: pytest.CaptureFixture[str]) -> None:
    fit("--data.resolution=32", "--trainer.max_epochs=1", "--trainer.limit_train_batches=1")
    said = capsys.readouterr().out
    assert "Latency: " in said and "training sees" not in said


def test_flags_override_the_config(fit: Any) -> None:
    cli = fit(
        "--model.steps.warmup_epochs=0",
        "--model.init_args.steps.tau=2.5",
        "--data.init_args.batch_size=4",
        "--model.objective.form=FBNetLatency",
        "--model.objective.form.b=0.5",
        "--model.alpha.masks=SoftGumbel",
        "--trainer.max_epochs=1",
    )
    search = cli.model
    assert search.monitor.history[0]["tau"] == 2.5
    assert search.relaxation.alpha.abs().max() > 0
    assert search.objective == Objective(FBNetLatency(b=0.5), params_reward=0.1)
    assert type(search.alpha.masks).__name__ == "SoftGumbel"
    assert cli.datamodule.batch_size == 4
    kept = yaml.safe_load(Path(cli.trainer.default_root_dir, "config.yaml").read_text())
    assert kept["model"]["init_args"]["steps"]["tau"] == 2.5


def test_facts_of_the_data_reach_the_model(fit: Any) -> None:
    cli = fit("--data.in_channels=1", "--trainer.max_epochs=1")
    assert cli.model.supernet.stem[0].conv.in_channels == 1
    assert cli.model.num_classes == 10


def test_a_second_run_gets_another_folder(fit: Any, tmp_path: Path) -> None:
    folders = {Path(fit("--trainer.max_epochs=1").trainer.default_root_dir) for _ in range(2)}
    assert len(folders) == 2
    assert {folder.parent for folder in folders} == {Path("runs/digits-search")}
    assert all((tmp_path / folder / "checkpoints" / "last.ckpt").is_file() for folder in folders)


def test_a_checkpoint_callback_of_the_user_replaces_ours(fit: Any) -> None:
    cli = fit(
        "--trainer.callbacks+=pytorch_lightning.callbacks.ModelCheckpoint",
        "--trainer.callbacks.filename=mine",
        "--trainer.max_epochs=1",
    )
    (checkpoint,) = (each for each in cli.trainer.callbacks if isinstance(each, ModelCheckpoint))
    assert Path(checkpoint.best_model_path).name == "mine.ckpt"


@pytest.mark.slow
def test_validate_and_test_read_a_checkpoint(fit: Any, tiny_flags: list[str]) -> None:
    last = Path(fit("--run_folder=one", "--trainer.max_epochs=1").trainer.default_root_dir)
    flags = [flag for flag in tiny_flags[1:] if "max_epochs" not in flag]
    for command, metric in (("validate", "val_top1"), ("test", "test_top1")):
        cli = run_lightning([command, *flags, f"--ckpt_path={last / 'checkpoints' / 'last.ckpt'}"])
        assert 0.0 <= cli.trainer.callback_metrics[metric].item() <= 1.0


def test_a_checkpoint_does_not_override_the_command_line(fit: Any, tiny_flags: list[str]) -> None:
    """LightningCLI would take the hyper-parameters of the checkpoint, silently."""
    folder = fit("--run_folder=one", "--trainer.max_epochs=1").trainer.default_root_dir
    last = f"--ckpt_path={folder}/checkpoints/last.ckpt"
    assert fit(last, "--model.init_args.steps.tau=3.0").model.monitor.history[-1]["tau"] == 3.0
    with pytest.raises(SystemExit, match=r"Cannot resume .*another tiny, this search has moga"):
        main([*tiny_flags, last, "--model.space=moga", "--model.table=adreno630_mace_calibrated"])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--model.space=nosuch"], "Unknown search space 'nosuch'. Give one of fbnet, mnasnet"),
        (["--model.table=nosuch"], "Unknown latency table 'nosuch'"),
        (["--model.sharing=some"], "Unknown sharing 'some': expected one of independent, entangled"),
        (["--model.steps.warmup_epochs=-1"], "steps.warmup_epochs must be at least 0, got -1"),
        (["--model.objective.form.target_ms=5"], "Option 'target_ms' is not accepted"),
        (["--model.objective.form=AbsoluteLatency"], "arguments are required: target_ms, weight"),
        (
            ["--model.objective.form=AbsoluteLatency", "--model.objective.form={target_ms: 0, weight: -1}"],
            "target_ms must be finite and above 0, got 0.0; weight must be finite and not negative",
        ),
        (["--model.objective.params_reward=.inf"], "objective: params_reward must be finite, got inf"),
        (["--model.alpha.masks=dnas.search.gradient.masks.UniformPath"], "does not depend on alpha"),
        (["--model.steps.tau=-2"], "tau must stay above 0, got -2.0"),
        (["--model.steps.tau=warm"], 'Parser key "steps.tau"'),
        (["--model.nosuch=1"], "Option 'nosuch' is not accepted"),
        (["--data.batch_size=-3"], "batch_size must be an integer >= 1, got -3"),
        (["--data.batch_size=many"], "Expected a typing.Literal['auto']\n  Given value: many"),
        (["--nosuch=1"], "unrecognized arguments: --nosuch=1"),
        (["--config=nosuch.yaml"], "no config 'nosuch.yaml'"),
        (["--trainer.gradient_clip_val=1"], "use model.weights.clip"),
        (["--trainer.max_epochs=-1"], "set trainer.max_epochs to a number above 0"),
        (["--trainer.barebones=true"], "trainer.barebones goes without the checkpoints and logs of a run"),
        (["--ckpt_path=nosuch.ckpt"], "nosuch.ckpt"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_mistake_ends_in_one_message(
    flags: list[str], message: str, tiny_flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DNAS_RUN_FOLDER", "")
    monkeypatch.delenv("DNAS_TRACEBACK", raising=False)
    with pytest.raises(SystemExit) as caught:
        main([*tiny_flags, *flags])
    said = str(caught.value)
    assert said.startswith("dnas fit: ") and message in said
    assert len(said.splitlines()) <= 8
    for wrapping in ("Union", "Namespace(", "NoneType", "NestedArg"):
        assert wrapping not in said


def test_a_run_folder_in_use_is_refused(tiny_flags: list[str], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DNAS_RUN_FOLDER", "")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("precious")
    with pytest.raises(SystemExit, match="mine is not empty"):
        main([*tiny_flags, "--run_folder=mine"])
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


@pytest.mark.slow
def test_the_config_of_a_run_is_good_for_another(fit: Any, tmp_path: Path) -> None:
    fit("--run_folder=mine", "--trainer.max_epochs=1")
    before = {path: path.read_bytes() for path in (tmp_path / "mine").rglob("*.*")}
    flags = ["--config=mine/config.yaml", "--ckpt_path=mine/checkpoints/last.ckpt"]
    with torch.random.fork_rng(devices=[]):
        tested = run_lightning(["test", *flags])
        resumed = run_lightning(["fit", *flags, "--trainer.max_epochs=2"])
    folders = {Path(each.trainer.default_root_dir) for each in (tested, resumed)}
    assert len(folders) == 2 and {each.parent.name for each in folders} == {"mine-config"}
    assert resumed.trainer.current_epoch == 2
    assert before == {path: path.read_bytes() for path in (tmp_path / "mine").rglob("*.*")}


@pytest.mark.parametrize("argv", [[], ["-h"], ["--help"]])
def test_help_names_every_command(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(argv)
    said = capsys.readouterr().out
    for command in (*LIGHTNING, *MODULES):
        assert f"\n  {command} " in said


@pytest.mark.parametrize("command", [*LIGHTNING, *MODULES])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code in (0, None)
    assert "usage: " in capsys.readouterr().out


def test_an_unknown_command_names_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"unknown command 'serach', expected one of fit, validate"):
        main(["serach"])


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("exprot", "export"),
        ("Fit", "fit"),
        ("REFINE", "refine"),
        ("--versoin", "--version"),
        ("version", "--version"),
        ("help", "--help"),
    ],
)
def test_an_unknown_command_ends_in_one_sentence_with_a_suggestion(typed: str, meant: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main([typed])
    said = str(caught.value)
    assert said.endswith(f": did you mean {meant}?")
    assert len(said.splitlines()) == 1


def test_nothing_like_a_command_gets_no_suggestion() -> None:
    with pytest.raises(SystemExit, match=r"unknown command 'zzz', expected one of .*, doctor\.$"):
        main(["zzz"])


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--version"])
    assert capsys.readouterr().out == f"dnas {dnas.__version__}\n"


@pytest.mark.slow
def test_a_first_look_is_clean_and_runs_started_together_do_not_meet(
    tiny_flags: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    doors = [
        ["-m", "lightning_modules.app.cli"],
        ["-c", "from lightning_modules.app.cli import main; main()"],
    ]
    running = [
        subprocess.Popen(
            [sys.executable, *door, *tiny_flags, "--trainer.max_epochs=1"],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for door in doors
    ]
    said = ["".join(process.communicate(timeout=300)) for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    assert len(list((tmp_path / "runs" / "digits-search").iterdir())) == 2
    for text in said:
        for noise in (
            "litlogger",
            "args parameter",
            "LeafSpec",
            "many workers",
            "logging interval",
            "Warning",
        ):
            assert noise not in text


@pytest.mark.parametrize("flag", ["--data.batch_size=1", "--data.eval_batch_size=1"])
def test_a_single_value_per_channel_is_explained(fit: Any, flag: str) -> None:
    with pytest.raises(ValueError, match=r"single value per channel.*data\.batch_size.*data\.resolution"):
        fit("--data.resolution=1", flag, "--trainer.max_epochs=1")


def test_an_empty_validation_split_is_named_once(fit: Any) -> None:
    with pytest.warns(UserWarning, match="The val split is empty") as caught:
        fit("--data.val_fraction=0", "--trainer.max_epochs=1", "--trainer.limit_train_batches=1")
    assert not [each for each in caught if "Total length" in str(each.message)]


def test_no_epochs_make_no_checkpoint_and_say_so(fit: Any, capsys: pytest.CaptureFixture[str]) -> None:
    fit("--trainer.max_epochs=0")
    assert "Checkpoint: none, no epoch was trained" in capsys.readouterr().out


def test_a_dry_run_says_why_there_is_no_checkpoint(fit: Any, capsys: pytest.CaptureFixture[str]) -> None:
    fit("--trainer.fast_dev_run=true")
    assert "Checkpoint: none, trainer.fast_dev_run writes none" in capsys.readouterr().out


def test_who_wants_no_checkpoints_gets_none(fit: Any) -> None:
    cli = fit("--trainer.enable_checkpointing=false", "--trainer.max_epochs=1")
    assert not (Path(cli.trainer.default_root_dir) / "checkpoints").exists()


@pytest.mark.parametrize("flag", ["--trainer.check_val_every_n_epoch=2", "--trainer.val_check_interval=0.5"])
def test_the_last_checkpoint_is_of_the_last_epoch_however_rare_validation_is(fit: Any, flag: str) -> None:
    folder = Path(fit(flag, "--trainer.max_epochs=3").trainer.default_root_dir)
    assert torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == 2


@pytest.mark.parametrize("kind", ["weights", "list", "object"])
def test_what_others_saved_is_no_checkpoint_to_go_on_with(
    kind: str, tiny_flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    weights = torch.nn.Linear(2, 2).state_dict()
    content = {"weights": weights, "list": [weights], "object": torch.nn.Linear(2, 2)}[kind]
    torch.save(content, tmp_path / "theirs.pth")
    with pytest.raises(SystemExit) as caught:
        main([*tiny_flags, "--ckpt_path=theirs.pth"])
    said = str(caught.value)
    expected = "cannot be read as a checkpoint" if kind == "object" else "is no checkpoint of a training"
    assert f"theirs.pth {expected}" in said and "weights_only" not in said
