"""Modules as ONNX files, and what ONNX Runtime makes of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dnas.layers.layers import with_stock_convolutions
from dnas.support.files import replacing

# Of the extra ``dnas[onnx]``; all of them are needed to write a file.
PACKAGES = ("onnx", "onnxruntime", "onnxscript")


def write_onnx(
    module: nn.Module,
    shape: Sequence[int],
    path: Path,
    *,
    any_batch: bool = False,
    facts: Mapping[str, str] | None = None,
) -> None:
    """Write ``module``, in its present mode and with stock convolutions, as one file.

    An interrupted export leaves none, or the file of before.

    Args:
        module: takes one tensor (``images`` in the file) and returns one (``logits``).
        shape: of its input.
        path: where to; its folder is created.
        any_batch: leave the first dimension open instead of fixing it.
        facts: metadata of the file.
    """
    images = torch.randn(*shape)
    dimensions = ({0: torch.export.Dim("batch")},) if any_batch else None
    with warnings.catch_warnings():
        # The exporter warns of its own internals.
        warnings.simplefilter("ignore")
        program: Any = torch.onnx.export(
            with_stock_convolutions(module),
            (images,),
            dynamo=True,
            verbose=False,
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes=dimensions,
        )
    program.model.metadata_props.update(facts or {})
    with replacing(path) as stream:
        stream.write(program.model_proto.SerializeToString())


def load_onnx(path: Path) -> Callable[[Tensor], Tensor]:
    """The file in ONNX Runtime, on the processor: (N, C, H, W) images to its one output."""
    session = import_module("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: torch.from_numpy(session.run(None, {name: images.numpy()})[0])


def run_onnx(path: Path, images: Tensor) -> Tensor:
    """What ONNX Runtime computes of one batch; see :func:`load_onnx`."""
    return load_onnx(path)(images)
