"""Training architectures alone, as ``dnas fit`` does with a config for retraining; processes share them.

``dnas`` does not know LightningCLI: whoever asks for an audit hands over a `Trainer`. Finished trainings
are on disk, a line each as soon as it is known: killed at any moment, none is done twice.
"""

from __future__ import annotations

import gc
import hashlib
import json
import math
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from dnas.fidelity.source import StandAlone, Tell, sample_space
from dnas.space import Over, SearchSpace
from dnas.space.architecture import Architecture
from dnas.support.command import is_out_of_memory
from dnas.support.files import append_line
from dnas.support.processes import broadcast, gather, rank, world_size
from dnas.support.sealed_json import seal, whole_lines

SPLIT = "test"
# How many architectures are trained, unless told otherwise.
NUMBER = 24


class Trainer(Protocol):
    """Trains one network; ``lightning_modules.app.stand_alone.StandAloneTrainer`` is one."""

    def find_config(self, name: str) -> Path:
        """Path of a config, a file or a shipped name; raises FileNotFoundError for neither."""

    def train(
        self, config: Path, overrides: Sequence[str], architecture: Path, folder: Path
    ) -> tuple[float, int, Mapping[str, Any] | None]:
        """Train from scratch, writing into ``folder``, or go on there from a checkpoint of the same training.

        Returns:
            Top-1 on the test split, its number of images, and plain data about the data module.
        """


class Training:
    """Accuracy on the test split after training from scratch, with the weights of the last epoch.

    The test split and not the one for validation, which ranks the one-shot networks: the same images on both
    sides would bring the same chance into both, and ranks would agree that do not.

    Args:
        config: of ``lightning_modules.classifier.Classifier`` or the like, a file or a shipped name.
        overrides: further ``KEY=VALUE`` for the config.
        folder: where results are kept, and where the present training writes.
        trainer: trains one of them.
        over: what the draw is uniform over, see `sample_space`.

    Raises:
        FileNotFoundError: no such config.
    """

    def __init__(
        self,
        config: str,
        overrides: Sequence[str],
        folder: Path,
        space: SearchSpace,
        trainer: Trainer,
        over: Over = "architectures",
    ) -> None:
        self._space, self._over = space, over
        self._config, self._overrides = config, tuple(overrides)
        self._trainer = trainer
        self._file = trainer.find_config(config)
        self._sha256 = hashlib.sha256(self._file.read_bytes()).hexdigest()
        self.store = TrainingStore(folder, {"config": self._sha256, "overrides": overrides}, space, rank())
        self.store.take(broadcast(self.store.read() if rank() == 0 else {}))
        # Of this recipe's trainings that run, each in a folder of its own: whoever continues one finds it.
        self._folder = folder / f"training-{self.store.key}"

    def sample(self, number: int | None, generator: np.random.Generator) -> list[Architecture]:
        """Different networks of the space; 24 for None."""
        return sample_space(self._space, NUMBER if number is None else number, generator, self._over)

    def accuracies(self, architectures: Sequence[Architecture], tell: Tell) -> list[StandAlone]:
        """Look up what was trained before, train the rest; each result is on disk as soon as it is known.

        Every process must ask for the same ones, trains its share, and gets the same answer.
        """
        missing = [each for each in architectures if self.store.get(each) is None]
        share = missing[rank() :: world_size()]
        for done, architecture in enumerate(share):
            tell("Stand-alone training", done, len(share))
            self.store.write(architecture, self._trained(architecture))
        for found in gather({each.canonical(): self.store.known(each) for each in share}):
            self.store.take(found)
        if rank() == 0:
            # What is left of trainings that were killed, and are not asked for any more.
            shutil.rmtree(self._folder, ignore_errors=True)
        return [self.store.known(each) for each in architectures]

    def describe(self) -> dict[str, Any]:
        """Plain data about where accuracies come from."""
        return {
            "kind": "trained",
            "config": self._config,
            "config_sha256": self._sha256,
            "overrides": list(self._overrides),
            "split": SPLIT,
        }

    def _trained(self, architecture: Architecture) -> StandAlone:
        """The result; training that diverges or finds too little memory has failed, all else is an error."""
        started = time.perf_counter()
        folder = self._folder / hashlib.sha256(str(architecture).encode()).hexdigest()[:16]
        try:
            result = self._train_and_test(architecture, folder)
        except Exception as error:
            if not isinstance(error, ArithmeticError) and not is_out_of_memory(error):
                _clear(folder)
                raise
            result = StandAlone(math.nan, f"{error}" or type(error).__name__)
        _clear(folder)
        return result._replace(seconds=time.perf_counter() - started)

    def _train_and_test(self, architecture: Architecture, folder: Path) -> StandAlone:
        file = architecture.save(folder / "architecture.json")
        top1, images, data = self._trainer.train(self._file, self._overrides, file, folder / "run")
        return StandAlone(top1, images=images, data=data)


def _clear(folder: Path) -> None:
    # Checkpoints that nobody asked for.
    shutil.rmtree(folder, ignore_errors=True)
    # Trainer, network and images refer to each other, and Python would let many of them gather.
    gc.collect()


class TrainingStore:
    """Results by network, of one recipe, in files whose names identify the recipe.

    A file belongs to one process, so that nobody writes into another's lines. A line that is truncated or
    damaged is not there.

    Args:
        folder: where the files lie; made when something is written.
        recipe: plain data that decides a training.
        process: number of this process.
    """

    def __init__(
        self, folder: str | Path, recipe: Mapping[str, Any], space: SearchSpace, process: int = 0
    ) -> None:
        self._folder, self._space = Path(folder), space
        plain = json.dumps({**recipe, "space": space.digest}, sort_keys=True)
        self.key = hashlib.sha256(plain.encode()).hexdigest()[:16]
        self.path = self._folder / f"trainings-{self.key}-{process}.jsonl"
        self._results: dict[Architecture, StandAlone] = {}

    def read(self) -> dict[Architecture, StandAlone]:
        """All that the files of this recipe hold; those of earlier versions have no number of a process."""
        found: dict[Architecture, StandAlone] = {}
        for path in sorted(self._folder.glob(f"trainings-{self.key}*.jsonl")):
            for line in whole_lines(path):
                if entry := _parsed(line, self._space):
                    found.setdefault(*entry)
        return found

    def take(self, results: Mapping[Architecture, StandAlone]) -> None:
        """Know these from now on, without writing them."""
        self._results.update(results)

    def get(self, architecture: Architecture) -> StandAlone | None:
        """The result of an architecture, if it is known."""
        return self._results.get(architecture.canonical())

    def known(self, architecture: Architecture) -> StandAlone:
        """The result of an architecture that is known."""
        return self._results[architecture.canonical()]

    def write(self, architecture: Architecture, result: StandAlone) -> None:
        """Know a result, and have it on disk when this returns."""
        self._results[architecture.canonical()] = result
        append_line(self.path, json.dumps(seal({"architecture": str(architecture), **result._asdict()})))


def _parsed(line: bytes, space: SearchSpace) -> tuple[Architecture, StandAlone] | None:
    try:
        data = json.loads(line)
        architecture = Architecture.parse(data["architecture"], space).canonical()
        numbers = int(data["images"]), float(data["seconds"])
        result = StandAlone(float(data["top1"]), str(data["reason"]), *numbers, data["data"])
        if not isinstance(result.data, dict | None) or result.top1 < 0 or result.top1 > 1:
            return None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return architecture, result
