"""ONNX files, run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import nn

from dnas.export.formats.base import Format, Run, deployed
from dnas.nn.onnx_file import PACKAGES, load_onnx, write_onnx


class Onnx(Format):
    """One file, weights included."""

    name, suffix, runtime = "onnx", ".onnx", "ONNX Runtime"
    packages, extra = PACKAGES, "onnx"

    def write(
        self,
        module: nn.Module,
        shape: Sequence[int],
        path: Path,
        *,
        any_batch: bool,
        facts: Mapping[str, str],
    ) -> None:
        # Folded here: the exporter of PyTorch 2.6 knows no batch norms.
        write_onnx(deployed(module), shape, path, any_batch=any_batch, facts=facts)

    def load(self, path: Path) -> Run:
        return load_onnx(path)

    def name_problem(self, path: Path) -> str:
        return ""  # ONNX Runtime takes any
