"""Alpha is frozen in the first epochs, counted as Lightning counts them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lightning_modules.callbacks import AlphaWarmup


@pytest.mark.parametrize(("epochs", "frozen"), [(0, [False] * 4), (2, [True, True, False, False])])
def test_frozen_epochs(epochs: int, frozen: list[bool]) -> None:
    warmup, module = AlphaWarmup(epochs), SimpleNamespace(alpha_frozen=None)
    seen = []
    for epoch in range(4):
        trainer: Any = SimpleNamespace(current_epoch=epoch)
        warmup.on_train_batch_start(trainer, module, None, 7)  # type: ignore[arg-type]
        seen.append(module.alpha_frozen)
    assert seen == frozen


def test_negative_epochs_are_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        AlphaWarmup(-1)
