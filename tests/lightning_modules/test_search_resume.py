"""Contract 7: interrupted and resumed equals uninterrupted, bit for bit; checkpoints hold plain data only."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from dnas.runs.checkpoint_file import read
from dnas.search.gradient.masks import SoftGumbel
from dnas.search.gradient.schedules import Cosine, Geometric
from dnas.support.stopping import Stopped
from latency.table.table_file import read_file, write_file
from lightning_modules.search import DifferentiableSearch

MakeSearch = Callable[..., DifferentiableSearch]
Fit = Callable[..., pl.Trainer]


class Press(pl.Callback):
    """Ctrl-C, once, when ``hook`` is called at a batch of an epoch."""

    def __init__(self, hook: str, epoch: int, batch: int) -> None:
        self.at, self.pressed = (epoch, batch), False
        setattr(self, hook, self._press)

    def _press(self, trainer: pl.Trainer, *arguments: Any) -> None:
        if (trainer.current_epoch, trainer.fit_loop.batch_idx) == self.at and not self.pressed:
            self.pressed = True
            os.kill(os.getpid(), signal.SIGINT)


def load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(path, weights_only=True)
    return content


def assert_equal(one: Any, other: Any, place: str = "") -> None:
    """Bit for bit, through dictionaries and lists."""
    assert type(one) is type(other), place
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), place
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), place
        for key in one:
            assert_equal(one[key], other[key], f"{place}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), place
        for index, pair in enumerate(zip(one, other, strict=True)):
            assert_equal(*pair, f"{place}[{index}]")
    else:
        assert one == other, place


def assert_same_end(one: Path, other: Path) -> None:
    first, second = load(one), load(other)
    for part in ("state_dict", "optimizer_states", "random_state", "global_step", "epoch"):
        assert_equal(first[part], second[part], part)
    assert first["dnas"]["draws"] == second["dnas"]["draws"]
    epochs = [[record["epoch"] for record in content["dnas"]["history"]] for content in (first, second)]
    assert epochs[0] == epochs[1] == [0.0, 1.0, 2.0]
    tau = [[record["tau"] for record in content["dnas"]["history"]] for content in (first, second)]
    assert tau[0] == tau[1]


def progress(checkpoint: Path) -> tuple[int, int]:
    """Epoch, and batches of it that are done."""
    loops = load(checkpoint)["loops"]["fit_loop"]
    done = loops["epoch_loop.batch_progress"]["current"]["completed"]
    return loops["epoch_progress"]["current"]["completed"], done


@pytest.fixture
def search(make_search: MakeSearch) -> MakeSearch:
    """With everything on that has a memory or depends on the position in training."""

    def make(**steps: Any) -> DifferentiableSearch:
        return make_search(
            weights={"lr": Cosine(1.0, 0.1), "clip": 1.0},
            alpha={"masks": SoftGumbel()},
            steps={"tau": Geometric(5.0, 0.5), "warmup_epochs": 1} | steps,
        )

    return make


@pytest.fixture
def fit_three_epochs(fit: Fit) -> Fit:
    return partial(fit, max_epochs=3, limit_train_batches=5)


@pytest.mark.parametrize(
    ("options", "press", "stops_at"),
    [
        pytest.param({}, Press("on_train_batch_end", 1, 2), (1, 3), id="between two steps"),
        pytest.param(
            {}, Press("on_before_optimizer_step", 1, 1), (1, 2), id="within a step", marks=pytest.mark.slow
        ),
        pytest.param(
            {}, Press("on_validation_batch_start", 0, 4), (1, 0), id="in validation", marks=pytest.mark.slow
        ),
        # 5 batches make steps of 2, 2 and 1: the interrupt waits for the second of a pair.
        pytest.param(
            {"accumulate": 2},
            Press("on_train_batch_end", 1, 0),
            (1, 2),
            id="accumulating",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"accumulate": 2, "bilevel": False}, Press("on_train_batch_end", 1, 2), (1, 4), id="single-level"
        ),
    ],
)
def test_interrupted_and_resumed_equals_uninterrupted(
    options: dict[str, Any],
    press: Press,
    stops_at: tuple[int, int],
    search: MakeSearch,
    fit_three_epochs: Fit,
    tmp_path: Path,
) -> None:
    press.pressed = False
    torch.manual_seed(0)
    with pytest.raises(Stopped, match=r"interrupted\.ckpt"):
        fit_three_epochs(search(**options), tmp_path / "stopped", callbacks=[press])
    checkpoint = tmp_path / "stopped" / "checkpoints" / "interrupted.ckpt"
    assert progress(checkpoint) == stops_at
    assert read(checkpoint).alpha.shape == (3, 4)
    # Another random state and other first weights: all that counts must come from the checkpoint.
    torch.manual_seed(99)
    other = search(**options)
    torch.nn.init.ones_(other.supernet.classifier.weight)
    fit_three_epochs(other, tmp_path, ckpt_path=checkpoint).save_checkpoint(tmp_path / "resumed.ckpt")
    torch.manual_seed(0)
    fit_three_epochs(search(**options), tmp_path).save_checkpoint(tmp_path / "whole.ckpt")
    assert_same_end(tmp_path / "resumed.ckpt", tmp_path / "whole.ckpt")


def test_resumed_from_the_end_of_an_epoch_equals_uninterrupted(
    search: MakeSearch, fit_three_epochs: Fit, tmp_path: Path
) -> None:
    every = ModelCheckpoint(tmp_path, filename="{epoch}", save_top_k=-1, every_n_epochs=1)
    torch.manual_seed(0)
    whole = fit_three_epochs(search(), tmp_path, callbacks=[every], enable_checkpointing=True)
    whole.save_checkpoint(tmp_path / "whole.ckpt")
    torch.manual_seed(99)
    resumed = fit_three_epochs(search(), tmp_path, ckpt_path=tmp_path / "epoch=1.ckpt")
    resumed.save_checkpoint(tmp_path / "resumed.ckpt")
    assert_same_end(tmp_path / "resumed.ckpt", tmp_path / "whole.ckpt")


def test_the_handler_is_given_back(make_search: MakeSearch, fit: Fit, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    fit(make_search(), tmp_path)
    assert signal.getsignal(signal.SIGINT) is before


def test_another_table_is_refused(
    make_search: MakeSearch, fit: Fit, search_checkpoint: Path, tiny_table_file: Path, tmp_path: Path
) -> None:
    file = read_file(tiny_table_file)
    header = {key: value for key, value in file.header.items() if key != "sha256"}
    header["fixed"] = header["fixed"] | {"overhead_ms": header["fixed"]["overhead_ms"] + 1.0}
    slower = write_file(tmp_path / "slower.csv", header, file.entries)
    with pytest.raises(ValueError, match=r"Cannot resume .* latency table"):
        fit(make_search(table=str(slower)), tmp_path, ckpt_path=search_checkpoint)


def test_a_checkpoint_of_something_else_is_refused(make_search: MakeSearch, fit: Fit, tmp_path: Path) -> None:
    path = tmp_path / "other.ckpt"
    content = {"state_dict": {}, "epoch": 0, "global_step": 0, "pytorch-lightning_version": pl.__version__}
    torch.save(content, path)
    with pytest.raises(ValueError, match="not of a differentiable search"):
        fit(make_search(), tmp_path, ckpt_path=path)


def test_a_search_made_in_python_saves_plain_data_only(search_checkpoint: Path) -> None:
    content = load(search_checkpoint)
    assert content["hyper_parameters"]["sharing"] == "entangled"
    # Settings are written as a config writes them; objects in them are left out, not pickled.
    assert content["hyper_parameters"]["steps"] == {
        "class_path": "lightning_modules.search_settings.Steps",
        "init_args": {
            "bilevel": True,
            "alternate": "step",
            "warmup_epochs": 0,
            "accumulate": 1,
            "tau": 1.0,
            "latency_scale": 1.0,
            "schedule_per_epoch": False,
        },
    }
    assert content["hyper_parameters"]["weights"]["init_args"] == {"lr": None, "clip": None}
    form = content["hyper_parameters"]["objective"]["init_args"]["form"]
    assert form["class_path"] == "dnas.search.gradient.objective.AdditiveLatency"
    assert content["dnas"]["data"]["class_path"].endswith("Digits")
