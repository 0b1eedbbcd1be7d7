"""Random numbers continue where the checkpoint was written, from the first resumed batch on."""

from __future__ import annotations

from typing import Any

import torch

from lightning_modules.callbacks import RandomState


def test_numbers_continue_once() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        torch.rand(3)
        checkpoint: dict[str, Any] = {}
        RandomState().on_save_checkpoint(None, None, checkpoint)  # type: ignore[arg-type]
        wanted = torch.rand(4)
        torch.manual_seed(2)
        resumed = RandomState()
        resumed.on_load_checkpoint(None, None, checkpoint)  # type: ignore[arg-type]
        # What happens between loading and the first batch (validation, making loaders) does not count.
        torch.rand(5)
        resumed.on_train_batch_start(None, None, None, 3)  # type: ignore[arg-type]
        first = torch.rand(2)
        resumed.on_train_batch_start(None, None, None, 4)  # type: ignore[arg-type]
        assert torch.equal(torch.cat([first, torch.rand(2)]), wanted)


def test_a_checkpoint_without_a_state_changes_nothing() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        before = torch.get_rng_state()
        resumed = RandomState()
        resumed.on_load_checkpoint(None, None, {})  # type: ignore[arg-type]
        resumed.on_train_batch_start(None, None, None, 0)  # type: ignore[arg-type]
        assert torch.equal(torch.get_rng_state(), before)
