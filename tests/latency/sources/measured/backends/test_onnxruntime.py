"""Export and timing with ONNX Runtime itself."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from dnas.nn.onnx_file import run_onnx, write_onnx
from dnas.space import SearchSpace
from latency.sources.measured import graphs
from latency.sources.measured.backends import open_backend
from latency.sources.measured.backends.base import Options
from latency.table.errors import TableError

onnxruntime: Any = pytest.importorskip("onnxruntime")


def test_the_exported_block_computes_what_ours_does(tiny: SearchSpace, tmp_path: Path) -> None:
    layer = tiny.layers[0]
    module = graphs.block(layer, layer.choices[1])
    write_onnx(module, (1, 4, 4, 4), tmp_path / "block.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["block.onnx"]
    images = torch.randn(1, 4, 4, 4)
    torch.testing.assert_close(run_onnx(tmp_path / "block.onnx", images), module(images), atol=1e-5, rtol=0)


def test_a_block_is_exported_once_and_timed(tiny: SearchSpace, tmp_path: Path) -> None:
    backend = open_backend("onnxruntime", Options(tmp_path))
    layer = tiny.layers[0]
    shape = (1, 4, 4, 4)
    backend.prepare("block", partial(graphs.block, layer, layer.choices[0]), shape)

    def never() -> torch.nn.Module:
        raise AssertionError("built again")

    times = backend.time(backend.prepare("block", never, shape), 5)
    assert len(times) == 5 and all(0 < ms < 1000 for ms in times)
    assert backend.facts()["runtime_version"] == onnxruntime.__version__


def test_missing_packages_are_named_all_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("onnxruntime", "onnxscript"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(TableError, match=r"onnxruntime, onnxscript: pip install 'dnas\[onnx\]'"):
        open_backend("onnxruntime", Options(tmp_path))
