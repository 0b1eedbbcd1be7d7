"""Training architectures alone, one after the other, as ``dnas fit`` does with a config for retraining.

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
from dnas.space.architecture import Architecture, ArchitectureError
from dnas.support.command import is_out_of_memory
from dnas.support.files import append_line
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
        self.store = TrainingStore(folder, {"config": self._sha256, "overrides": overrides}, space)
        # Of the training that runs, which goes on there when it was stopped: one of this recipe.
        self._folder = folder / self.store.path.stem.replace("trainings", "training")

    def sample(self, number: int | None, generator: np.random.Generator) -> list[Architecture]:
        """Different networks of the space; 24 for None."""
        return sample_space(self._space, NUMBER if number is None else number, generator, self._over)

    def accuracies(self, architectures: Sequence[Architecture], tell: Tell) -> list[StandAlone]:
        """Look up what was trained before, train the rest; each result is on disk as soon as it is known."""
        results = []
        for done, architecture in enumerate(architectures):
            tell("Stand-alone training", done, len(architectures))
            result = self.store.get(architecture)
            if result is None:
                result = self._trained(architecture)
                self.store.write(architecture, result)
            results.append(result)
        return results

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
        try:
            result = self._train_and_test(architecture)
        except Exception as error:
            if not isinstance(error, ArithmeticError) and not is_out_of_memory(error):
                self._clear()
                raise
            result = StandAlone(math.nan, f"{error}" or type(error).__name__)
        self._clear()
        return result._replace(seconds=time.perf_counter() - started)

    def _clear(self) -> None:
        # Checkpoints that nobody asked for.
        shutil.rmtree(self._folder, ignore_errors=True)
        # Trainer, network and images refer to each other, and Python would let many of them gather.
        gc.collect()

    def _train_and_test(self, architecture: Architecture) -> StandAlone:
        file = self._folder / "architecture.json"
        if not _is_of(file, architecture):
            # What a training has left behind that was killed, and is not asked for any more.
            shutil.rmtree(self._folder, ignore_errors=True)
            architecture.save(file)
        top1, images, data = self._trainer.train(self._file, self._overrides, file, self._folder / "run")
        return StandAlone(top1, images=images, data=data)


def _is_of(file: Path, architecture: Architecture) -> bool:
    try:
        return Architecture.load(file) == architecture
    except ArchitectureError:
        return False


class TrainingStore:
    """Results by network, of one recipe, in a file whose name identifies the recipe.

    A line that is truncated or damaged is not there.

    Args:
        folder: where the file lies; made when something is written.
        recipe: plain data that decides a training.
    """

    def __init__(self, folder: str | Path, recipe: Mapping[str, Any], space: SearchSpace) -> None:
        plain = json.dumps({**recipe, "space": space.digest}, sort_keys=True)
        self.path = Path(folder) / f"trainings-{hashlib.sha256(plain.encode()).hexdigest()[:16]}.jsonl"
        lines = whole_lines(self.path) if self.path.is_file() else []
        self._results = dict(entry for line in lines if (entry := _parsed(line, space)))

    def get(self, architecture: Architecture) -> StandAlone | None:
        """The result of an architecture, if it is known."""
        return self._results.get(architecture.canonical())

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
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return architecture, result
