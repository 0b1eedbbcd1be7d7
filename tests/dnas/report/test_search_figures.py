"""Figures of a search are written where there is something to show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from dnas.report.search_figures import write_candidate_figures, write_search_figures
from dnas.runs.checkpoint_file import read
from dnas.search.gradient.masks import probabilities
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture

PNG = b"\x89PNG"


def written(folder: Path) -> set[str]:
    assert all(path.read_bytes().startswith(PNG) for path in folder.iterdir())
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("epochs", [0, 1, 2])
def test_search_figures(tmp_path: Path, search_checkpoint: Path, epochs: int) -> None:
    checkpoint = read(search_checkpoint)
    shares = probabilities(checkpoint.alpha, torch.from_numpy(checkpoint.space.valid)).numpy()
    chosen = Architecture(checkpoint.space, (0, 0, 0))
    write_search_figures(tmp_path, checkpoint.history[:epochs], shares, chosen, "calibrated", target_ms=1.0)
    assert written(tmp_path) == ({"alpha.png", "curves.png"} if epochs else {"alpha.png"})


@pytest.mark.parametrize(
    ("accuracies", "compared"), [([], False), ([0.9], False), ([0.9, None], False), ([0.9, 0.8], True)]
)
def test_candidate_figures(
    tmp_path: Path, tiny_space: SearchSpace, accuracies: list[float | None], compared: bool
) -> None:
    rows = [
        {"name": f"n{i}", "latency_ms": 1.0 + i, "top1": top1, "params": 1000}
        for i, top1 in enumerate(accuracies)
    ]
    chosen = Architecture.random(tiny_space, np.random.default_rng(0))
    write_candidate_figures(tmp_path, rows, chosen, "calibrated")
    expected = {"architecture.png"} | ({"accuracy_latency.png"} if compared else set())
    assert written(tmp_path) == expected
