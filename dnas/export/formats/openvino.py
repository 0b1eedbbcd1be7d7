"""OpenVINO's intermediate representation, run by OpenVINO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dnas.export.formats.base import Format, Run
from dnas.export.formats.torch_export import program


class OpenVino(Format):
    """A graph, ``model.xml``, and its weights, ``model.bin``; both in float32."""

    name, suffix, runtime = "openvino", ".xml", "OpenVINO"
    packages, extra = ("openvino",), "openvino"

    def write(
        self,
        module: nn.Module,
        shape: Sequence[int],
        path: Path,
        *,
        any_batch: bool,
        facts: Mapping[str, str],
    ) -> None:
        openvino: Any = import_module("openvino")
        model = openvino.convert_model(program(module, shape, any_batch=any_batch))
        model.input().set_names({"images"})
        model.output().set_names({"logits"})
        for name, value in facts.items():
            model.set_rt_info(value, ["dnas", name])
        # Its own choice is float16.
        openvino.save_model(model, str(path), compress_to_fp16=False)

    def load(self, path: Path) -> Run:
        core = import_module("openvino").Core()
        # Processors with bfloat16 would compute in it.
        compiled = core.compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

        def run(images: Tensor) -> Tensor:
            return torch.from_numpy(compiled(images.numpy())[0].copy())

        return run

    def companions(self, path: Path) -> tuple[Path, ...]:
        return (path.with_suffix(".bin"),)
