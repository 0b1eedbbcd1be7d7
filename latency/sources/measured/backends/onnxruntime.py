"""ONNX Runtime on the processor: every graph exported once, all graph optimisations on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import torch
from torch import nn

from dnas.nn.onnx_file import PACKAGES, write_onnx
from dnas.support.extras import require
from latency.sources.measured.backends.base import (
    Backend,
    Options,
    clock_problems,
    cpu_facts,
    refuse_if,
    time_calls,
)


class ONNXRuntime(Backend):
    """Input and output are bound once, so that a run copies neither."""

    def __init__(self, options: Options) -> None:
        refuse_if([*clock_problems(options), *require(PACKAGES, "onnx")], "onnxruntime")
        self.runtime: Any = import_module("onnxruntime")
        self.models, self.options = options.work_dir / "models", options

    def prepare(
        self, name: str, build: Callable[[], nn.Module], shape: Sequence[int]
    ) -> Callable[[], object]:
        path = self.models / f"{name}.onnx"
        if not path.exists():
            write_onnx(build(), shape, path)
        settings = self.runtime.SessionOptions()
        settings.intra_op_num_threads, settings.inter_op_num_threads = self.options.threads, 1
        session = self.runtime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
        binding = session.io_binding()
        images = self.runtime.OrtValue.ortvalue_from_numpy(torch.randn(*shape).numpy())
        binding.bind_ortvalue_input(session.get_inputs()[0].name, images)
        binding.bind_output(session.get_outputs()[0].name, "cpu")
        return lambda: session.run_with_iobinding(binding)

    def time(self, runnable: Callable[[], object], runs: int) -> list[float]:
        return time_calls(runnable, runs, self.options.clock)

    def facts(self) -> dict[str, str]:
        how = "CPUExecutionProvider, all graph optimisations"
        return cpu_facts("ONNX Runtime", self.runtime.__version__, how, self.options)
