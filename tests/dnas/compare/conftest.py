"""Points, methods and runs by hand, and refine folders as ``dnas refine`` would write them."""

from __future__ import annotations

import functools
import importlib.util
import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnas.compare.estimate import estimate
from dnas.compare.fronts import make_box
from dnas.compare.measures import attainment
from dnas.compare.model import (
    Agreement,
    AlphaAgainstChoices,
    Attainment,
    Box,
    Budget,
    Comparison,
    Cost,
    Curve,
    Estimate,
    Evaluator,
    Kind,
    Method,
    Point,
    Run,
    Table,
)
from dnas.costs import Costs, count
from dnas.space import SearchSpace, zoo
from dnas.space.architecture import Architecture
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


# Test folders are no packages, so the driver beside this file is loaded by its path.
_spec = importlib.util.spec_from_file_location("chromium", Path(__file__).with_name("page") / "chromium.py")
assert _spec is not None and _spec.loader is not None
chromium = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(chromium)

# Every reading checks the file against its schema.
shipped = functools.cache(SearchSpace.load)
published_network = functools.cache(zoo.load)

NAMES = (
    "FBNet-style search",
    "NSGA-II, seeded by the search",
    "NSGA-II, unseeded",
    "Regularised evolution",
    "Random search",
)
KINDS = ("differentiable", "evolutionary", "evolutionary", "baseline", "baseline")
LOW_MS, HIGH_MS = 8.2, 12.6


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium with :class:`chromium.Chromium`'s methods."""
    executable = chromium.find_chromium()
    if executable is None:
        pytest.skip(f"no Chromium: none of {', '.join(chromium.NAMES)} is on the path, CHROMIUM is not set")
    with chromium.Chromium(executable) as started:
        yield started


@pytest.fixture(scope="session")
def make_comparison() -> Callable[..., Comparison]:
    """Builds a comparison: ``make(methods=5, seeds=3, members=20, quality="top1", ...)``."""
    return make


def make(
    methods: int = 5,
    seeds: int = 3,
    members: int = 20,
    *,
    quality: str = "top1",
    space: SearchSpace | None = None,
    published: bool = True,
    names: Sequence[str] = NAMES,
    **replaced: Any,
) -> Comparison:
    """A comparison with plausible numbers, the same on every call; ``replaced`` are fields of its own."""
    space = shipped("moga") if space is None else space
    rng = np.random.default_rng(7)
    names = [*names, *(f"Variant {index}" for index in range(len(names), methods))][:methods]
    made = [_method(name, index, seeds, members, quality, space, rng) for index, name in enumerate(names)]
    if published:
        made.append(_published(space, quality, rng))
    searched = [method for method in made if method.kind != "zoo"]
    agreement = tuple(_agree(a, b) for i, a in enumerate(searched) for b in searched[i + 1 :])
    alphas = [m for m in searched if m.kind == "differentiable" and len(searched) > 1]
    fields: dict[str, Any] = {
        "title": f"Comparison of searches in the space {space.name}",
        "finding": "NSGA-II seeded by the differentiable search reaches 0.713 [0.702, 0.724] hypervolume "
        "against 0.655 [0.641, 0.669] of random search at equal evaluations (3 seeds each); seeding saves "
        "about half of the evaluations that the unseeded search needs.",
        "space": space.to_dict(),
        "table": Table(
            "adreno630_mace",
            "calibrated",
            "4f" * 32,
            "Xiaomi Mi MIX 3 (Adreno 630), MACE 0.11, 224 px, batch 1; calibrated, not timed block by block; "
            "leave-one-out error 2.3 % mean, 5.3 % max",
        ),
        "evaluator": Evaluator(
            "One-shot accuracy with inherited weights, BatchNorm statistics computed anew over 20 batches.",
            "supernet.ckpt",
            "a7" * 32,
            5000,
        ),
        "quality": quality,
        "box": Box((0.0, 1.0) if quality == "top1" else (2.3, 0.0), (14.2, 7.4), (3.1e6, 6.4e6)),
        "methods": tuple(made),
        "agreement": agreement,
        "alpha_against_choices": tuple(
            AlphaAgainstChoices(
                m.name,
                _frequencies(space, rng, 0.35),
                tuple(_agree(m, other) for other in searched if other is not m),
            )
            for m in alphas
        ),
        "budgets": tuple(_budgets(made, quality)),
        "notes": ("FBNet-style search: 60 networks were evaluated anew with supernet.ckpt.",),
        "versions": {"dnas": "0.1.0", "torch": "2.9.0", "numpy": "2.4.6", "python": "3.11.7"},
        "date": "2026-11-25T22:51:06Z",
    }
    return Comparison(**(fields | replaced))


def _method(
    name: str,
    index: int,
    seeds: int,
    members: int,
    quality: str,
    space: SearchSpace,
    rng: np.random.Generator,
) -> Method:
    kind = KINDS[index % len(KINDS)]
    level = 0.72 - 0.012 * index
    runs = tuple(_run(kind, seed, members, level, space, rng) for seed in range(seeds))
    volumes = [0.71 - 0.02 * index + 0.008 * rng.standard_normal() for _ in runs]
    searched = kind != "differentiable"
    return Method(
        name=name,
        kind=kind,  # type: ignore[arg-type]
        runs=runs,
        hypervolume=_about(volumes),
        hypervolume_plane=_about([value + 0.06 for value in volumes]),
        attainment=_attainment(runs, quality),
        cost=Cost(
            seconds=640.0 + 90 * index if searched else 4.0,
            images=3.1e7 if searched else None,
            evaluations=2100 if searched else None,
            training_seconds=5400.0 if searched else 7100.0,
            training_images=1.2e6,
        ),
        choice_frequencies=_frequencies(space, rng, 0.8),
        details="population 70, 30 generations, weights 2 2 1" if searched else "Gumbel-softmax, 30 epochs",
    )


def _run(
    kind: str, seed: int, members: int, level: float, space: SearchSpace, rng: np.random.Generator
) -> Run:
    level += 0.004 * rng.standard_normal()
    latencies = np.sort(rng.uniform(LOW_MS, HIGH_MS, members))
    points = tuple(_point(float(ms), level, space, rng, 0.003 * (kind == "baseline")) for ms in latencies)
    counts = np.arange(70, 2101, 70)
    final = level - 0.01
    volumes = final - 0.09 * np.exp(-counts / (500 + 900 * (kind == "baseline")))
    curve = tuple((float(n), float(v)) for n, v in zip(counts, volumes, strict=True))
    source = f"runs/{kind}/seed{seed}"
    return Run(seed, source, f"{seed:02x}" * 32, points, () if kind == "differentiable" else curve, Cost())


def _point(ms: float, level: float, space: SearchSpace, rng: np.random.Generator, noise: float) -> Point:
    top1 = level - 0.16 * np.exp(-(ms - LOW_MS + 0.6) / 1.5) - abs(noise * rng.standard_normal())
    return _network(Architecture.random(space, rng), ms, float(top1))


def _network(architecture: Architecture, ms: float, top1: float, name: str = "") -> Point:
    # Larger networks for larger indices: plausible is enough, and counting thousands takes seconds.
    share = float(np.mean(np.array(architecture.indices) / architecture.space.max_choices))
    return Point(
        choices=architecture.names,
        top1=top1,
        top5=top1 + 0.2,
        loss=2.6 - 2 * top1,
        latency_ms=ms,
        latency_low_ms=0.96 * ms,
        latency_high_ms=1.05 * ms,
        params=int(3.4e6 + 1.6e6 * share),
        madds=int(1.9e8 + 1.2e8 * share),
        generation=None if name else int(1000 * ms) % 30,
        name=name,
    )


def _published(space: SearchSpace, quality: str, rng: np.random.Generator) -> Method:
    values = {
        "moga_a": (11.0, 0.700),
        "moga_a_figure": (11.02, 0.699),
        "moga_b": (9.95, 0.690),
        "moga_c": (8.9, 0.676),
    }
    if space.name == "moga":
        points = tuple(
            _network(published_network(name), ms, top1, name) for name, (ms, top1) in values.items()
        )
    else:
        points = (_network(Architecture.random(space, rng), 10.0, 0.68, "own"),)
    run = Run(None, "zoo", None, tuple(sorted(points, key=lambda p: p.latency_ms)), (), Cost())
    attainment = _attainment((run,), quality)
    zeros = tuple(tuple(0.0 for _ in row) for row in space.valid)
    return Method(
        "published",
        "zoo",
        (run,),
        _about([0.61]),
        _about([0.66]),
        attainment,
        Cost(),
        zeros,
        "MoGA-A, B, C",
    )


def _about(values: Sequence[float | None]) -> Estimate:
    """The mean with an interval of about the right size."""
    known = [value for value in values if value is not None]
    if len(known) < len(values) or not known:
        return Estimate(None, None, None, tuple(values))
    mean = sum(known) / len(known)
    if len(known) == 1:
        return Estimate(mean, None, None, tuple(values))
    half = 2.5 * float(np.std(known, ddof=1)) / np.sqrt(len(known))
    return Estimate(mean, float(mean - half), float(mean + half), tuple(values))


def _attainment(runs: Sequence[Run], quality: str) -> Attainment:
    """At every latency of a member, the best, middle and worst of what the runs have by then."""
    sign = 1 if quality == "top1" else -1
    grid = np.array(sorted({point.latency_ms for run in runs for point in run.members}))
    held = np.sort([_held(run, quality, sign, grid) for run in runs], axis=0)
    rows = (held[-1], held[(len(runs) - 1) // 2], held[0])
    curves = (
        [(float(ms), sign * float(v)) for ms, v in zip(grid, row, strict=True) if np.isfinite(v)]
        for row in rows
    )
    return Attainment(*(_corners(curve) for curve in curves))


def _held(run: Run, quality: str, sign: int, grid: np.ndarray) -> np.ndarray:
    values = [sign * getattr(point, quality) for point in run.members]
    places = np.searchsorted([point.latency_ms for point in run.members], grid, side="right")
    return np.maximum.accumulate([-np.inf, *values])[places]


def _corners(curve: list[tuple[float, float]]) -> Curve:
    return tuple(corner for i, corner in enumerate(curve) if i == 0 or corner[1] != curve[i - 1][1])


def _frequencies(
    space: SearchSpace, rng: np.random.Generator, strength: float
) -> tuple[tuple[float, ...], ...]:
    rows = rng.gamma(1.2 - strength, 1.0, space.valid.shape) * space.valid + 1e-9 * space.valid
    return tuple(tuple(row) for row in (rows / rows.sum(axis=1, keepdims=True)).tolist())


def _agree(first: Method, second: Method) -> Agreement:
    a, b = np.array(first.choice_frequencies), np.array(second.choice_frequencies)
    distances = np.abs(a - b).sum(axis=1) / 2
    same = float((a.argmax(axis=1) == b.argmax(axis=1)).mean())
    return Agreement(first.name, second.name, same, float(distances.mean()), tuple(distances.tolist()))


def _budgets(methods: Sequence[Method], quality: str) -> Iterator[Budget]:
    for ms in np.linspace(LOW_MS + 0.5, HIGH_MS, 5).tolist():
        for method in methods:
            best = [
                max((p for p in run.members if p.latency_ms <= ms), key=lambda p: p.top1, default=None)
                for run in method.runs
            ]
            values = [None if p is None else float(getattr(p, quality)) for p in best]
            top1 = [None if p is None else p.top1 for p in best]
            yield Budget(ms, method.name, _about(values), _about(top1))
