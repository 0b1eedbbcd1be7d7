"""Measurements small enough for a test, and a backend whose times are written down beforehand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import nn

from dnas.space import SearchSpace
from latency.__main__ import main
from latency.sources.measured.backends.base import Backend, Effort, Options, Times


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def space_file(tmp_path: Path, tiny: SearchSpace) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(tiny.to_dict(), sort_keys=False))
    return path


@pytest.fixture
def run_measure(tmp_path: Path, space_file: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs the command on the tiny space with very few runs; options given twice: the last counts."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*options: str) -> int:
        few = ["--rounds", "2", "--runs", "2", "--warmup", "1", "--visit-ms", "0.1", "--repeats", "0"]
        paths = ["--space", str(space_file), "--output", str(tmp_path / "table.csv")]
        return main(["measure", "--backend", "torch-cpu", *paths, "--networks", "2", *few, *options])

    return run


class Scripted(Backend):
    """Takes ``ms[name]`` for a graph, times ``pace(number of visits so far)``."""

    def __init__(self, options: Options) -> None:
        self.ms: dict[str, float] = {}
        self.pace: Callable[[int], float] = lambda visits: 1.0
        self.visited: list[str] = []

    def prepare(self, name: str, build: Callable[[], nn.Module], shape: Sequence[int]) -> str:
        return name

    def time(self, runnable: str, runs: int) -> list[float]:
        return [self.ms.get(runnable, 1.0) * self.pace(len(self.visited))] * runs

    def visit(self, runnable: str, effort: Effort) -> Times:
        self.visited.append(runnable)
        return Times(tuple(self.time(runnable, effort.runs)), effort.runs)

    def facts(self) -> dict[str, Any]:
        return {}


@pytest.fixture
def scripted(tmp_path: Path) -> Scripted:
    return Scripted(Options(tmp_path))
