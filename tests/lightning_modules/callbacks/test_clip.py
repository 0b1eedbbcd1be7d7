"""Each optimiser's gradients are clipped by their own norm."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from lightning_modules.callbacks import ClipGradients


@pytest.mark.parametrize(
    ("index", "norms", "clipped"),
    [
        (0, [1.0, None], [0.6, 0.8]),
        (0, [None, 1.0], [3.0, 4.0]),
        (1, [None, 2.5], [1.5, 2.0]),
        (0, [9.0, 1.0], [3.0, 4.0]),
    ],
)
def test_norm_over_all_parameter_groups(index: int, norms: list[float | None], clipped: list[float]) -> None:
    optimizers = []
    for _ in range(2):
        parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
        parameters[0].grad, parameters[1].grad = torch.tensor([3.0]), torch.tensor([4.0])
        optimizers.append(torch.optim.SGD([{"params": parameters[:1]}, {"params": parameters[1:]}], lr=1.0))
    trainer: Any = SimpleNamespace(optimizers=optimizers)
    ClipGradients(norms).on_before_optimizer_step(trainer, None, optimizers[index])  # type: ignore[arg-type]
    grads = [[group["params"][0].grad.item() for group in each.param_groups] for each in optimizers]
    assert grads[index] == pytest.approx(clipped)
    assert grads[1 - index] == [3.0, 4.0]


@pytest.mark.parametrize("norm", [0.0, -1.0, float("nan")])
def test_a_norm_must_be_above_zero(norm: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        ClipGradients([1.0, norm])
