"""Programs of torch.export, run by torch alone."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dnas.export.formats.base import Format, Run, deployed
from dnas.support.files import replacing


class TorchExport(Format):
    """One file, weights included: ``torch.export.load(path).module()`` takes images."""

    name, suffix, runtime = "torch-export", ".pt2", "torch.export"

    def write(
        self,
        module: nn.Module,
        shape: Sequence[int],
        path: Path,
        *,
        any_batch: bool,
        facts: Mapping[str, str],
    ) -> None:
        with replacing(path) as stream:
            # Its own writing to a stream; to a path it would warn of names without its suffix.
            torch.export.save(program(module, shape, any_batch=any_batch), stream, extra_files=dict(facts))

    def load(self, path: Path) -> Run:
        return torch.export.load(path).module()


def program(module: nn.Module, shape: Sequence[int], *, any_batch: bool) -> Any:
    """The deployed module as torch.export has it.

    Args:
        shape: of its input; the first dimension stays open with ``any_batch``.
    """
    dimensions = ({0: torch.export.Dim("batch")},) if any_batch else None
    with warnings.catch_warnings():
        # The exporter warns of its own internals.
        warnings.simplefilter("ignore")
        return torch.export.export(deployed(module), (torch.randn(*shape),), dynamic_shapes=dimensions)
