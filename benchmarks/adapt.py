"""How good a table of a phone is that nobody measured by kernel: each of six known phones left out in turn.

The phone left out is known by the end-to-end latencies of 5, 10 or 20 random networks; all others are
predicted by ``latency adapt`` (Kendall's tau, mean error, share within the 90 % interval), by the model of
three coefficients of ``latency calibrate``, and by the one known table that fits best, times a factor. "Own
kernels" are the sums of the phone's own kernels, calibrated with nothing left out, for comparison. Needs the
public measurements (repository qed-usc/mobile-ml-benchmark, folder 'dataset') in $DNAS_DATA/mobile-gpu.

    python benchmarks/adapt.py
    python benchmarks/adapt.py --predicted   # known phones say what their tables would, families left out
    python benchmarks/adapt.py --blocks      # blocks of the shipped phones' tables, each left out in turn
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple
from itertools import product
from pathlib import Path
from typing import NamedTuple

import adapt_data
import numpy as np
from adapt_data import Phones
from rich.console import Console
from rich.table import Table
from scipy.stats import kendalltau, norm

from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency import LatencyTable, load_table
from latency.kernels import Runtime
from latency.sources.adapted.adaptation import adaptation
from latency.sources.adapted.known import KnownPhones
from latency.sources.adapted.model import Spread, adapt
from latency.sources.adapted.spread import ASSUMED, learn
from latency.sources.adapted.timings import Timing
from latency.sources.adapted.validation import leave_out
from latency.sources.assembled.dataset import Dataset
from latency.sources.calibrated.fit import TimedNetwork, fit
from latency.table import TableError

LEVEL = 0.9
SPACE = "moga"
TESTED = 300  # random networks, with --blocks
NOISE = 0.03  # of simulated timings: about how far sums of kernels are from end to end


class Score(NamedTuple):
    """Of one draw: mean error, Kendall tau, share within the interval (NaN without one)."""

    error: float
    tau: float
    inside: float


Predictions = tuple[np.ndarray, float]  # milliseconds, and one relative standard deviation (NaN: none)
Method = Callable[[Phones, int, np.ndarray], Predictions]


def main() -> None:
    arguments = _parser().parse_args()
    console = Console(highlight=False, width=132)
    if arguments.blocks:
        console.print(_blocks())
        return
    if "DNAS_DATA" not in os.environ:
        raise SystemExit("Set DNAS_DATA to the folder that holds mobile-gpu/.")
    phones = adapt_data.load(Path(os.environ["DNAS_DATA"], "mobile-gpu"), predicted=arguments.predicted)
    populations = {"MBConv networks": phones.mbconv}
    if not arguments.predicted:
        populations = {"networks of all kinds": np.ones(len(phones.names), dtype=bool), **populations}
    for title, chosen in populations.items():
        console.print(
            f"\n{chosen.sum()} {title}, {arguments.draws} random draws of those timed: mean (of draws)"
        )
        console.print(_table(phones.of(chosen), arguments.draws, arguments.assumed))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=20, help="random sets of timed networks (20)")
    parser.add_argument(
        "--predicted", action="store_true", help="known phones by their tables' kernel models"
    )
    parser.add_argument(
        "--assumed",
        type=float,
        default=1.0,
        metavar="FACTOR",
        help="of how much phones are taken to differ (1)",
    )
    parser.add_argument("--blocks", action="store_true", help="blocks instead of networks")
    return parser


def _table(phones: Phones, draws: int, factor: float) -> Table:
    grid = Table("timings", "figure", "method", *phones.gpus, "mean", "best on", box=None, pad_edge=False)
    for column in grid.columns[3:]:
        column.justify = "right"
    methods = {"adapt": _adapt(factor), "calibrate": _calibrate, "scaling": _scale}
    refused = []
    own = np.array([_figures(*each) for each in zip(phones.parts.sum(axis=2), phones.timed_ms, strict=True)])
    for figure, column in (("mean error", 0), ("tau", 1)):
        texts = [_text(value, column) for value in (*own[:, column], own[:, column].mean())]
        grid.add_row("all", figure, "own kernels", *texts, "")
    for timings in (5, 10, 20):
        scores = {name: scored(phones, method, timings, draws) for name, method in methods.items()}
        refused += [
            f"{name} refused {count} of {of_method[..., 0].size} sets of {timings}"
            for name, of_method in scores.items()
            if (count := np.isnan(of_method[..., 0]).sum())
        ]
        means = {name: _means(of_method) for name, of_method in scores.items()}
        for figure, column, best in (("mean error", 0, np.argmin), ("tau", 1, np.argmax)):
            order = best(np.array([mean[:, column] for mean in means.values()]), axis=0)
            for index, (name, mean) in enumerate(means.items()):
                texts = [_text(value, column) for value in (*mean[:, column], mean[:, column].mean())]
                grid.add_row(str(timings), figure, name, *texts, f"{(order == index).sum()}")
        spread = scores["adapt"][:, :, 0].std(axis=1)
        grid.add_row(str(timings), "  its deviation", "adapt", *(f"{value:.1%}" for value in spread), "", "")
        inside = means["adapt"][:, 2]
        texts = [f"{value:.0%}" for value in (*inside, inside.mean())]
        grid.add_row(str(timings), f"in {LEVEL:.0%} interval", "adapt", *texts, "")
    grid.caption = "; ".join(refused)
    return grid


def _means(scores: np.ndarray) -> np.ndarray:
    """(P, 3) means of the draws that were not refused; 0 where a method gives no interval."""
    known = ~np.isnan(scores)
    return np.where(known, scores, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)


def _text(value: float, column: int) -> str:
    return f"{value:.3f}" if column else f"{value:.1%}"


def scored(phones: Phones, method: Method, timings: int, draws: int) -> np.ndarray:
    """(P, draws, 3) scores of a method about the networks not timed; draws that it refuses are NaN."""
    return np.array(
        [
            [_score(phones, method, phone, timings, draw) for draw in range(draws)]
            for phone in range(len(phones.gpus))
        ]
    )


def _score(phones: Phones, method: Method, phone: int, timings: int, draw: int) -> Score:
    order = np.random.default_rng([draw, timings]).permutation(len(phones.names))
    timed, others = np.sort(order[:timings]), order[timings:]
    try:
        predicted, sigma = method(phones, phone, timed)
    except TableError:  # networks too much alike for three coefficients
        return Score(np.nan, np.nan, np.nan)
    truth = phones.timed_ms[phone, others]
    error, tau = _figures(predicted[others], truth)
    inside = np.abs(predicted[others] - truth) <= norm.ppf((1 + LEVEL) / 2) * sigma * predicted[others]
    return Score(error, tau, np.nan if np.isnan(sigma) else float(inside.mean()))


def _figures(predicted: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Mean error and Kendall tau."""
    return float(np.abs(predicted / truth - 1).mean()), float(kendalltau(predicted, truth).statistic)


def _adapt(factor: float = 1.0) -> Method:
    """The model of the library; how phones differ is learned once from all networks on the known ones.

    Args:
        factor: of what is assumed of that before.
    """
    assumed = Spread(*(factor * value for value in astuple(ASSUMED)))
    spreads: dict[int, Spread] = {}

    def method(phones: Phones, phone: int, timed: np.ndarray) -> Predictions:
        known = np.delete(phones.parts, phone, axis=0)
        if phone not in spreads:
            spreads[phone] = learn(known, assumed)
        timed_ms = phones.timed_ms[phone, timed]
        model = adapt(known[:, timed], timed_ms, spreads[phone])
        return model.latency_ms(known), leave_out(known[:, timed], timed_ms, spreads[phone]).sigma

    return method


def _calibrate(phones: Phones, phone: int, timed: np.ndarray) -> Predictions:
    runtime = Dataset.load().runtime
    networks = [
        TimedNetwork(phones.names[index], phones.ops[index], phones.timed_ms[phone, index]) for index in timed
    ]
    found = fit(runtime, networks)
    cost = np.array([found.dense_ms_per_gmadd, found.depthwise_ms_per_gmadd, found.kernel_us])
    return np.array([_counts(runtime, ops) for ops in phones.ops]) @ cost, np.nan


def _counts(runtime: Runtime, ops: Sequence) -> tuple[float, float, float]:
    kernels = runtime.kernels(ops)
    depthwise = sum(kernel.madds for kernel in kernels if kernel.kind == "depthwise")
    return (sum(kernel.madds for kernel in kernels) - depthwise) / 1e9, depthwise / 1e9, len(kernels) / 1e3


def _scale(phones: Phones, phone: int, timed: np.ndarray) -> Predictions:
    """The known phone whose totals, times a factor, have the least squares of relative errors."""
    best, least = np.empty(0), np.inf
    for totals in np.delete(phones.parts, phone, axis=0).sum(axis=2):
        relative = totals[timed] / phones.timed_ms[phone, timed]
        factor = relative.sum() / (relative @ relative)
        if (off := float(((factor * relative - 1) ** 2).sum())) < least:
            best, least = factor * totals, off
    return best, np.nan


def _blocks() -> Table:
    """Every shipped phone left out, its table the truth, with simulated timings of random networks."""
    names = [facts["table"] for facts in Dataset.load().facts["devices"].values()]
    space = SearchSpace.load(SPACE)
    grid = Table(
        "new phone", "known", "networks", "in 90 %", "blocks, rms", "stated, rms", "in 90 %", box=None
    )
    for column in grid.columns[1:]:
        column.justify = "right"
    for new in names:
        others = [name for name in names if name != new]
        for timings, known in product((10, 20), ([others], [[name] for name in others])):
            phones = [KnownPhones.load(each, space) for each in known]
            rows = [_block_row(load_table(new, space), each, timings) for each in phones]
            error, inside, *blocks, covered = np.mean(rows, axis=0)
            texts = (f"{error:.1%}", f"{inside:.0%}", *(f"{value:.0%}" for value in (*blocks, covered)))
            grid.add_row(new, f"{timings}", f"{len(known[0])}", *texts)
    return grid


def _block_row(
    new: LatencyTable, known: KnownPhones, timings: int
) -> tuple[float, float, float, float, float]:
    genomes = known.space.sample(timings + TESTED, np.random.default_rng(1))
    truth = new.latency_ms(genomes)
    noise = np.random.default_rng(2).standard_normal(timings)
    architectures = [Architecture(known.space, tuple(map(int, genome))) for genome in genomes]
    timed = [
        Timing(f"network {number}", architectures[number], float(truth[number] * np.exp(NOISE * off)))
        for number, off in enumerate(noise)
    ]
    adapted = adaptation(known, timed)
    others = {str(number): network for number, network in enumerate(architectures[timings:])}
    predicted = adapted.model.latency_ms(known.networks(others))
    off = np.abs(predicted / truth[timings:] - 1)
    reach = norm.ppf((1 + LEVEL) / 2)
    blocks = [*_pairs(adapted.blocks_ms().sum(axis=1), adapted.relative_errors(), new)]
    errors, stated = np.array(blocks).T
    return (
        float(off.mean()),
        float((off <= reach * adapted.left_out.sigma).mean()),
        float(np.sqrt(np.mean(errors**2))),
        float(np.sqrt(np.mean(stated**2))),
        float((np.abs(errors) <= reach * stated).mean()),
    )


def _pairs(ms: np.ndarray, stated: np.ndarray, new: LatencyTable) -> Iterator[tuple[float, float]]:
    """Relative error and stated deviation of every block that takes time."""
    truth = new.ms[new.space.valid]
    for predicted, measured, error in zip(ms[:-2], truth, stated, strict=True):
        if measured:
            yield predicted / measured - 1, error


if __name__ == "__main__":
    main()
