"""Settings that cannot be used are refused in one message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dnas.fidelity.command import main
from dnas.fidelity.settings import Settings

GOOD: dict[str, Any] = {"checkpoints": ["a.ckpt"], "output": Path("out"), "train_config": "b.yaml"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"architectures": 2}, ["--architectures must be 3 or more, got 2"]),
        (
            {"seed": -1, "epochs": 0},
            ["--seed must be 0 or more, got -1", "--epochs must be 1 or more, got 0"],
        ),
        ({"recalibration_batches": 0}, ["--recalibration-batches must be 1 or more, got 0"]),
        ({"checkpoints": []}, ["--checkpoint: name at least one supernet"]),
        ({"train_config": None}, ["give either --train-config, to train architectures, or --accuracies"]),
        ({"accuracies": Path("c.csv")}, ["give either --train-config"]),
        ({"accuracies": Path("c.csv"), "train_config": None, "epochs": 3}, ["do not go with --accuracies"]),
        ({"accuracies": Path("c.csv"), "train_config": None, "overrides": ["a=1"]}, ["do not go with"]),
        ({"draw_over": "keys"}, ["--draw-over must be one of architectures, networks, got keys"]),
        (
            {"accuracies": Path("c.csv"), "train_config": None, "draw_over": "networks"},
            ["--draw-over is for training"],
        ),
        (
            {"overrides": ["a=1", "b", "=2", "c="], "device": "tpu"},
            ["--set expects KEY=VALUE, as trainer.max_epochs=5; got b =2 c=", "--device must be one of auto"],
        ),
    ],
)
def test_refused(changes: dict[str, Any], told: list[str]) -> None:
    with pytest.raises(ValueError) as caught:
        Settings(**(GOOD | changes))
    assert all(part in str(caught.value) for part in told)


def test_good_ones() -> None:
    Settings(**GOOD)
    Settings(**(GOOD | {"train_config": None, "accuracies": Path("c.csv")}))
    Settings(**(GOOD | {"overrides": ["model.optimizer.init_args.lr=1e-3"], "device": "cpu"}))


def test_defaults_are_those_of_the_command() -> None:
    flags = ["--checkpoint", "a.ckpt", "--output", "out", "--train-config", "b.yaml"]
    options = vars(main.parser().parse_args(flags))
    plain = vars(Settings(**GOOD))
    assert {n: tuple(v) if isinstance(v, list) else v for n, v in options.items()} == {
        n: tuple(v) if isinstance(v, list) else v for n, v in plain.items()
    }
