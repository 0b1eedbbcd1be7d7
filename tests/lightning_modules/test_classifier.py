"""Training one architecture from scratch."""

from __future__ import annotations

from functools import partial

import pytest
import pytorch_lightning as pl
import torch

from dnas import Architecture, zoo
from dnas.zoo import load_architecture
from lightning_modules.classifier import Classifier
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
