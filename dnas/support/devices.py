"""The device that a command's ``--device`` names."""

from __future__ import annotations

import torch

DEVICES = ("auto", "cpu", "cuda")


def device_problems(name: str) -> list[str]:
    """What keeps ``--device name`` from being used, if anything."""
    if name not in DEVICES:
        return [f"--device must be one of {', '.join(DEVICES)}, got {name}"]
    if name == "cuda" and not torch.cuda.is_available():
        return ["--device cuda: no CUDA device is available"]
    return []


def torch_device(name: str = "auto") -> torch.device:
    """The device; ``auto`` is the GPU where there is one."""
    best = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(best if name == "auto" else name)
