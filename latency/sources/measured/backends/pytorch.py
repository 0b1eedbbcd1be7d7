"""PyTorch in inference mode, channels last, batch norms folded: on the processor, and on an NVIDIA GPU.

On the processor it runs eagerly. On a GPU each graph is captured as a CUDA graph and timed by CUDA events: a
captured graph is started once for all its kernels, as an engine for deployment does, so the time is the
device's and not that of Python. The latter was not run for this release: no machine with a GPU was at hand.
"""

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

CAPTURE_WARMUP = 3  # runs before capturing: cuDNN chooses its kernels and allocates its workspace in them


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


class TorchCUDA(Backend):
    """fp32 without TF32, channels last, on the current CUDA device."""

    statistic = "median"

    def __init__(self, options: Options) -> None:
        lacking = "an NVIDIA GPU that PyTorch sees: install a driver and a CUDA build of torch (pytorch.org)"
        refuse_if([] if torch.cuda.is_available() else [lacking], "torch-cuda")
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = True

    @torch.inference_mode()
    def prepare(
        self, name: str, build: Callable[[], nn.Module], shape: Sequence[int]
    ) -> Callable[[], object]:
        module = build().to("cuda", memory_format=torch.channels_last)  # type: ignore[call-overload]
        images = torch.randn(*shape, device="cuda").contiguous(memory_format=torch.channels_last)
        # PyTorch asks for the warm-up on a stream of its own, so that the capture finds nothing pending.
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(CAPTURE_WARMUP):
                module(images)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            output = module(images)
        # The graph writes into memory of these tensors: they live as long as it does.
        return _Captured(graph, (module, images, output)).replay

    def time(self, runnable: Callable[[], object], runs: int) -> list[float]:
        pairs = [(_event(), _event()) for _ in range(runs)]
        torch.cuda.synchronize()
        for start, end in pairs:
            start.record()
            runnable()
            end.record()
        torch.cuda.synchronize()
        return [float(start.elapsed_time(end)) for start, end in pairs]

    def facts(self) -> dict[str, str]:
        name = torch.cuda.get_device_name()
        return {
            "device": f"computer with {name}",
            "soc": name,
            "gpu": name,
            "runtime": "PyTorch",
            "runtime_version": f"{torch.__version__}, CUDA {torch.version.cuda}",
            "backend": "cuda, CUDA graphs, channels last, batch norms folded, no TF32",
            "precision": "fp32",
        }


class _Captured:
    def __init__(self, graph: torch.cuda.CUDAGraph, kept: tuple[object, ...]) -> None:
        self.graph, self.kept = graph, kept

    def replay(self) -> None:
        self.graph.replay()


def _event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)
