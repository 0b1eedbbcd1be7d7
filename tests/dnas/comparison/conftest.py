"""Points, methods and runs by hand, and refine folders as ``dnas refine`` would write them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from dnas.architecture import Architecture
from dnas.comparison.attainment import attainment
from dnas.comparison.estimate import estimate
from dnas.comparison.fronts import make_box
from dnas.comparison.model import Cost, Kind, Method, Point, Run
from dnas.costs import Costs, count
from dnas.space import SearchSpace
from latency import LatencyTable, load_table

CHECKPOINT = "c" * 64
# (choices, top1, loss): three architectures of the tiny space.
FRONT = (
    (("E1K3", "E1K3", "E1K3"), 0.5, 1.5),
    (("E2K5", "E1K3", "E2K5"), 0.7, 1.0),
    (("E3K5SE", "E3K5SE", "E3K5SE"), 0.9, 0.5),
)


@pytest.fixture(scope="session")
def tiny_table(tiny_table_file: Path, tiny_space: SearchSpace) -> LatencyTable:
    return load_table(tiny_table_file, tiny_space)


@pytest.fixture(scope="session")
def tiny_costs(tiny_space: SearchSpace) -> Costs:
    return count(tiny_space)


@pytest.fixture(scope="session")
def make_point() -> Callable[..., Point]:
    def make(latency_ms: float, top1: float, params: int = 100, **others: Any) -> Point:
        values: dict[str, Any] = {
            "choices": ("E1K3", "E1K3", "E1K3"),
            "top5": 1.0,
            "loss": 1 - top1,
            "latency_low_ms": latency_ms,
            "latency_high_ms": latency_ms,
            "madds": 1000,
        }
        return Point(latency_ms=latency_ms, top1=top1, params=params, **(values | others))

    return make


@pytest.fixture(scope="session")
def make_method() -> Callable[..., Method]:
    """A method of the given fronts, one per seed, with the given hypervolumes."""

    def make(
        name: str,
        fronts: Sequence[Sequence[Point]],
        volumes: Sequence[float | None] = (),
        kind: Kind = "evolutionary",
        evaluations: float | None = 100,
        frequencies: Sequence[Sequence[float]] = ((1.0, 0.0),),
    ) -> Method:
        cost = Cost(1.0, 10.0, evaluations, 60.0, 600.0)
        runs = tuple(
            Run(seed, f"runs/{name}_{seed}", None, tuple(f), (), cost) for seed, f in enumerate(fronts)
        )
        spread = estimate(volumes or [0.5] * len(fronts))
        curves = attainment(fronts, "top1")
        return Method(name, kind, runs, spread, spread, curves, cost, tuple(map(tuple, frequencies)))

    return make


@pytest.fixture
def write_refined(
    tmp_path: Path, tiny_space: SearchSpace, tiny_table: LatencyTable, tiny_costs: Costs
) -> Callable[..., Path]:
    """Writes the output folder of a refinement; keyword arguments replace keys of run.json."""

    def write(
        name: str,
        members: Sequence[tuple[Sequence[str], float, float | None]] = FRONT,
        front: dict[str, Any] | None = None,
        **overrides: Any,
    ) -> Path:
        quality = overrides.get("quality", "loss")
        box = make_box(tiny_table, tiny_costs, math.log(10) if quality == "loss" else None)
        run: dict[str, Any] = {
            "format": "dnas-refine/1",
            "space": tiny_space.to_dict(),
            "algorithm": "nsga2",
            "seeded_from": None,
            "seed": 0,
            "quality": quality,
            "population": 4,
            "generations": 3,
            "weights": [2, 2, 1],
            "bounds": {"latency_below_ms": None, "params_above": None},
            "box": {"quality": box.quality, "latency_ms": box.latency_ms, "params": box.params},
            "table": tiny_table.identity() | {"description": tiny_table.describe()},
            "checkpoint": {
                "file": "one_shot.ckpt",
                "sha256": CHECKPOINT,
                "kind": "one-shot",
                "epoch": 3,
                "sharing": "entangled",
                "training": {"seconds": 60.0, "images": 6000},
            },
            "evaluator": {"recalibration_batches": 8, "recalibration_images": 256, "validation_images": 180},
            "cost": {"evaluations": 12, "seconds": 6.0, "images": 5232},
            "versions": {},
            "date": "2026-01-01T00:00:00+00:00",
            "finished": True,
        }
        described = Architecture.from_names(FRONT[0][0], tiny_space).to_dict()
        content = {
            "format": "dnas-front/1",
            "space": described["space"],
            "space_sha256": described["space_sha256"],
            "members": [_member(*member) for member in members],
        }
        folder = tmp_path / name
        folder.mkdir()
        (folder / "run.json").write_text(json.dumps(run | overrides), encoding="utf-8")
        (folder / "front.json").write_text(json.dumps(content | (front or {})), encoding="utf-8")
        (folder / "hypervolume.csv").write_text(
            "generation,evaluations,hypervolume\n0,4,0.1\n1,8,0.2\n2,12,0.3\n", encoding="utf-8"
        )
        return folder

    return write


def _member(choices: Sequence[str], top1: float, loss: float | None) -> dict[str, Any]:
    """Latency and sizes are wrong on purpose: a comparison counts them itself."""
    wrong = {"latency_ms": 999.0, "latency_low_ms": 999.0, "latency_high_ms": 999.0, "params": 1, "madds": 1}
    return (
        {"choices": list(choices), "top1": top1, "top5": 1.0, "loss": loss}
        | wrong
        | {
            "rank": 0,
            "crowding": None,
            "generation": 2,
        }
    )
