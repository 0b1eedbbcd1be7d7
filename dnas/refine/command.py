"""``python -m dnas.refine``: search a trained supernet for accurate, fast and large architectures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

from rich.console import Console

from dnas import blocks
from dnas.device_tables import limit_argument
from dnas.refine.display import print_outcome, progress
from dnas.refine.run import Outcome, refine
from dnas.refine.settings import ALGORITHM_NAMES, PredictorName, QualityName, Settings
from dnas.space import Over
from dnas.support.command import Command
from dnas.support.processes import rank
from latency import load_table

EPILOG = """algorithms:
  nsga2                  MoGA's: crowding weighted 2:2:1, reinforced, random and prior mutation
  nsga2-equal-weights    standard NSGA-II's crowding
  nsga2-random-mutation  random mutation only
  nsga2-two-objectives   without the reward for parameters
  random                 distinct networks, drawn uniformly (see --draw-over)
  regularised-evolution  ageing evolution (Real et al. 2019) of quality alone, within the bounds
  mnasnet                ageing evolution of quality * (latency / target)^-0.07; needs --target-ms
  netadapt               from --seed-from, one layer at a time, the least loss per ms, down to --target-ms
                         (this one and mnasnet: for one device)

A refinement that was killed continues when the same command is given again, and ends as if it had not been.
Several processes share the evaluations: torchrun --nproc-per-node 4 -m dnas.refine ..."""


DESCRIPTION = (
    "Search a trained supernet (one-shot, or of a differentiable search) for architectures "
    "on the front of quality, latency and parameters: by MoGA's weighted NSGA-II, or by a baseline with "
    "the same evaluator and budget."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    blocks.add_option(parser)
    add = parser.add_argument
    add("--checkpoint", required=True, type=Path, help="of a supernet (runs/.../checkpoints/last.ckpt)")
    add("--output", required=True, type=Path, help="folder to write to, and to continue in")
    add(
        "--table",
        nargs="+",
        metavar="TABLE",
        help="latency table, name or file (default: the one that the search used); several, as in "
        "pixel4=TABLE s10=TABLE, search for all these devices at once",
    )
    add("--algorithm", choices=ALGORITHM_NAMES, default="nsga2", metavar="NAME", help="see below (nsga2)")
    add("--population", type=int, default=70, metavar="N", help="architectures of a generation (70)")
    add("--generations", type=int, default=120, metavar="N", help="generations, the first included (120)")
    add(
        "--weights",
        type=float,
        nargs=3,
        default=(2.0, 2.0, 1.0),
        metavar="W",
        help="of quality, latency and parameters in NSGA-II's crowding (2 2 1); devices share the second",
    )
    add(
        "--predictor",
        choices=get_args(PredictorName),
        default="none",
        help="choose the children of NSGA-II by latency, parameters and a prediction of quality that the "
        "evaluations so far give, as far as it ranks well. auto (recommended): ridge regression or boosted "
        "trees, whichever ranks better; none (default): NSGA-II as MoGA has it",
    )
    add(
        "--stop-early",
        action="store_true",
        help="evaluate on 1/8, 1/4, 1/2 and all of the validation images, and stop where one that is as fast "
        "and as large is better beyond doubt (paired t-test, one in a hundred); the rest is estimated",
    )
    add("--seed", type=int, default=0, help="of everything random (0)")
    add(
        "--seed-from",
        nargs="+",
        default=(),
        metavar="FILE",
        help="begin with architectures of a search checkpoint (its most probable one and draws of "
        "softmax(alpha)), a front.json, architecture files, or names like moga_a",
    )
    add(
        "--latency-below",
        type=limit_argument,
        nargs="+",
        metavar="MS",
        help="only architectures of at most MS, on all devices or on one: 9, or pixel4=7 s10=12",
    )
    add("--params-above", type=float, metavar="N", help="only architectures of at least N parameters")
    add("--target-ms", type=float, metavar="MS", help="latency that mnasnet and netadapt aim at")
    add(
        "--quality",
        choices=get_args(QualityName),
        default="auto",
        help="what to rank by; auto: the loss, which tells small validation splits apart, unless there are "
        "10,000 images or more",
    )
    add("--recalibration-batches", type=int, default=8, metavar="N", help="for batch-norm statistics (8)")
    add(
        "--draw-over",
        choices=get_args(Over),
        default="architectures",
        help="what random search is uniform over: architectures (default), of which several may build the "
        "same network, or different networks",
    )
    add("--device", default="auto", help="auto, cpu or cuda (auto)")
    add("--cache", type=Path, metavar="DIR", help="folder of evaluations to share between runs (--output)")


def run(options: argparse.Namespace, console: Console) -> Outcome:
    """Search, write and print; in every process that torchrun started.

    Raises:
        ValueError: unusable settings, checkpoint or table.
    """
    settings = Settings(**vars(options))
    with progress(Console(stderr=True)) as tell:
        outcome = refine(settings, tell, load_table=load_table)
    if rank() == 0:
        print_outcome(console, outcome)
    return outcome


main = Command("dnas refine", DESCRIPTION, add_arguments, run, EPILOG, resumes=True, shared=True)
