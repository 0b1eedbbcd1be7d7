"""What an audit of rank fidelity is asked to do, checked at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from dnas.fidelity.correlation import FEWEST
from dnas.space import Over
from dnas.support.devices import device_problems


@dataclass(frozen=True)
class Settings:
    """Options of ``dnas fidelity``; see its help for their meaning.

    Attributes:
        checkpoints: PATH or NAME=PATH of supernets of one space.
        train_config: to train with; or ``accuracies``, a CSV file of known ones.
        architectures: how many; None: 24 to train, all that are known.
        epochs, overrides: instead of the config's; KEY=VALUE.
        table: latency table, name or file; None leaves latency out.
        draw_over: what the draw of architectures to train is uniform over.

    Raises:
        ValueError: naming all that is out of range or does not go together.
    """

    checkpoints: Sequence[str]
    output: Path
    train_config: str | None = None
    accuracies: Path | None = None
    architectures: int | None = None
    seed: int = 0
    epochs: int | None = None
    overrides: Sequence[str] = ()
    table: str | None = None
    recalibration_batches: int = 8
    device: str = "auto"
    draw_over: Over = "architectures"

    def __post_init__(self) -> None:
        if problems := [*self._numbers(), *self._combinations()]:
            raise ValueError("; ".join(problems))

    def _numbers(self) -> list[str]:
        least = {"architectures": FEWEST, "seed": 0, "epochs": 1, "recalibration_batches": 1}
        values: dict[str, Any] = {name: getattr(self, name) for name in least}
        return [
            f"--{name.replace('_', '-')} must be {limit} or more, got {values[name]}"
            for name, limit in least.items()
            if values[name] is not None and values[name] < limit
        ]

    def _combinations(self) -> list[str]:
        problems = []
        if not self.checkpoints:
            problems.append("--checkpoint: name at least one supernet")
        if (self.train_config is None) == (self.accuracies is None):
            problems.append(
                "give either --train-config, to train architectures, or --accuracies of known ones"
            )
        if self.accuracies is not None and (self.epochs is not None or self.overrides):
            problems.append("--epochs and --set are for training: they do not go with --accuracies")
        if strange := [each for each in self.overrides if not all(each.partition("="))]:
            problems.append(f"--set expects KEY=VALUE, as trainer.max_epochs=5; got {' '.join(strange)}")
        if self.draw_over not in get_args(Over):
            problems.append(f"--draw-over must be one of {', '.join(get_args(Over))}, got {self.draw_over}")
        if self.draw_over != "architectures" and self.accuracies is not None:
            problems.append(
                "--draw-over is for training: of known accuracies every network is equally likely"
            )
        return problems + device_problems(self.device)
