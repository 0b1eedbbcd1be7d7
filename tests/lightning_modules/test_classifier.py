"""Training one architecture from scratch; mixup and CutMix.

They mix images and labels in equal shares, drawn from the generator that checkpoints keep.
"""

from __future__ import annotations

import math
from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EMAWeightAveraging, ModelCheckpoint
from torch import Tensor, nn

from dnas import Architecture
from dnas.runs.checkpoint import CheckpointError
from dnas.runs.checkpoint_file import read_supernet
from dnas.runs.trained import read_network
from dnas.search.gradient.schedules import Cosine, RampUp
from dnas.space import zoo
from dnas.space.zoo import load_architecture
from lightning_modules.classifier import Classifier, Mixing, mixing_problems
from lightning_modules.data import Digits

SGD = partial(torch.optim.SGD, lr=0.05, momentum=0.9)


@pytest.fixture
def architecture_file(tiny_space, tmp_path):
    return Architecture(tiny_space, (3, 2, 3)).save(tmp_path / "architecture.json")


@pytest.fixture
def fit(make_trainer, tmp_path):
    """Trains a model on digits and returns its trainer."""

    def run(model, **options):
        trainer = make_trainer(tmp_path, **options)
        trainer.fit(model, datamodule=Digits(batch_size=64))
        return trainer

    return run


@pytest.mark.slow
def test_learns_digits(architecture_file, fit):
    pl.seed_everything(0)
    model = Classifier(str(architecture_file), 10, stem_stride=1, optimizer=SGD)
    trainer = fit(model, max_epochs=12, limit_train_batches=None, limit_val_batches=None)
    assert trainer.callback_metrics["val_top1"] > 0.6


def test_trains_on_weights_and_alpha_splits(architecture_file, fit):
    model = Classifier(str(architecture_file), 10, stem_stride=1, optimizer=SGD)
    trainer = fit(model, limit_train_batches=None)
    # 1,077 + 270 images in batches of 64; the incomplete one is dropped.
    assert trainer.num_training_batches == (1077 + 270) // 64


def test_checkpoint_names_its_architecture(architecture_file, fit, tmp_path):
    model = Classifier(str(architecture_file), 10, stem_stride=1, optimizer=SGD)
    trainer = fit(model)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    content = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert Architecture.from_dict(content["architecture"]) == Architecture.load(architecture_file)


def test_architectures_by_name_and_by_file(architecture_file):
    assert load_architecture("moga_b") == zoo.load("moga_b")
    assert load_architecture(str(architecture_file)) == Architecture.load(architecture_file)
    with pytest.raises(ValueError, match="moga_a"):
        load_architecture("moga_z")
    with pytest.raises(ValueError, match=r"No architecture file nothing\.json"):
        load_architecture("nothing.json")


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_label_smoothing_out_of_range(smoothing):
    with pytest.raises(ValueError, match="label_smoothing"):
        Classifier("moga_a", 10, optimizer=SGD, label_smoothing=smoothing)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"drop_path": 1.0, "mixup": -0.5},
            r"drop_path must be in \[0, 1\), got 1.0; mixup must be 0 or .* -0.5",
        ),
        ({"cutmix": float("nan")}, "cutmix must be 0 or"),
    ],
)
def test_augmentation_out_of_range(options, told):
    with pytest.raises(ValueError, match=told):
        Classifier("moga_a", 10, optimizer=SGD, **options)


def test_one_class_is_nothing_to_learn():
    with pytest.raises(ValueError, match="num_classes is 1: a classifier needs at least 2"):
        Classifier("moga_a", 1, optimizer=SGD)


class Images(pl.Callback):
    """Whether the network sees the images of the batch in training, and in validation."""

    def __init__(self):
        self.unchanged = {"train": [], "val": []}

    def on_fit_start(self, trainer, module):
        def look(network, inputs):
            part = "train" if network.training else "val"
            self.unchanged[part].append(torch.equal(inputs[0], self.images))

        module.network.register_forward_pre_hook(look)

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        self.images = batch[0]

    def on_validation_batch_start(self, trainer, module, batch, batch_idx, dataloader_idx=0):
        self.images = batch[0]


@pytest.mark.parametrize("options", [{"mixup": 1.0}, {"cutmix": 1.0}, {}])
def test_images_are_mixed_in_training_alone(architecture_file, fit, options):
    seen = Images()
    pl.seed_everything(0)
    fit(Classifier(str(architecture_file), 10, optimizer=SGD, **options), callbacks=[seen])
    assert seen.unchanged == {"train": [not options] * 2, "val": [True]}


def test_paths_are_dropped(architecture_file):
    model = Classifier(str(architecture_file), 10, optimizer=SGD, drop_path=0.3)
    assert model.network.blocks[2].drop.p == pytest.approx(0.3)


class Snapshot(pl.Callback):
    """What the network holds when training begins."""

    def on_train_start(self, trainer, module):
        self.weights = {name: value.clone() for name, value in module.network.state_dict().items()}


def test_begins_with_the_weights_of_a_supernet(architecture_file, one_shot_checkpoint, fit):
    snapshot = Snapshot()
    model = Classifier(str(architecture_file), 10, optimizer=SGD, inherit=str(one_shot_checkpoint))
    fit(model, callbacks=[snapshot])
    supernet = read_supernet(one_shot_checkpoint).build_supernet()
    expected = supernet.extract(Architecture.load(architecture_file)).state_dict()
    assert snapshot.weights.keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in snapshot.weights.items())


def test_goes_on_and_is_tested_when_the_supernet_is_gone(
    architecture_file, one_shot_checkpoint, make_trainer, tmp_path
):
    supernet = tmp_path / "supernet.ckpt"
    supernet.write_bytes(one_shot_checkpoint.read_bytes())

    def make():
        return Classifier(str(architecture_file), 10, optimizer=SGD, inherit=str(supernet))

    trainer = make_trainer(tmp_path)
    trainer.fit(make(), datamodule=Digits(batch_size=64))
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    supernet.unlink()
    model = make()
    make_trainer(tmp_path, max_epochs=2).fit(
        model, datamodule=Digits(batch_size=64), ckpt_path=tmp_path / "last.ckpt"
    )
    make_trainer(tmp_path).test(model, datamodule=Digits(batch_size=64), verbose=False)
    assert "test_top1" in model.trainer.callback_metrics
    with pytest.raises(CheckpointError, match="No checkpoint"):
        make_trainer(tmp_path).fit(make(), datamodule=Digits(batch_size=64))


@pytest.mark.parametrize("decays", [True, False])
def test_weight_decay_of_norms_and_biases(architecture_file, decays):
    optimizer = partial(torch.optim.SGD, lr=0.1, weight_decay=0.01)
    model = Classifier(str(architecture_file), 10, optimizer=optimizer, decay_norms=decays)
    groups = model.configure_optimizers().param_groups
    decayed = {id(each) for group in groups if group["weight_decay"] for each in group["params"]}
    everything = [each for group in groups for each in group["params"]]
    assert len(everything) == len({id(each) for each in everything}) == len(list(model.network.parameters()))
    kinds = (nn.Conv2d, nn.Linear)
    matrices = {id(each.weight) for each in model.network.modules() if isinstance(each, kinds)}
    assert decayed == ({id(each) for each in everything} if decays else matrices)


def test_a_whole_recipe_resumes_bit_for_bit(architecture_file, make_trainer, tmp_path):
    """Contract 7, with everything that draws random numbers or keeps a state."""

    def train(folder, seed, **how):
        pl.seed_everything(seed)
        model = Classifier(
            str(architecture_file),
            10,
            stem_stride=1,
            optimizer=SGD,
            lr=RampUp(Cosine(1.0, 0.0), 0.25),
            label_smoothing=0.1,
            mixup=0.4,
            cutmix=1.0,
            drop_path=0.3,
            decay_norms=False,
        )
        every_epoch = ModelCheckpoint(folder, filename="{epoch}", save_top_k=-1)
        trainer = make_trainer(
            folder,
            max_epochs=3,
            limit_train_batches=3,
            enable_checkpointing=True,
            callbacks=[EMAWeightAveraging(decay=0.5), every_epoch],
        )
        trainer.fit(model, datamodule=Digits(batch_size=32), **how)
        return torch.load(folder / "epoch=2.ckpt", weights_only=True)

    whole = train(tmp_path / "whole", 0)
    resumed = train(tmp_path / "resumed", 1, ckpt_path=tmp_path / "whole" / "epoch=0.ckpt")
    for part in ("state_dict", "current_model_state"):
        assert whole[part].keys() == resumed[part].keys()
        for name, value in whole[part].items():
            assert torch.equal(value, resumed[part][name]), f"{part}.{name}"
    weight = "network.classifier.weight"
    assert not torch.equal(whole["state_dict"][weight], whole["current_model_state"][weight])
    # What is exported is what was validated: the average.
    exported = read_network(tmp_path / "resumed" / "epoch=2.ckpt").network
    assert torch.equal(exported.classifier.weight, whole["state_dict"][weight])


LABELS = torch.tensor([0, 1, 2, 0, 1, 3])


def mixed(mixing: Mixing, seed: int) -> tuple[Tensor, Tensor]:
    """Of images that hold their own number in every pixel."""
    images = torch.arange(6.0)[:, None, None, None].expand(6, 1, 8, 8).contiguous()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return mixing(images, LABELS)


def shares(targets: Tensor) -> tuple[Tensor, Tensor]:
    """What an image's own label has, and that of the image before it."""
    rows = torch.arange(6)
    return targets[rows, LABELS], targets[rows, LABELS.roll(1)]


def test_never_is_the_same_batch() -> None:
    images = torch.randn(2, 3, 4, 4)
    labels = torch.tensor([0, 1])
    assert all(a is b for a, b in zip(Mixing(0.0, 0.0, 2)(images, labels), (images, labels), strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_mixup_adds_images_as_it_adds_labels(seed: int) -> None:
    images, targets = mixed(Mixing(1.0, 0.0, 4), seed)
    own, other = shares(targets)
    torch.testing.assert_close(own + other, torch.ones(6))
    expected = own * torch.arange(6.0) + other * torch.arange(6.0).roll(1)
    torch.testing.assert_close(images, expected[:, None, None, None].expand_as(images))


@pytest.mark.parametrize("seed", range(5))
def test_cutmix_pastes_the_share_that_the_label_has(seed: int) -> None:
    images, targets = mixed(Mixing(0.0, 1.0, 4), seed)
    own, other = shares(targets)
    numbers = torch.arange(6.0)[:, None, None, None]
    torch.testing.assert_close((images == numbers).float().mean((1, 2, 3)), own)
    torch.testing.assert_close((images == numbers.roll(1, 0)).float().mean((1, 2, 3)), other)


def test_both_take_turns() -> None:
    mixing = Mixing(1.0, 1.0, 4)
    fractional = [
        not torch.equal(images, images.round()) for images, _ in (mixed(mixing, s) for s in range(40))
    ]
    assert 8 <= sum(fractional) <= 32


def test_a_seed_decides() -> None:
    mixing = Mixing(0.5, 0.5, 4)
    for one, other in zip(mixed(mixing, 3), mixed(mixing, 3), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(mixed(mixing, 3)[0], mixed(mixing, 4)[0])


def test_mixing_problems() -> None:
    assert mixing_problems(mixup=0.0, cutmix=1.0) == []
    told = mixing_problems(mixup=-0.1, cutmix=math.nan)
    assert told == [
        "mixup must be 0 or a finite number above 0, got -0.1",
        "cutmix must be 0 or a finite number above 0, got nan",
    ]
    assert mixing_problems(mixup=math.inf)
