"""What the search refuses, in one sentence that names everything."""

from __future__ import annotations

from typing import Any

import pytest
import pytorch_lightning as pl

from dnas.runs.checkpoint import SEARCH
from dnas.space import SearchSpace
from lightning_modules.checks import check_same_search, check_trainer

TABLE = {"name": "phone", "kind": "measured", "sha256": "a" * 64}


@pytest.mark.parametrize(
    "strategy", ["auto", "ddp_find_unused_parameters_true", "ddp_spawn_find_unused_parameters_true"]
)
def test_what_works_is_let_through(strategy: str) -> None:
    devices = 1 if strategy == "auto" else 2
    check_trainer(pl.Trainer(accelerator="cpu", devices=devices, strategy=strategy, logger=False))


def test_all_unusable_flags_are_named_at_once() -> None:
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=2,
        strategy="ddp",
        precision="bf16-true",
        gradient_clip_val=1.0,
        accumulate_grad_batches=4,
        logger=False,
    )
    with pytest.raises(ValueError) as caught:
        check_trainer(trainer)
    said = str(caught.value)
    for flag in ("gradient_clip_val", "accumulate_grad_batches", "bf16-true", "trainer.strategy ddp"):
        assert flag in said
    for instead in (
        "model.weights.clip and model.alpha.clip",
        "model.steps.accumulate",
        "bf16-mixed",
        "ddp_find_unused_parameters_true",
    ):
        assert instead in said


def test_an_explicit_false_is_refused_too() -> None:
    trainer = pl.Trainer(
        accelerator="cpu", devices=2, strategy="ddp_find_unused_parameters_false", logger=False
    )
    with pytest.raises(ValueError, match="ddp_find_unused_parameters_true"):
        check_trainer(trainer)


@pytest.mark.parametrize(
    ("limits", "flag", "instead"),
    [({"max_steps": 3}, "max_steps", "max_epochs"), ({"max_time": "00:01:00:00"}, "max_time", "SIGUSR1")],
)
def test_limits_within_an_epoch_are_refused(limits: dict[str, Any], flag: str, instead: str) -> None:
    trainer = pl.Trainer(accelerator="cpu", max_epochs=2, logger=False, **limits)
    with pytest.raises(ValueError, match=rf"leave out the rest .* trainer\.{flag}.*{instead}"):
        check_trainer(trainer)


@pytest.mark.parametrize("name", ["check_val_every_n_epoch", "accumulate_grad_batches"])
def test_counts_of_nothing_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"trainer.{name} must be at least 1, got 0"):
        check_trainer(pl.Trainer(**{name: 0}, logger=False, enable_checkpointing=False))


def test_a_dry_run_is_let_through() -> None:
    check_trainer(pl.Trainer(accelerator="cpu", fast_dev_run=2, logger=False))


def section(space: SearchSpace, **changes: Any) -> dict[str, Any]:
    return {"format": SEARCH, "space": space.to_dict(), "table": TABLE, **changes}


def test_the_same_search_may_go_on(tiny_space: SearchSpace) -> None:
    check_same_search(section(tiny_space), tiny_space, {"phone": TABLE})


def test_another_space_and_table_are_named_together(tiny_space: SearchSpace) -> None:
    other = section(tiny_space.adapt(num_classes=11), table=TABLE | {"name": "tablet", "sha256": "b" * 64})
    with pytest.raises(ValueError, match=r"another tiny, .*latency table tablet, this search has phone"):
        check_same_search(other, tiny_space, {"phone": TABLE})


def test_no_search_at_all(tiny_space: SearchSpace) -> None:
    with pytest.raises(ValueError, match="not of a differentiable search"):
        check_same_search({}, tiny_space, {"phone": TABLE})
