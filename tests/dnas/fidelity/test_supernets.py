"""Supernets side by side: names, and why some cannot stand beside each other."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl

from dnas.fidelity.supernets import read_supernets
from lightning_modules.data import Digits
from lightning_modules.one_shot import OneShotSupernet

Save = Callable[..., str]


@pytest.fixture(scope="module")
def save(
    tmp_path_factory: pytest.TempPathFactory,
    make_one_shot: Callable[..., OneShotSupernet],
    make_trainer: Callable[..., pl.Trainer],
) -> Save:
    """Writes the checkpoint of a supernet that was trained for a step."""

    def write(name: str, **options: Any) -> str:
        trainer = make_trainer(tmp_path_factory.mktemp(name), limit_train_batches=1, limit_val_batches=0)
        trainer.fit(make_one_shot(**options), datamodule=Digits(batch_size=8))
        path = Path(trainer.default_root_dir) / f"{name}.ckpt"
        trainer.save_checkpoint(path)
        return str(path)

    return write


@pytest.fixture(scope="module")
def wide(save: Save) -> str:
    return save("wide", stem_stride=1)


def test_names(save: Save, one_shot_checkpoint: Path, search_checkpoint: Path, tmp_path: Path) -> None:
    trained, independent = str(one_shot_checkpoint), save("independent", sharing="independent")
    names = [each.name for each in read_supernets([trained, independent])]
    assert names == ["entangled", "independent"]
    found = read_supernets([trained, independent, f"mine={search_checkpoint}", save("again", seed=1)])
    assert [each.name for each in found] == ["entangled 1", "independent", "mine", "entangled 2"]
    assert [each.checkpoint.kind for each in found] == ["one-shot", "one-shot", "search", "one-shot"]
    # Lightning's own names have equals signs.
    (tmp_path / "epoch=1-step=2.ckpt").write_bytes(one_shot_checkpoint.read_bytes())
    (one,) = read_supernets([str(tmp_path / "epoch=1-step=2.ckpt")])
    assert one.name == "entangled"
    assert one.describe()["sharing"] == "entangled" and one.describe()["kind"] == "one-shot"
    (two,) = read_supernets([f"a={tmp_path / 'epoch=1-step=2.ckpt'}"])
    assert two.name == "a"


def test_all_that_is_wrong_with_the_files(one_shot_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "damaged.ckpt").write_bytes(b"PK")
    with pytest.raises(ValueError) as caught:
        read_supernets(["none.ckpt", str(one_shot_checkpoint), str(tmp_path / "damaged.ckpt")])
    assert "No checkpoint none.ckpt" in str(caught.value)
    assert "damaged.ckpt cannot be read as a checkpoint" in str(caught.value)


def test_why_they_cannot_stand_side_by_side(
    save: Save, wide: str, one_shot_checkpoint: Path, tiny_space_file: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.ckpt"
    shutil.copy(one_shot_checkpoint, copy)
    (tmp_path / "other.yaml").write_text(tiny_space_file.read_text().replace("name: tiny", "name: other"))
    other = save("other", space=str(tmp_path / "other.yaml"))
    with pytest.raises(ValueError) as caught:
        read_supernets([f"x={one_shot_checkpoint}", f"x={copy}", wide, other])
    told = str(caught.value)
    assert "--checkpoint x=...: the name is given twice" in told
    assert f"{one_shot_checkpoint} and {copy} are the same supernet" in told
    assert "Only supernets of one space can be compared: tiny (" in told and f"...) in {other}." in told
    assert f"different networks: stem stride 2 in {one_shot_checkpoint}, {copy}, {other}; " in told
    assert f"stem stride 1 in {wide}" in told
    with pytest.raises(ValueError, match="are the same supernet"):
        read_supernets([str(copy), str(copy)])


def test_the_stride_of_the_stem(wide: str, one_shot_checkpoint: Path) -> None:
    strides = [read_supernets([path])[0].stem_stride for path in (str(one_shot_checkpoint), wide)]
    assert strides == [2, 1]
