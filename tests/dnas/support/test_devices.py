"""The devices that commands know."""

from __future__ import annotations

import pytest
import torch

from dnas.support.devices import device_problems, torch_device


def test_an_unknown_device() -> None:
    assert device_problems("tpu") == ["--device must be one of auto, cpu, cuda, got tpu"]


@pytest.mark.parametrize("gpu", [True, False])
def test_with_and_without_a_gpu(gpu: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    assert torch_device() == torch_device("auto") == torch.device("cuda" if gpu else "cpu")
    assert torch_device("cpu") == torch.device("cpu")
    assert not device_problems("auto") and not device_problems("cpu")
    assert bool(device_problems("cuda")) is not gpu
