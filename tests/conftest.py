"""A tiny search space with its own table, a real search on it, and the checkpoint that it wrote."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from dnas.nn import graphs
from dnas.search.gradient.masks import TwoPath, UniformPath
from dnas.search.gradient.objective import AdditiveLatency, Objective
from dnas.space import SearchSpace
from latency.sources.calibrated.calibrated_table import build_calibrated
from latency.sources.calibrated.model import CalibratedModel
from lightning_modules.data import Digits
from lightning_modules.one_shot import OneShotSupernet
from lightning_modules.search import DifferentiableSearch
from lightning_modules.search_settings import Learner, Steps

TINY_SPACE = """\
format: dnas-space/1
name: tiny
description: three layers of three or four choices, 48 architectures
resolution: 32
num_classes: 10
stem:
  - {type: conv, out: 8, kernel: 3, stride: 2, activation: hswish}
choices:
  E1K3: {expansion: 1, kernel: 3}
  E2K5: {expansion: 2, kernel: 5}
  E2K3SE: {expansion: 2, kernel: 3, se: 0.25}
  E3K5SE: {expansion: 3, kernel: 5, se: 0.25}
layers:
  - {out: 8, stride: 1, activation: relu}
  - {out: 12, stride: 2, activation: hswish, choices: [E1K3, E2K5, E3K5SE]}
  - {out: 12, stride: 1, activation: hswish}
head:
  - {type: conv, out: 24, kernel: 1, activation: hswish}
  - {type: pool}
  - {type: dropout, rate: 0.1}
"""


SKIPS_SPACE = """\
format: dnas-space/2
name: skips
description: a run of three equal layers and a strided one, 81 architectures that are 45 networks
resolution: 16
num_classes: 10
stem:
  - {type: conv, out: 8, kernel: 3, stride: 2, activation: relu}
choices:
  skip: {type: skip}
  E1K3: {expansion: 1, kernel: 3}
  E2K5: {expansion: 2, kernel: 5}
layers:
  - {out: 8, stride: 1, activation: relu}
  - {out: 8, stride: 1, activation: relu}
  - {out: 8, stride: 1, activation: relu}
  - {out: 12, stride: 2, activation: relu}
head:
  - {type: pool}
"""


# Minutes each: begun first, they run beside everything else instead of after it.
LONGEST = ("test_demo.py", "test_packaging.py", "test_readme.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONGEST)
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture(scope="session")
def own_mounts(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What to put before a command that mounts disks of its own; they end with it. Needs no root."""
    command = ["unshare", "--user", "--map-root-user", "--mount"]
    mount = [*command, "mount", "-t", "tmpfs", "none", str(tmp_path_factory.mktemp("disk"))]
    try:
        done = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("needs Linux's unshare to mount a small disk")
    if done.returncode:
        pytest.skip(f"this system lets nobody mount a small disk: {done.stderr.strip()}")
    return command


@pytest.fixture(scope="session")
def tiny_space_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A space of 4 x 3 x 4 architectures with squeeze-excite, kernels 3 and 5, and two residuals."""
    path = tmp_path_factory.mktemp("space") / "tiny.yaml"
    path.write_text(TINY_SPACE, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_space(tiny_space_file: Path) -> SearchSpace:
    return SearchSpace.load(tiny_space_file)


@pytest.fixture(scope="session")
def skips_space_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A space of fewer networks than architectures."""
    path = tmp_path_factory.mktemp("space") / "skips.yaml"
    path.write_text(SKIPS_SPACE, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def skips_space(skips_space_file: Path) -> SearchSpace:
    return SearchSpace.load(skips_space_file)


@pytest.fixture(scope="session")
def tiny_table_file(tmp_path_factory: pytest.TempPathFactory, tiny_space: SearchSpace) -> Path:
    """The table of the tiny space under the shipped three-parameter model of a real phone."""
    path = tmp_path_factory.mktemp("table") / "tiny.csv"
    return build_calibrated(CalibratedModel.load("adreno630_mace"), tiny_space, path)


@pytest.fixture(scope="session")
def make_search(tiny_space_file: Path, tiny_table_file: Path) -> Callable[..., DifferentiableSearch]:
    """Builds a search on the tiny space, entangled and bilevel; keyword arguments replace any of its own.

    ``weights``, ``alpha`` and ``steps`` are dictionaries of what replaces some of theirs.
    """

    def make(
        weights: Mapping[str, Any] = {},
        alpha: Mapping[str, Any] = {},
        steps: Mapping[str, Any] = {},
        **overrides: Any,
    ) -> DifferentiableSearch:
        sgd = partial(torch.optim.SGD, lr=0.05, momentum=0.9)
        adam = partial(torch.optim.Adam, lr=0.1, betas=(0.5, 0.999))
        options: dict[str, Any] = {
            "space": str(tiny_space_file),
            "table": str(tiny_table_file),
            "sharing": "entangled",
            "num_classes": 10,
            "in_channels": 3,
            "objective": Objective(AdditiveLatency(weight_per_ms=0.1)),
            "weights": Learner(**{"masks": UniformPath(), "optimizer": sgd, **weights}),
            "alpha": Learner(**{"masks": TwoPath(), "optimizer": adam, **alpha}),
            "steps": Steps(**steps),
            "recalibration_batches": 2,
        }
        # Weights are drawn from the global generator; a test's result must not depend on the tests before it.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return DifferentiableSearch(**(options | overrides))

    return make


@pytest.fixture(scope="session")
def make_one_shot(tiny_space_file: Path) -> Callable[..., OneShotSupernet]:
    """Builds a one-shot supernet on the tiny space, entangled, of uniform paths; keywords replace any."""

    def make(**overrides: Any) -> OneShotSupernet:
        options: dict[str, Any] = {
            "space": str(tiny_space_file),
            "sharing": "entangled",
            "num_classes": 10,
            "in_channels": 3,
            "masks": UniformPath(),
            "optimizer": partial(torch.optim.SGD, lr=0.05, momentum=0.9),
            "recalibration_batches": 2,
            "validation_architectures": 2,
        }
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return OneShotSupernet(**(options | overrides))

    return make


@pytest.fixture(scope="session")
def make_trainer() -> Callable[..., pl.Trainer]:
    """Builds a quiet CPU trainer that writes into ``folder``; keyword arguments replace any of its own."""

    def make(folder: Path, **overrides: Any) -> pl.Trainer:
        options: dict[str, Any] = {
            "default_root_dir": str(folder),
            "accelerator": "cpu",
            "devices": 1,
            "max_epochs": 1,
            "limit_train_batches": 2,
            "limit_val_batches": 1,
            "num_sanity_val_steps": 0,
            "logger": False,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
        }
        return pl.Trainer(**(options | overrides))

    return make


@pytest.fixture(scope="session")
def search_checkpoint(
    tmp_path_factory: pytest.TempPathFactory,
    make_search: Callable[..., DifferentiableSearch],
    make_trainer: Callable[..., pl.Trainer],
) -> Path:
    """The checkpoint of a real search of two epochs with two steps each. Do not write to it."""
    folder = tmp_path_factory.mktemp("search")
    trainer = make_trainer(folder, max_epochs=2)
    trainer.fit(make_search(), datamodule=Digits(batch_size=32))
    path = folder / "checkpoints" / "last.ckpt"
    trainer.save_checkpoint(path)
    return path


@pytest.fixture(scope="session")
def one_shot_checkpoint(
    tmp_path_factory: pytest.TempPathFactory,
    make_one_shot: Callable[..., OneShotSupernet],
    make_trainer: Callable[..., pl.Trainer],
) -> Path:
    """The checkpoint of a real one-shot supernet of two epochs with twenty steps each. Do not write to it."""
    folder = tmp_path_factory.mktemp("one_shot")
    trainer = make_trainer(folder, max_epochs=2, limit_train_batches=20)
    trainer.fit(make_one_shot(), datamodule=Digits(batch_size=32))
    path = folder / "checkpoints" / "last.ckpt"
    trainer.save_checkpoint(path)
    return path


def _emulate(layers: Sequence[nn.Module], samples: Sequence[tuple[Tensor, Tensor]]) -> None:
    """torch.cuda.make_graphed_callables, by computing again."""
    for layer, sample in zip(layers, samples, strict=True):
        layer.forward = _emulated(layer, sample)


def _emulated(layer: nn.Module, sample: tuple[Tensor, Tensor]) -> Callable[..., Tensor]:
    forward, parameters = layer.forward, tuple(layer.parameters())
    result = forward(*sample).detach()
    places = [(each, torch.empty_like(each)) for each in (*sample, *parameters) if each.requires_grad]
    computed: list[Tensor] = []

    class Replayed(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *inputs: Tensor) -> Tensor:
            for place, value in zip(sample, inputs, strict=False):
                place.copy_(value)
            with torch.enable_grad():
                computed[:] = [forward(*sample)]
            result.copy_(computed[0])
            return result.detach()

        @staticmethod
        def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
            found = torch.autograd.grad(computed[0], [each for each, _ in places], grads[0])
            for (_, place), value in zip(places, found, strict=True):
                place.copy_(value)
            written = {id(each): place for each, place in places}
            outputs = (written.get(id(each)) for each in (*sample, *parameters))
            return tuple(None if place is None else place.detach() for place in outputs)

    def replay(*inputs: Tensor) -> Tensor:
        result: Tensor = Replayed.apply(*inputs, *parameters)
        return result

    return replay


@pytest.fixture
def captures(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """CUDA graphs are emulated on a CPU; the number of layers of every capture.

    Like real ones they read from and write to places that stay the same.
    """
    made: list[int] = []

    def make(layers: Sequence[nn.Module], samples: Sequence[tuple[Tensor, Tensor]]) -> None:
        made.append(len(layers))
        _emulate(layers, samples)

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", make)
    monkeypatch.setattr(graphs, "_has_graphs", lambda device: True)
    return made
