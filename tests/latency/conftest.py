"""A space small enough to compute by hand, and the file of a table for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dnas.space import SearchSpace
from latency.table.entry import Entry, Geometry
from latency.table.fit_to_space import fixed_operations
from latency.table.table_file import write_file

TINY = {
    "format": "dnas-space/1",
    "name": "tiny",
    "resolution": 8,
    "num_classes": 3,
    "stem": [{"type": "conv", "out": 4, "kernel": 3, "stride": 2, "activation": "relu"}],
    "choices": {
        "small": {"expansion": 1, "kernel": 3},
        "large": {"expansion": 2, "kernel": 5, "se": 0.5},
        "skip": {"skip": True},
    },
    "layers": [
        {"out": 4, "stride": 1, "activation": "relu"},
        {"out": 6, "stride": 2, "activation": "hswish", "choices": ["small", "large"]},
    ],
    "head": [{"type": "pool"}],
}
MS = {
    ("L1", "small"): 1.0,
    ("L1", "large"): 2.0,
    ("L1", "skip"): 0.0,
    ("L2", "small"): 0.25,
    ("L2", "large"): 4.0,
}


@pytest.fixture
def tiny() -> SearchSpace:
    return SearchSpace.from_dict(TINY)


@pytest.fixture
def header(tiny: SearchSpace) -> dict[str, Any]:
    facts = dict.fromkeys(
        (
            "device",
            "soc",
            "gpu",
            "runtime",
            "runtime_version",
            "backend",
            "statistic",
            "tool",
            "licence",
            "source",
        ),
        "x",
    )
    return {
        "format": "dnas-latency-table/2",
        "name": "tiny_phone",
        "kind": "measured",
        **facts,
        "precision": "fp16",
        "unit": "ms",
        "space": "tiny",
        "resolution": 8,
        "batch": 1,
        "date": "2020-02-29",
        "error": {"statement": "none known"},
        "fixed": {"stem_ms": 0.5, "head_ms": 0.125, "overhead_ms": 0.0625, **fixed_operations(tiny)},
        "calibration": None,
    }


@pytest.fixture
def entries(tiny: SearchSpace) -> list[Entry]:
    return [
        Entry(
            layer.name,
            choice.name,
            Geometry.of(layer, choice),
            MS[layer.name, choice.name],
            "measured",
            0.01,
            n=5,
        )
        for layer in tiny.layers
        for choice in layer.choices
    ]


@pytest.fixture
def file(tmp_path: Path, header: dict[str, Any], entries: list[Entry]) -> Path:
    return write_file(tmp_path / "tiny.csv", header, entries)
