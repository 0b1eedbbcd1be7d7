"""What a refinement is asked to do, checked at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from dnas.space import Over
from dnas.support.devices import device_problems

AlgorithmName = Literal[
    "nsga2",
    "nsga2-equal-weights",
    "nsga2-random-mutation",
    "nsga2-two-objectives",
    "random",
    "regularised-evolution",
    "mnasnet",
    "netadapt",
]
ALGORITHM_NAMES: tuple[AlgorithmName, ...] = get_args(AlgorithmName)
QualityName = Literal["auto", "loss", "top1"]
PredictorName = Literal["none", "ridge", "trees", "auto"]


@dataclass(frozen=True)
class Settings:
    """Options of ``dnas refine``; see its help for their meaning.

    Attributes:
        table: latency table, name or file; several, ``DEVICE=TABLE`` each or by their own names, for several
            devices at once; None: the one that a differentiable search used.
        weights: of (quality, latency, parameters) in NSGA-II's crowding; MoGA: 2 2 1. Several devices share
            the one of latency.
        latency_below: in ms, on every device, or ``DEVICE=MS`` on some.
        seed_from: a search checkpoint, front.json, architecture files, names of the zoo.
        target_ms: latency aimed at, for mnasnet and netadapt only.
        cache: folder of evaluations; None: the output folder.
        draw_over: what random search is uniform over.
        predictor: of quality, by which NSGA-II chooses children; none: the faithful one.
        stop_early: evaluate in increasing numbers of images, as long as the front can be reached.

    Raises:
        ValueError: naming all that is out of range or does not go together.
    """

    checkpoint: Path
    output: Path
    table: str | Sequence[str] | None = None
    algorithm: AlgorithmName = "nsga2"
    population: int = 70
    generations: int = 120
    weights: Sequence[float] = (2.0, 2.0, 1.0)
    seed: int = 0
    seed_from: Sequence[str] = ()
    latency_below: float | Sequence[str | float] | None = None
    params_above: float | None = None
    target_ms: float | None = None
    quality: QualityName = "auto"
    recalibration_batches: int = 8
    device: str = "auto"
    cache: Path | None = None
    draw_over: Over = "architectures"
    predictor: PredictorName = "none"
    stop_early: bool = False

    def __post_init__(self) -> None:
        # One of a list is one, which runs and their files always had.
        for name in ("table", "latency_below"):
            value = getattr(self, name)
            if isinstance(value, list | tuple):
                object.__setattr__(self, name, value[0] if len(value) == 1 else tuple(value))
        if problems := [*self._numbers(), *self._combinations()]:
            raise ValueError("; ".join(problems))

    def _numbers(self) -> list[str]:
        least = {"population": 1, "generations": 1, "recalibration_batches": 1, "seed": 0}
        problems = [
            f"{_flag(name)} must be {limit} or more, got {getattr(self, name)}"
            for name, limit in least.items()
            if getattr(self, name) < limit
        ]
        for name in ("latency_below", "params_above", "target_ms"):
            value = getattr(self, name)
            # Those of devices are checked when the tables are known.
            if isinstance(value, int | float) and not 0 < value < math.inf:
                problems.append(f"{_flag(name)} must be a number above 0, got {value}")
        usable = all(0 <= each < math.inf for each in self.weights) and any(self.weights)
        if len(self.weights) != 3 or not usable:
            problems.append(
                "--weights must be three numbers, 0 or more and not all 0, of quality, latency and "
                f"parameters; got {' '.join(f'{each:g}' for each in self.weights)}"
            )
        return problems

    def _combinations(self) -> list[str]:
        problems = []
        known = {
            "algorithm": ALGORITHM_NAMES,
            "quality": get_args(QualityName),
            "draw_over": get_args(Over),
            "predictor": get_args(PredictorName),
        }
        for name, values in known.items():
            if getattr(self, name) not in values:
                problems.append(
                    f"{_flag(name)} must be one of {', '.join(values)}, got {getattr(self, name)}"
                )
        if self.draw_over != "architectures" and self.algorithm != "random":
            problems.append("--draw-over is for --algorithm random: the others do not draw alone")
        if self.predictor != "none" and not self.algorithm.startswith("nsga2"):
            problems.append(f"--predictor is for nsga2 and its variants, not for {self.algorithm}")
        if self.stop_early and self.cache is not None:
            problems.append("--stop-early goes without --cache: what was stopped says little to other runs")
        return problems + self._aims() + device_problems(self.device)

    def _aims(self) -> list[str]:
        """Problems of what aims at a latency."""
        problems = []
        aims = self.algorithm in ("mnasnet", "netadapt")
        if self.target_ms is not None and not aims:
            problems.append("--target-ms is for mnasnet and netadapt; others keep bounds: --latency-below")
        if aims and len(self.tables) > 1:
            problems.append(
                f"--algorithm {self.algorithm} aims at one latency: give it one --table, not "
                f"{len(self.tables)}"
            )
        if self.algorithm == "mnasnet" and self.target_ms is None:
            problems.append("--algorithm mnasnet needs the latency that its reward aims at: --target-ms")
        if self.algorithm == "netadapt" and self.latency_below is not None:
            problems.append(
                "--algorithm netadapt breaks --latency-below on its way: give --target-ms instead"
            )
        if self.algorithm == "netadapt" and not self.seed_from:
            problems.append("--algorithm netadapt needs a network to begin with: --seed-from")
        return problems

    @property
    def tables(self) -> tuple[str, ...]:
        """All that were given."""
        if self.table is None:
            return ()
        return (self.table,) if isinstance(self.table, str) else tuple(self.table)

    def identity(self) -> dict[str, Any]:
        """What a run in the same folder must agree in to be the same run; it may be longer."""
        names = ("algorithm", "population", "seed", "latency_below", "params_above", "target_ms")
        found = {name: getattr(self, name) for name in names} | {"weights": self.crowding_weights}
        # Named only where they are used, so that runs begun before there were these options go on.
        if self.predictor != "none":
            found["predictor"] = self.predictor
        return found | {"stop_early": True} if self.stop_early else found

    @property
    def crowding_weights(self) -> list[float] | None:
        """The weights that the algorithm goes by; None where it has none, or equal ones."""
        weighted = self.algorithm.startswith("nsga2") and self.algorithm != "nsga2-equal-weights"
        return list(map(float, self.weights)) if weighted else None


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
