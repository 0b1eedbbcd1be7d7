"""Every shipped config trains as it stands, with a small space and small images in place of its own."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from dnas import Architecture, SearchSpace
from dnas.space import shipped_spaces
from lightning_modules.app.lightning_command import run_lightning
from lightning_modules.app.resources import shipped_config, shipped_configs


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes, sixteen training and four validation images each.

    Of noise: in images of one colour, batch norms divide by next to nothing, and gradients overflow.
    """
    folder, pixels = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for label, name in enumerate(("ant", "bee")):
        for part, count in (("train", 16), ("val", 4)):
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                image = pixels.integers(128 * label, 128 * (label + 1), (36, 40, 3), dtype=np.uint8)
                Image.fromarray(image).save(folder / part / name / f"{number}.png")
    return folder


DATA = os.environ.get("DNAS_DATA", "")
OVERLAYS = [name for name in shipped_configs() if name.startswith("spaces/")]
SHORT = [
    "--data.resolution=32",
    "--data.batch_size=4",
    "--trainer.accelerator=cpu",
    "--trainer.devices=1",
    "--trainer.max_epochs=1",
    "--trainer.limit_train_batches=1",
    "--trainer.limit_val_batches=1",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
    "--run_folder=run",
]


@pytest.mark.parametrize("name", sorted({*shipped_configs()} - {*OVERLAYS}))
def test_config_trains(
    name: str,
    images: Path,
    tiny_space: SearchSpace,
    tiny_space_file: Path,
    tiny_table_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    model = yaml.safe_load(shipped_config(name).read_text())["model"]["init_args"]
    if "architecture" in model:
        file = Architecture(tiny_space, (3, 2, 3)).save(tmp_path / "architecture.json")
        flags = [f"--model.architecture={file}"]
    else:
        # Strictly fair: as many choices in every layer, which the small space has not.
        fair = "masks" in model and model["masks"]["class_path"].endswith("StrictlyFair")
        flags = ["--model.recalibration_batches=1", f"--model.space={'moga' if fair else tiny_space_file}"]
        flags += [f"--model.table={tiny_table_file}"] if "table" in model else []
        flags += ["--model.steps.warmup_epochs=0"] if "steps" in model else []
    if not name.startswith("digits/"):
        flags += [
            "--data=lightning_modules.data.ImageFolder",
            f"--data.root={images}",
            "--data.num_workers=0",
        ]
        flags += ["--data.class_subset=2"] if name.startswith("imagenet/") else []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        cli = run_lightning(["fit", f"--config={name}", *flags, *SHORT])
    assert cli.trainer.global_step >= 1
    assert Path("run/checkpoints/last.ckpt").is_file()


@pytest.mark.skipif(
    not Path(DATA, "cifar10", "cifar-10-batches-py").is_dir(),
    reason="CIFAR-10 is not at $DNAS_DATA/cifar10 (set DNAS_DATA to run this)",
)
@pytest.mark.filterwarnings("ignore:Blocks of type .* are no slices of a larger one")
@pytest.mark.parametrize("name", OVERLAYS)
def test_a_space_of_its_own_trains_on_cifar_10(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step in the real space, with the table that ships for it, where one does."""
    monkeypatch.chdir(tmp_path)
    searches = "table" in yaml.safe_load(shipped_config(name).read_text())["model"]["init_args"]
    base = "cifar10/search.yaml" if searches else "cifar10/one_shot.yaml"
    flags = ["--model.steps.warmup_epochs=0"] if searches else ["--model.validation_architectures=1"]
    flags += ["--model.recalibration_batches=1", f"--data.root={DATA}/cifar10", "--data.num_workers=0"]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        cli = run_lightning(["fit", f"--config={base}", f"--config={name}", *flags, *SHORT])
    assert cli.trainer.global_step >= 1
    assert cli.model.space == SearchSpace.load(Path(name).stem)


def test_every_space_has_a_config() -> None:
    assert {Path(name).stem for name in OVERLAYS} == {*shipped_spaces()} - {"moga"}, "moga is in all others"
