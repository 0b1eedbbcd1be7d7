"""PyTorch on the processor: eager, inference mode, channels last, batch norms folded."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from latency.sources.measured.backends.base import (
    Backend,
    Options,
    clock_problems,
    cpu_facts,
    refuse_if,
    time_calls,
)


class TorchCPU(Backend):
    """Channels last is how this library trains and runs its networks."""

    def __init__(self, options: Options) -> None:
        refuse_if(clock_problems(options), "torch-cpu")
        self.options = options
        torch.set_num_threads(options.threads)

    def prepare(
        self, name: str, build: Callable[[], nn.Module], shape: Sequence[int]
    ) -> Callable[[], object]:
        module = build().to(memory_format=torch.channels_last)
        images = torch.randn(*shape).contiguous(memory_format=torch.channels_last)
        return lambda: module(images)

    @torch.inference_mode()
    def time(self, runnable: Callable[[], object], runs: int) -> list[float]:
        return time_calls(runnable, runs, self.options.clock)

    def facts(self) -> dict[str, str]:
        how = "cpu, eager, channels last, batch norms folded"
        return cpu_facts("PyTorch", str(torch.__version__), how, self.options)
