"""A search that diverges, on the command line: its message, and going back once with lower learning rates."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_modules.app.lightning_command import DnasCLI, run_lightning
from lightning_modules.callbacks import Diverged

Fit = Callable[..., DnasCLI]
ROLLBACK = "--model.on_nan=rollback"
POISON = """\
import pytorch_lightning as pl

class Poison(pl.Callback):
    def __init__(self, epoch: int, times: int, name: str = "supernet.classifier.bias"):
        self.epoch, self.name = epoch, name
        Poison.left = getattr(Poison, "left", times)

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        if (trainer.current_epoch, batch_idx) == (self.epoch, 1) and Poison.left:
            Poison.left -= 1
            module.get_parameter(self.name).data.view(-1)[0] = float("nan")
"""


@pytest.fixture
def fit(tiny_flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fit:
    """``dnas fit`` of three epochs of three steps; ``poison``: epoch, times and name of what becomes NaN."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DNAS_RUN_FOLDER", "")
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(*more: str, poison: tuple[Any, ...] = ()) -> DnasCLI:
        (tmp_path / "poison.py").write_text(POISON, encoding="utf-8")
        monkeypatch.delitem(sys.modules, "poison", raising=False)
        flags = [*tiny_flags, "--trainer.max_epochs=3", "--trainer.limit_train_batches=3"]
        if poison:
            flags.append("--trainer.callbacks+=poison.Poison")
            names = ("epoch", "times", "name")
            flags += [f"--trainer.callbacks.{key}={value}" for key, value in zip(names, poison, strict=False)]
        return run_lightning([*flags, *more])

    return run


def load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(path, weights_only=True)
    return content


def with_lower_rates(path: Path, factor: float, other: Path) -> Path:
    """A checkpoint as it is, with all learning rates times ``factor``."""
    content = load(path)
    for state in content["optimizer_states"]:
        for group in state["param_groups"]:
            group.update({key: group[key] * factor for key in ("lr", "initial_lr") if key in group})
    torch.save(content, other)
    return other


@pytest.mark.slow
def test_going_back_is_resuming_from_the_last_good_state_with_lower_rates(fit: Fit, tmp_path: Path) -> None:
    with pytest.raises(Diverged) as stopped:
        fit("--run_folder=stopped", poison=(2, 1))
    good = Path("stopped/checkpoints/last.ckpt")
    assert "Epoch 2, batch 1: the loss became nan" in str(stopped.value)
    assert "supernet.classifier.bias is nan. Lower the learning rate" in str(stopped.value)
    assert f"The last good state is {good}. 'dnas fit --resume stopped --model.on_nan rollback'" in str(
        stopped.value
    )
    fit("--run_folder=back", ROLLBACK, "--model.rollback_lr=0.25", poison=(2, 1))
    lowered = with_lower_rates(good, 0.25, tmp_path / "lowered.ckpt")
    fit("--run_folder=resumed", f"--ckpt_path={lowered}")
    back, resumed = (load(Path(run, "checkpoints", "last.ckpt")) for run in ("back", "resumed"))
    for part in ("state_dict", "optimizer_states", "global_step"):
        torch.testing.assert_close(back[part], resumed[part], rtol=0, atol=0)
    rates = [record["alpha_lr"] for record in back["dnas"]["history"]]
    assert rates == pytest.approx([0.07, 0.07, 0.0175])
    assert back["callbacks"]["FiniteTraining"] == {"rolled_back": True}
    # As if the batches that were done again had been done once.
    assert (
        len(Path("back/metrics.csv").read_text().splitlines())
        == len(Path("stopped/metrics.csv").read_text().splitlines()) + 2
    )


def test_it_happens_once(fit: Fit) -> None:
    ends = r"lowered already.*The last good state is run.checkpoints.last\.ckpt\.$"
    with pytest.raises(Diverged, match=ends):
        fit("--run_folder=run", ROLLBACK, poison=(1, 2))


def test_before_the_first_checkpoint_it_stops(fit: Fit) -> None:
    with pytest.raises(Diverged, match="There is no checkpoint to go back to"):
        fit("--run_folder=run", ROLLBACK, poison=(0, 1))


def test_alpha_is_named_by_decision_and_choice(fit: Fit) -> None:
    with pytest.raises(Diverged, match="Epoch 1, batch 1: alpha of decision L1, choice E1K3, is nan"):
        fit("--run_folder=run", poison=(1, 1, "relaxation.alpha"))


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--model.rollback_lr=1.0", "rollback_lr must be above 0 and below 1, got 1.0"),
        ("--model.on_nan=go_on", "on_nan"),
    ],
)
def test_settings_that_cannot_be_used(fit: Fit, flag: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit(flag)
