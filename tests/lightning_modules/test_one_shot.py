"""One-shot training: which paths a step trains, how often, with which gradients; resuming; refusals."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import yaml
from torch import Tensor, nn
from torch.nn import functional as F

from dnas.runs.checkpoint import CheckpointError, SearchCheckpoint
from dnas.runs.checkpoint_file import read, read_supernet
from dnas.runs.evaluator import recalibrate
from dnas.search.gradient.masks import StrictlyFair, TwoPath
from dnas.search.gradient.schedules import Cosine
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from lightning_modules.data import Digits
from lightning_modules.one_shot import OneShotSupernet

MakeOneShot = Callable[..., OneShotSupernet]
Fit = Callable[..., pl.Trainer]
# 4 x 3 x 4 choices do not divide; these do.
FAIR_SPACE = {
    "format": "dnas-space/1",
    "name": "fair",
    "resolution": 16,
    "in_channels": 3,
    "num_classes": 10,
    "stem": [{"type": "conv", "out": 8, "kernel": 3, "stride": 1, "activation": "relu"}],
    "choices": {
        "k3": {"expansion": 2, "kernel": 3},
        "k5": {"expansion": 2, "kernel": 5},
        "k3_se": {"expansion": 2, "kernel": 3, "se": 0.25},
        "skip": {"skip": True},
    },
    "layers": [
        {"out": 8, "stride": 1, "activation": "relu"},
        {"out": 12, "stride": 2, "activation": "relu", "choices": ["k3", "k5"]},
    ],
    "head": [{"type": "pool"}],
}


@pytest.fixture(scope="module")
def fair_space_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fair") / "fair.yaml"
    path.write_text(yaml.safe_dump(FAIR_SPACE), encoding="utf-8")
    return path


class Steps(pl.Callback):
    """Of every optimiser step: the batch, the parameters before it, and the gradients that it used."""

    def __init__(self) -> None:
        self.batches: list[tuple[Tensor, Tensor]] = []
        self.before: list[nn.Module] = []
        self.gradients: list[dict[str, Tensor]] = []

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        self.batches.append(batch)
        self.before.append(copy.deepcopy(module.supernet))

    def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
        named = module.supernet.named_parameters()
        self.gradients.append({name: p.grad.clone() for name, p in named if p.grad is not None})


def test_a_fair_step_sums_the_gradients_of_one_path_per_choice(
    make_one_shot: MakeOneShot, fit: Fit, fair_space_file: Path, tmp_path: Path
) -> None:
    steps = Steps()
    module = make_one_shot(space=str(fair_space_file), masks=StrictlyFair(), sharing="independent")
    fit(module, tmp_path, callbacks=[steps])
    space = module.space
    assert len(steps.gradients) == len(steps.batches) == 2  # one update per batch
    for step, (supernet, (images, labels)) in enumerate(zip(steps.before, steps.batches, strict=True)):
        module.draws = step
        samples = module._draw()
        assert len(samples) == 4
        paths = torch.tensor([[choice for (choice,) in sample.active or ()] for sample in samples])
        assert sorted(paths[:, 0].tolist()) == [0, 1, 2, 3] and sorted(paths[:, 1].tolist()) == [0, 0, 1, 1]
        supernet.zero_grad()
        for path in paths:
            F.cross_entropy(supernet(images, path), labels).backward()
        for name, parameter in supernet.named_parameters():
            torch.testing.assert_close(steps.gradients[step][name], parameter.grad, rtol=1e-4, atol=1e-6)
    assert module.updates.tolist() == [[2, 2, 2, 2], [4, 4, 0, 0]]
    assert [int(count) for count in space.valid.sum(1)] == [4, 2]


def test_unequal_counts_are_noticed(make_one_shot: MakeOneShot, fair_space_file: Path) -> None:
    module = make_one_shot(space=str(fair_space_file), masks=StrictlyFair())
    module._count(module._draw())
    module.updates[1, 0] += 1
    with pytest.raises(RuntimeError, match=r"Strict fairness is broken in L2: updates \[5, 4"):
        module._count(module._draw())


def test_a_uniform_step_moves_nothing_but_its_path(
    make_one_shot: MakeOneShot, fit: Fit, tmp_path: Path
) -> None:
    steps = Steps()
    decay = partial(torch.optim.SGD, lr=0.05, momentum=0.9, weight_decay=0.1)
    module = make_one_shot(sharing="independent", optimizer=decay)
    fit(module, tmp_path, limit_train_batches=1, callbacks=[steps])
    assert module.updates.sum(1).tolist() == [1, 1, 1]
    after, before = dict(module.supernet.named_parameters()), dict(steps.before[0].named_parameters())
    moved = {name for name in after if not torch.equal(after[name], before[name])}
    assert moved and moved == set(steps.gradients[0])
    path = module.updates.argmax(1)
    chosen = [f"blocks.{layer}.blocks.{choice}." for layer, choice in enumerate(path)]
    for name in moved & {name for name in after if name.startswith("blocks.")}:
        assert name.startswith(tuple(chosen)), name


def test_every_choice_is_drawn_equally_often_in_the_long_run(make_one_shot: MakeOneShot) -> None:
    module = make_one_shot()
    for _ in range(2000):
        module._count(module._draw())
    for layer, counts in zip(module.space.layers, module.updates, strict=True):
        wanted = 2000 / len(layer.choices)
        assert np.abs(counts[: len(layer.choices)] - wanted).max() < 5 * np.sqrt(wanted)
        assert not counts[len(layer.choices) :].any()


def test_validation_is_the_mean_over_its_architectures(
    make_one_shot: MakeOneShot, fit: Fit, tmp_path: Path
) -> None:
    module = make_one_shot(validation_architectures=3)
    trainer = fit(module, tmp_path, limit_val_batches=None)
    data = Digits(resolution=8, batch_size=8)
    data.serve("plain", split_alpha=False)
    data.setup()
    images, labels = (torch.cat(parts) for parts in zip(*data.val_dataloader(), strict=True))
    correct, losses = [], []
    for architecture in module.samples:
        network = module.supernet.extract(architecture)
        recalibrate(network, data.recalibration_dataloader(), 2)
        with torch.no_grad():
            logits = network.eval()(images)
        correct.append((logits.argmax(1) == labels).float().mean().item())
        losses.append(F.cross_entropy(logits, labels).item())
    metrics = trainer.callback_metrics
    assert len(set(module.samples)) == 3
    assert metrics["val_top1"].item() == pytest.approx(np.mean(correct), abs=1e-6)
    assert metrics["val_ce"].item() == pytest.approx(np.mean(losses), rel=1e-4)


def test_interrupted_and_resumed_equals_uninterrupted(
    make_one_shot: MakeOneShot, fit: Fit, fair_space_file: Path, tmp_path: Path
) -> None:
    options = {
        "space": str(fair_space_file),
        "masks": StrictlyFair(),
        "lr": Cosine(1.0, 0.1),
        "clip": 1.0,
    }
    torch.manual_seed(0)
    fit(make_one_shot(**options), tmp_path, max_epochs=3).save_checkpoint(tmp_path / "whole.ckpt")
    torch.manual_seed(0)
    first = pl.callbacks.ModelCheckpoint(tmp_path, filename="{epoch}", save_top_k=-1, every_n_epochs=1)
    fit(make_one_shot(**options), tmp_path, max_epochs=3, callbacks=[first], enable_checkpointing=True)
    torch.manual_seed(99)
    other = make_one_shot(**options)
    nn.init.ones_(other.supernet.classifier.weight)
    resumed = fit(other, tmp_path, max_epochs=3, ckpt_path=tmp_path / "epoch=1.ckpt")
    resumed.save_checkpoint(tmp_path / "resumed.ckpt")
    whole, again = (torch.load(tmp_path / f"{name}.ckpt", weights_only=True) for name in ("whole", "resumed"))
    for name, value in whole["state_dict"].items():
        assert torch.equal(value, again["state_dict"][name]), name
    assert whole["dnas"]["updates"] == again["dnas"]["updates"]
    assert whole["dnas"]["draws"] == again["dnas"]["draws"] == 6
    assert whole["dnas"]["training"]["images"] == again["dnas"]["training"]["images"] == 6 * 8 * 4
    assert [record["epoch"] for record in again["dnas"]["history"]] == [0.0, 1.0, 2.0]


def test_a_checkpoint_gives_the_supernet_back(one_shot_checkpoint: Path, tiny_space: SearchSpace) -> None:
    checkpoint = read_supernet(one_shot_checkpoint)
    assert checkpoint.kind == "one-shot" and not isinstance(checkpoint, SearchCheckpoint)
    assert checkpoint.space == tiny_space
    assert checkpoint.training["images"] == 2 * 20 * 32 and checkpoint.training["seconds"] > 0
    assert [record["epoch"] for record in checkpoint.history] == [0, 1]
    assert {"train_ce", "val_top1"} <= set(checkpoint.history[-1])
    content = torch.load(one_shot_checkpoint, weights_only=True)["state_dict"]
    for name, value in checkpoint.build_supernet().state_dict().items():
        assert torch.equal(value, content[f"supernet.{name}"])
    with pytest.raises(CheckpointError, match=r"one-shot supernet, which has no alpha.*dnas refine"):
        read(one_shot_checkpoint)


def test_a_search_is_a_supernet_too(search_checkpoint: Path) -> None:
    checkpoint = read_supernet(search_checkpoint)
    assert isinstance(checkpoint, SearchCheckpoint) and checkpoint.kind == "search"
    # Two epochs of two steps, each of 32 images for the weights and 32 for alpha.
    assert checkpoint.training["images"] == 2 * 2 * 2 * 32


@pytest.mark.parametrize("checkpoint", ["search_checkpoint", "other"])
def test_a_checkpoint_of_something_else_is_refused(
    checkpoint: str, make_one_shot: MakeOneShot, fit: Fit, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if checkpoint == "other":
        path = tmp_path / "other.ckpt"
        content = {"state_dict": {}, "epoch": 0, "global_step": 0}
        torch.save({**content, "pytorch-lightning_version": pl.__version__}, path)
    else:
        path = request.getfixturevalue(checkpoint)
    with pytest.raises(ValueError, match="not of a one-shot supernet"):
        fit(make_one_shot(), tmp_path, ckpt_path=path)


def test_another_space_is_refused(
    make_one_shot: MakeOneShot, fit: Fit, fair_space_file: Path, one_shot_checkpoint: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="its space is another tiny, this training has fair"):
        fit(make_one_shot(space=str(fair_space_file)), tmp_path, ckpt_path=one_shot_checkpoint)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"masks": TwoPath()}, "TwoPath follows alpha.*StrictlyFair or .*UniformPath"),
        (
            {"label_smoothing": 1.0, "recalibration_batches": -1, "validation_architectures": 0},
            r"label_smoothing.*got 1\.0; recalibration_batches.*got -1; validation_architectures.*got 0",
        ),
        ({"clip": 0.0}, "must be above 0"),
    ],
)
def test_bad_arguments(make_one_shot: MakeOneShot, options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        make_one_shot(**options)


def test_fair_sampling_of_a_space_that_does_not_divide(
    make_one_shot: MakeOneShot, fit: Fit, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="strictly fair sampling needs"):
        fit(make_one_shot(masks=StrictlyFair()), tmp_path)


@pytest.mark.slow
def test_fit_on_the_command_line(run_cli: Any, tiny_space_file: Path, tmp_path: Path) -> None:
    done = run_cli(
        "fit",
        "--config=digits/one_shot.yaml",
        f"--model.space={tiny_space_file}",
        "--model.recalibration_batches=1",
        "--data.resolution=8",
        "--data.batch_size=8",
        "--trainer.max_epochs=1",
        "--trainer.limit_train_batches=2",
        "--trainer.limit_val_batches=1",
        "--run_folder=run",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    checkpoint = read_supernet(tmp_path / "run" / "checkpoints" / "last.ckpt")
    assert checkpoint.data is not None and checkpoint.data["init_args"]["resolution"] == 8
    architecture = Architecture.random(checkpoint.space, np.random.default_rng(0))
    assert checkpoint.build_supernet().extract(architecture)(torch.randn(1, 3, 8, 8)).shape == (1, 10)


@pytest.mark.parametrize(("sharing", "warned"), [("entangled", True), ("independent", False)])
def test_types_without_slices_are_named(
    make_one_shot: MakeOneShot, sharing: str, warned: bool, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    choices = {**FAIR_SPACE["choices"], "skip": {"type": "skip"}, "plain": {"type": "conv", "kernel": 3}}
    path = tmp_path / "mixed.yaml"
    path.write_text(yaml.safe_dump({**FAIR_SPACE, "format": "dnas-space/2", "choices": choices}))
    module = make_one_shot(space=str(path), sharing=sharing)
    assert module.supernet.unshared == (["conv"] if warned else [])
    expected = "Blocks of type conv are no slices of a larger one: under entangled sharing"
    assert any(expected in str(each.message) for each in recwarn) is warned
