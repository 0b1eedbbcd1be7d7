"""How well a measured table tells whole networks, for three ways to time a block, on this computer.

    python benchmarks/latency_measure.py --output runs/latency_measure

Every backend times the blocks and 40 whole networks of benchmarks/latency_measure.yaml in interleaved rounds.
Twenty networks are reported; the other twenty calibrate the table. The ways to time a block:

* behind a prefix: T(prefix + block) - T(prefix), which the command 'latency measure' does;
* alone: T(block) - T(empty graph);
* stacked: (T(four copies) - T(two copies)) / 2 where a block keeps its shape, else alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from torch import nn

from dnas import SearchSpace
from latency.sources.measured import graphs
from latency.sources.measured.additivity import agreement, choose_line, split
from latency.sources.measured.backends import open_backend
from latency.sources.measured.backends.base import CLOCKS, Effort, Options
from latency.sources.measured.plan import EMPTY, HEAD, STEM, Job, Plan, make_plan
from latency.sources.measured.session import Settings, measure
from latency.sources.measured.visits import STATISTICS, Estimate, estimate_all
from latency.sources.measured.work_dir import WorkDir
from latency.table.entry import Geometry

SPACE = Path(__file__).with_suffix(".yaml")
Way = Callable[[str], float]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backends", nargs="+", default=["torch-cpu", "onnxruntime"])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument(
        "--clock", choices=list(CLOCKS), default="wall", help="cpu leaves other processes out"
    )
    parser.add_argument("--output", required=True, help="folder for raw results; the same command resumes")
    options = parser.parse_args()
    console = Console()
    for name in options.backends:
        console.print(compare(name, options.rounds, options.clock, Path(options.output) / name))


def compare(name: str, rounds: int, clock: str, folder: Path) -> Table:
    """Measure with one backend and compare the three ways."""
    backend = open_backend(name, Options(folder, clock=clock))
    plan = with_other_ways(make_plan(SearchSpace.load(SPACE), networks=40, seed=0, empty=backend.empty))
    settings = Settings(Effort(3, 10, 20.0), rounds, backend.statistic, tolerance=0.1, repeats=2, seed=0)
    identity = {"benchmark": "latency_measure", "space": plan.space.digest, **backend.facts()}
    with WorkDir(folder, identity) as work, Progress(transient=True) as bar:
        task = bar.add_task(name)

        def progress(done: int, total: int, job: str) -> None:
            bar.update(task, completed=done, total=total)

        visits = measure(plan, backend, settings, work, progress)
    return report(
        plan, estimate_all(visits, STATISTICS[settings.statistic], settings.tolerance), f"{name}, {clock}"
    )


def with_other_ways(plan: Plan) -> Plan:
    """The plan with every block and the head alone, and stacks of the blocks that keep their shape."""
    extra = {}
    for geometry, name in plan.blocks.items():
        layer = next(layer for layer in plan.space.layers if name.startswith(f"{layer.name}_"))
        choice = next(choice for choice in layer.choices if Geometry.of(layer, choice) == geometry)
        build, shape = partial(graphs.block, layer, choice), plan.jobs[name].shape
        for count in (1, 2, 4) if layer.keeps_shape else (1,):
            extra[f"{count}x{name}"] = Job(f"{count}x{name}", shape, partial(_stack, build, count))
    extra[f"1x{HEAD}"] = Job(f"1x{HEAD}", plan.jobs[HEAD].shape, partial(graphs.head, plan.space))
    return replace(plan, jobs={**plan.jobs, **extra})


def _stack(build: Callable[[], nn.Module], count: int) -> nn.Module:
    return nn.Sequential(*(build() for _ in range(count)))


def report(plan: Plan, estimates: Mapping[str, Estimate], name: str) -> Table:
    """Errors of the reported networks: plain sums, and sums calibrated on the other networks."""
    ms = {job: estimate.ms for job, estimate in estimates.items()}

    def alone(block: str) -> float:
        return ms[f"1x{block}"] - ms[EMPTY]

    def stacked(block: str) -> float:
        return (ms[f"4x{block}"] - ms[f"2x{block}"]) / 2 if f"4x{block}" in ms else alone(block)

    table = Table("a block is timed", "plain sum", "max", "tau", "calibrated", "max", "tau", title=name)
    ways = {
        "behind a prefix": lambda block: ms[block] - ms[plan.before[block]],
        "alone": alone,
        "stacked": stacked,
    }
    for title, way in ways.items():
        table.add_row(title, *_row(plan, ms, way))
    return table


def _row(plan: Plan, ms: Mapping[str, float], way: Way) -> list[str]:
    reported, fitting = split(list(plan.networks))
    sums = {name: _sum(plan, ms, way, name) for name in plan.networks}
    x, y = (np.array([values[name] for name in reported]) for values in (sums, ms))
    line = choose_line(*(np.array([values[name] for name in fitting]) for values in (sums, ms)), ms[EMPTY])
    cells = []
    for predicted in (x + ms[EMPTY], line.at(x) if line else x + ms[EMPTY]):
        found = agreement(predicted, y)
        cells += [f"{found.mape:.1%}", f"{found.max_error:.1%}", f"{found.kendall_tau:.2f}"]
    return cells


def _sum(plan: Plan, ms: Mapping[str, float], way: Way, network: str) -> float:
    choices = zip(plan.space.layers, plan.networks[network].choices, strict=True)
    blocks = [plan.blocks[Geometry.of(layer, choice)] for layer, choice in choices]
    return ms[STEM] - ms[EMPTY] + way(HEAD) + sum(map(way, blocks))


if __name__ == "__main__":
    main()
