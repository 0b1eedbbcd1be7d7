"""Real timings with PyTorch, by CUDA graphs where there is a GPU, and what all backends share."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import pytest
import torch

from dnas.space import SearchSpace
from latency.sources.measured import graphs
from latency.sources.measured.backends import BACKENDS, backend_class, open_backend
from latency.sources.measured.backends.base import MAX_RUNS, Effort, Options
from latency.table.errors import TableError


def test_times_a_real_block(tiny: SearchSpace, tmp_path: Path) -> None:
    backend = open_backend("torch-cpu", Options(tmp_path, threads=1))
    layer = tiny.layers[0]
    runnable = backend.prepare("block", partial(graphs.block, layer, layer.choices[1]), (1, 4, 4, 4))
    times = backend.time(runnable, 5)
    assert len(times) == 5 and all(0 < ms < 1000 for ms in times)
    assert torch.get_num_threads() == 1


def test_short_graphs_run_often_enough_to_fill_a_visit(tmp_path: Path) -> None:
    backend = open_backend("torch-cpu", Options(tmp_path))
    runnable = backend.prepare("empty", torch.nn.Identity, (1, 3, 8, 8))
    assert backend.visit(runnable, Effort(1, 7, 1e-6)).runs == 7
    times = backend.visit(runnable, Effort(1, 7, 1e9))
    assert times.runs == len(times.ms) == MAX_RUNS


def test_the_header_says_what_ran(tmp_path: Path) -> None:
    facts = open_backend("torch-cpu", Options(tmp_path, threads=2)).facts()
    assert facts["gpu"] == "none (CPU)" and facts["precision"] == "fp32"
    assert "2 thread(s)" in facts["backend"] and facts["runtime_version"] == torch.__version__


def test_the_cpu_clock_leaves_out_what_is_not_computed(tmp_path: Path) -> None:
    backend = open_backend("torch-cpu", Options(tmp_path, clock="cpu"))
    assert backend.time(lambda: time.sleep(0.1), 1)[0] < 100
    assert "processor time" in backend.facts()["backend"]
    assert open_backend("torch-cpu", Options(tmp_path)).time(lambda: time.sleep(0.1), 1)[0] >= 99


def test_the_cpu_clock_needs_one_thread(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="--threads 1: the clock 'cpu' sees one thread, not 2"):
        open_backend("torch-cpu", Options(tmp_path, threads=2, clock="cpu"))


@pytest.mark.parametrize("name", BACKENDS)
def test_every_backend_can_be_asked_for_its_defaults(name: str) -> None:
    assert backend_class(name).rounds >= 2


def test_an_unknown_backend(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="Unknown backend 'tpu': give one of torch-cpu, "):
        open_backend("tpu", Options(tmp_path))


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
