"""CUDA graphs where there is a GPU, the message where there is none."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch

from dnas.space import SearchSpace
from latency.sources.measured import graphs
from latency.sources.measured.backends import open_backend
from latency.sources.measured.backends.base import Options
from latency.table.errors import TableError


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_without_a_gpu_it_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"torch-cuda cannot run here; missing:\n.*NVIDIA GPU.*pytorch\.org"):
        open_backend("torch-cuda", Options(tmp_path))


@pytest.mark.gpu
def test_times_a_captured_block(tiny: SearchSpace, tmp_path: Path) -> None:
    backend = open_backend("torch-cuda", Options(tmp_path))
    layer = tiny.layers[0]
    runnable = backend.prepare("block", partial(graphs.block, layer, layer.choices[1]), (1, 4, 4, 4))
    times = backend.time(runnable, 5)
    assert len(times) == 5 and all(0 < ms < 1000 for ms in times)
    assert backend.facts()["gpu"] == torch.cuda.get_device_name()
