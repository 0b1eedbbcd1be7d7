"""Memory in real fits: estimated, chosen with ``batch_size: auto``, and messages when there is none left."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from dnas.memory import Rehearsal
from dnas.runs.checkpoint_file import read
from dnas.search.gradient.masks import SoftGumbel
from lightning_modules.app.cli import main
from lightning_modules.callbacks import memory
from lightning_modules.data import Digits
from lightning_modules.search import DifferentiableSearch

MakeSearch = Callable[..., DifferentiableSearch]
Fit = Callable[..., pl.Trainer]


class Greedy(pl.Callback):
    """Asks for a petabyte in the training step of a batch, or in the evaluation of one."""

    def __init__(self, evaluation: bool = False) -> None:
        self.evaluation = evaluation

    def on_train_batch_start(self, *args: Any) -> None:
        if not self.evaluation:
            torch.empty(10**15, dtype=torch.uint8)

    def on_validation_batch_start(self, *args: Any) -> None:
        if self.evaluation:
            torch.empty(10**15, dtype=torch.uint8)


@pytest.fixture
def dense(make_search: MakeSearch) -> DifferentiableSearch:
    return make_search(weights={"masks": SoftGumbel()}, alpha={"masks": SoftGumbel()})


def limit(monkeypatch: pytest.MonkeyPatch, module: Any, free: int) -> None:
    """Let the machine have ``free`` bytes for a step, parameters included."""
    own = sum(each.nbytes for each in (*module.parameters(), *module.buffers()))
    monkeypatch.setattr(memory, "free_bytes", lambda device: free - own)


def rehearse(module: Any) -> Rehearsal:
    """Of 8-pixel images."""
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    return Rehearsal(memory._setting(trainer, module, Digits(resolution=8)))


def test_small_steps_are_not_talked_about(
    fit: Fit, make_search: MakeSearch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(make_search(), tmp_path)
    assert "Memory: " not in capsys.readouterr().out


@pytest.mark.slow
def test_large_steps_are_estimated_before_training(
    fit: Fit,
    dense: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    limit(monkeypatch, dense, 10**5)
    fit(dense, tmp_path, data={"batch_size": 32})
    said = capsys.readouterr().out
    assert "GB of 0.0 GB for a step of 32 images (checkpointing none)\n" in said
    assert "more than there is. Try, in this order: --model.checkpointing choice, then --model.chec" in said
    assert "--data.batch_size 16." in said


@pytest.mark.slow
def test_auto_takes_what_the_data_allow(
    fit: Fit, make_search: MakeSearch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = fit(make_search(), tmp_path, data={"batch_size": "auto"})
    assert trainer.datamodule.batch_size == 64  # 1,077 images that train weights, in 16 steps
    said = capsys.readouterr().out
    assert "batch_size auto took 64 (the largest that leaves 16 steps in an epoch of this data)" in said
    assert "for a step of 64 images (checkpointing none)" in said


@pytest.mark.slow
def test_auto_takes_what_memory_allows(
    fit: Fit,
    dense: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rehearsal = rehearse(dense)
    # Just too little for 48 images without checkpointing.
    free = int((rehearsal.measure(48, "none").peak - 1) / 0.9)
    assert rehearsal.measure(48, "choice").peak < 0.9 * free
    limit(monkeypatch, dense, free)
    monkeypatch.setattr(memory, "WANTED", 40)
    trainer = fit(dense, tmp_path, data={"batch_size": "auto"})
    assert trainer.datamodule.batch_size == 40
    assert "auto took 40 (the largest that fits), with checkpointing none." in capsys.readouterr().out
    monkeypatch.setattr(memory, "WANTED", 48)
    trainer = fit(dense, tmp_path, data={"batch_size": "auto"})
    assert trainer.datamodule.batch_size >= 48
    assert {block.checkpointing for block in dense.supernet.mixed_blocks()} < {"choice", "block"}


@pytest.mark.slow
def test_auto_begins_with_the_models_plan(fit: Fit, make_search: MakeSearch, tmp_path: Path) -> None:
    search = make_search(checkpointing="block")
    fit(search, tmp_path, data={"batch_size": "auto"})
    assert {block.checkpointing for block in search.supernet.mixed_blocks()} == {"block"}


@pytest.mark.slow
def test_a_resumed_search_keeps_its_batch(
    fit: Fit,
    make_search: MakeSearch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(memory, "STEPS_PER_EPOCH", 40)
    trainer = fit(make_search(), tmp_path, data={"batch_size": "auto"})
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    assert (read(tmp_path / "last.ckpt").data or {})["init_args"]["batch_size"] == 24
    monkeypatch.setattr(memory, "STEPS_PER_EPOCH", 16)
    options = {"max_epochs": 2, "ckpt_path": str(tmp_path / "last.ckpt")}
    trainer = fit(make_search(), tmp_path, data={"batch_size": "auto"}, **options)
    assert trainer.datamodule.batch_size == 24
    assert "took 24 (that of the checkpoint)" in capsys.readouterr().out


def test_auto_that_finds_no_batch_says_why(
    fit: Fit, make_search: MakeSearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = make_search()
    limit(monkeypatch, search, 1000)
    with pytest.raises(ValueError, match=r"^batch_size: auto finds no batch\. Not even 8 images fit into"):
        fit(search, tmp_path, data={"batch_size": "auto"})
    with pytest.raises(ValueError, match=r"finds no batch.*precision must be one of .*'64-true'"):
        fit(make_search(), tmp_path, data={"batch_size": "auto"}, precision="64-true")


@pytest.mark.slow
def test_auto_on_the_command_line_and_without_a_search(
    tiny_flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DNAS_RUN_FOLDER", "")
    main([*tiny_flags, "--data.init_args.batch_size=auto", "--trainer.max_epochs=1"])
    assert "batch_size auto took 64" in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r"only a search chooses batch_size 'auto', .*give a number"):
        main(["fit", "--config=digits/train.yaml", "--data.batch_size=auto", "--trainer.max_epochs=1"])


@pytest.mark.parametrize(
    ("plan", "ways"),
    [
        (
            "none",
            r"--model\.checkpointing choice \(about \d+\.\d\d GB\), then --model\.checkpointing block, ",
        ),
        ("choice", r"--model\.checkpointing block \(about \d+\.\d\d GB\), "),
        ("block", ""),
    ],
)
def test_running_out_of_memory_names_the_next_plan(
    fit: Fit, make_search: MakeSearch, tmp_path: Path, plan: str, ways: str
) -> None:
    search = make_search(checkpointing=plan)
    with pytest.raises(RuntimeError) as caught:
        fit(search, tmp_path, data={"batch_size": 32}, callbacks=[Greedy()])
    told = str(caught.value)
    first, last = told.splitlines()
    assert first.startswith(f"Out of memory in a step of 32 images with checkpointing {plan}, estimated at ")
    assert re.search(rf"in this order: {ways}(then )?--data\.batch_size 16\. ", first)
    assert "DefaultCPUAllocator" in last and "1000000000000000" in last


def test_running_out_of_memory_in_an_evaluation(fit: Fit, make_search: MakeSearch, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"evaluation of 256 images: lower --data\.eval_batch_size\."):
        fit(make_search(), tmp_path, callbacks=[Greedy(evaluation=True)])


def test_running_out_of_memory_ends_in_one_message_and_loses_nothing(
    tiny_flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DNAS_RUN_FOLDER", "")
    monkeypatch.delenv("DNAS_TRACEBACK", raising=False)

    class SecondEpoch(Greedy):
        def on_train_batch_start(self, trainer: pl.Trainer, *args: Any) -> None:
            if trainer.current_epoch == 1:
                super().on_train_batch_start(trainer, *args)

    original = DifferentiableSearch.configure_callbacks
    monkeypatch.setattr(
        DifferentiableSearch, "configure_callbacks", lambda self: [*original(self), SecondEpoch()]
    )
    with pytest.raises(SystemExit) as caught:
        main([*tiny_flags, "--run_folder=here"])
    told = str(caught.value)
    assert told.startswith("dnas fit: Out of memory in a step of 8 images with checkpointing none")
    assert len(told.splitlines()) == 3
    assert read(tmp_path / "here" / "checkpoints" / "last.ckpt").epoch == 0
