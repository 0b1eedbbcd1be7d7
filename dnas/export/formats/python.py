"""Python files that need torch alone: the network written out, and its weights in a file beside it."""

from __future__ import annotations

import runpy
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

from dnas.export.formats.base import Format, Run
from dnas.export.formats.python_code import written_out
from dnas.layers.layers import with_stock_convolutions
from dnas.support.files import replacing, write_text


class Python(Format):
    """A source, ``model.py``, and a state dict, ``model.pt``; norms are not folded: it can be trained."""

    name, suffix, runtime = "python", ".py", "The Python file"

    def write(
        self,
        module: nn.Module,
        shape: Sequence[int],
        path: Path,
        *,
        any_batch: bool,
        facts: Mapping[str, str],
    ) -> None:
        module = with_stock_convolutions(module)
        weights = self.companions(path)[0]
        # The number of images is open whatever was asked for: it is Python.
        images = f"(N, {', '.join(map(str, shape[1:]))})"
        write_text(path, written_out(module, images, weights.name, facts))
        with replacing(weights) as stream:
            torch.save(module.state_dict(), stream)

    def load(self, path: Path) -> Run:
        return runpy.run_path(str(path))["load"]()

    def companions(self, path: Path) -> tuple[Path, ...]:
        return (path.with_suffix(".pt"),)
