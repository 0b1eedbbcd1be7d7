"""Spaces and tables for profiles: any array of milliseconds as the table of any space."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnas.space import SearchSpace
from latency.table import LatencyTable, load_table
from latency.table.entry import Entry, Geometry
from latency.table.fit_to_space import fixed_operations
from latency.table.table_file import write_file

MakeTable = Callable[..., LatencyTable]


@pytest.fixture
def make_table(tmp_path: Path, header: dict[str, Any]) -> MakeTable:
    """Writes and loads a table of ``space`` with (L, C) ``ms``; stem, head and overhead are 0.6875 ms."""

    def make(space: SearchSpace, ms: np.ndarray, name: str = "phone") -> LatencyTable:
        entries = [
            Entry(
                layer.name,
                choice.name,
                Geometry.of(layer, choice),
                float(ms[layer.index, i]),
                "measured",
                0.01,
            )
            for layer in space.layers
            for i, choice in enumerate(layer.choices)
        ]
        fixed = {**header["fixed"], **fixed_operations(space)}
        own = {"name": name, "space": space.name, "resolution": space.resolution, "fixed": fixed}
        return load_table(write_file(tmp_path / f"{name}.csv", {**header, **own}, entries), space)

    return make


@pytest.fixture(scope="session")
def factorial() -> SearchSpace:
    """Three layers of 2 x 2 choices (kernel x expansion), and one with a single choice."""
    return SearchSpace.from_dict(
        {
            "format": "dnas-space/1",
            "name": "factorial",
            "resolution": 16,
            "num_classes": 3,
            "stem": [{"type": "conv", "out": 4, "kernel": 3, "stride": 2, "activation": "relu"}],
            "choices": {
                "E1K3": {"expansion": 1, "kernel": 3},
                "E1K5": {"expansion": 1, "kernel": 5},
                "E2K3": {"expansion": 2, "kernel": 3},
                "E2K5": {"expansion": 2, "kernel": 5},
            },
            "layers": [
                {"out": 4, "stride": 1, "activation": "relu"},
                {"out": 6, "stride": 2, "activation": "relu"},
                {"out": 6, "stride": 1, "activation": "relu"},
                {"out": 8, "stride": 1, "activation": "relu", "choices": ["E2K3"]},
            ],
            "head": [{"type": "pool"}],
        }
    )
