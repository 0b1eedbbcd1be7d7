"""The formats of exported files, one module each, by name."""

from __future__ import annotations

from dnas.export.formats.base import Format
from dnas.export.formats.onnx import Onnx
from dnas.export.formats.openvino import OpenVino
from dnas.export.formats.python import Python
from dnas.export.formats.torch_export import TorchExport

FORMATS: dict[str, Format] = {each.name: each for each in (Onnx(), TorchExport(), OpenVino(), Python())}
