"""Image folders: classes and their subsets, splits, transforms, and what is said when files are missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dnas.images.decoding import ImageFault, UnreadableImage
from lightning_modules.data import DataNotFound, ImageFolder
from lightning_modules.data.damaged import Undecodable
from lightning_modules.data.imagefolder import IMAGENET

CLASSES = ["ant", "bee", "cat", "dog", "elk"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five classes, 10 training and 3 validation images each; colours tell class, number and part."""
    folder = tmp_path_factory.mktemp("images")
    for label, name in enumerate(CLASSES):
        for part, count in (("train", 10), ("val", 3)):
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                colour = (50 * label, 20 * number, 255 if part == "val" else 0)
                Image.new("RGB", (20, 12), colour).save(folder / part / name / f"{number}.png")
    return folder


def ready(root: Path, **options: Any) -> ImageFolder:
    data = ImageFolder(root=str(root), **{"resolution": 8, "batch_size": 4, **options})
    data.setup()
    return data


def colours(images: torch.Tensor) -> np.ndarray:
    """(B, 3) colour of images of one colour."""
    mean, std = torch.tensor(IMAGENET.mean), torch.tensor(IMAGENET.std)
    return ((images.mean((2, 3)) * std + mean) * 255).round().int().numpy()


def test_splits_of_the_training_folder_and_the_official_validation(root: Path) -> None:
    data = ready(root)
    sizes = {name: len(split.indices) for name, split in data.splits.items()}
    assert sizes == {"weights": 40, "alpha": 10, "val": 15, "test": 15}
    both = np.concatenate([data.splits["weights"].indices, data.splits["alpha"].indices])
    assert sorted(both.tolist()) == list(range(50))
    alpha = data.splits["alpha"]
    assert np.bincount(alpha.source.labels[alpha.indices]).tolist() == [2] * 5
    assert data.num_classes == 5
    assert data.classes == CLASSES


def test_a_validation_fraction_is_cut_from_the_training_folder(root: Path) -> None:
    data = ready(root, val_fraction=0.2)
    sizes = {name: len(split.indices) for name, split in data.splits.items()}
    assert sizes == {"weights": 30, "alpha": 10, "val": 10, "test": 15}
    assert data.splits["val"].source is data.splits["weights"].source


def test_every_image_has_its_class(root: Path) -> None:
    data = ready(root)
    for loader, blue in ((data.test_dataloader(), 255), (data.recalibration_dataloader(), 0)):
        for images, labels in loader:
            assert images.shape[1:] == (3, 8, 8)
            found = colours(images)
            assert found[:, 0].tolist() == (50 * labels).tolist()
            assert set(found[:, 2].tolist()) == {blue}


def test_class_names_are_renumbered(root: Path) -> None:
    data = ImageFolder(root=str(root), class_subset=["elk", "bee"])
    assert data.num_classes == 2
    data = ready(root, class_subset=["elk", "bee"])
    assert data.classes == ["bee", "elk"]
    ((images, labels),) = data.test_dataloader()
    assert labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert colours(images)[:, 0].tolist() == [50] * 3 + [200] * 3


def test_a_number_chooses_classes_by_the_seed(root: Path) -> None:
    chosen = {tuple(ready(root, class_subset=3, seed=seed).classes) for seed in range(8)}
    assert len(chosen) > 1
    assert all(len(set(names)) == 3 and list(names) == sorted(names) for names in chosen)
    assert ready(root, class_subset=3, seed=4).classes == ready(root, class_subset=3, seed=4).classes
    assert ImageFolder(root="nowhere", class_subset=100).num_classes == 100


def test_training_images_are_augmented_and_do_not_depend_on_workers(root: Path) -> None:
    def epoch(**options: Any) -> torch.Tensor:
        data = ready(root, batches="plain", **options)
        return torch.cat([images for images, _ in data.train_dataloader()])

    images = epoch()
    assert torch.equal(images, epoch(num_workers=2))
    assert not torch.equal(images, epoch(augment=False))
    one, other = epoch(augment=False), epoch(augment=False, num_workers=2)
    assert torch.equal(one, other)


def test_evaluation_resizes_by_256_224_and_takes_the_centre(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 128, 3), dtype=np.uint8)
    for part, count in (("train", 4), ("val", 1)):
        for name in ("a", "b"):
            (tmp_path / part / name).mkdir(parents=True)
            for number in range(count):
                Image.fromarray(picture).save(tmp_path / part / name / f"{number}.png")
    data = ready(tmp_path, resolution=56, alpha_fraction=0.5)
    ((images, _),) = data.val_dataloader()
    centre = torch.from_numpy(picture[4:60, 36:92]).permute(2, 0, 1) / 255  # 56 * 256 / 224 = 64: no resizing
    mean, std = torch.tensor(IMAGENET.mean).view(3, 1, 1), torch.tensor(IMAGENET.std).view(3, 1, 1)
    torch.testing.assert_close(images[0], (centre - mean) / std)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of noise of all sizes and both orientations, larger and smaller than what is trained on."""
    folder, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for part, count in (("train", 12), ("val", 6)):
        for name in ("a", "b"):
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 256, (*random.integers(20, 90, 2), 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / part / name / f"{number}.png")
    return folder


def batches(data: ImageFolder, name: str) -> torch.Tensor:
    data.serve("plain")
    return torch.cat([images for images, _ in getattr(data, f"{name}_dataloader")()])


@pytest.mark.parametrize("resolution", [32, 33, 37])
def test_evaluation_from_the_cache_is_the_same_bit_for_bit(
    photos: Path, tmp_path: Path, resolution: int
) -> None:
    decoded = ready(photos, resolution=resolution)
    cached = ready(photos, resolution=resolution, cache=str(tmp_path))
    for name in ("val", "test", "recalibration"):
        assert torch.equal(batches(cached, name), batches(decoded, name))
    plain = [ready(photos, augment=False, **options) for options in ({}, {"cache": str(tmp_path)})]
    assert torch.equal(*(batches(data, "train") for data in plain))


def test_training_from_the_cache_is_augmented_alike_on_average(photos: Path, tmp_path: Path) -> None:
    def epoch(**options: Any) -> torch.Tensor:
        return batches(ready(photos, resolution=16, **options), "train")

    cached = epoch(cache=str(tmp_path))
    assert cached.shape[1:] == (3, 16, 16)
    assert torch.equal(cached, epoch(cache=str(tmp_path), num_workers=2))
    assert not torch.equal(cached, epoch(cache=str(tmp_path), augment=False))
    still = epoch(cache=str(tmp_path), color_jitter=0.0)
    assert not torch.equal(cached, still)
    means = [images.mean((0, 2, 3)) for images in (still, epoch(color_jitter=0.0))]
    torch.testing.assert_close(*means, atol=0.05, rtol=0)


def test_the_cache_is_made_when_data_is_prepared_and_per_resolution(photos: Path, tmp_path: Path) -> None:
    ImageFolder(root=str(photos), resolution=8).prepare_data()
    assert not list(tmp_path.iterdir())
    ImageFolder(root=str(photos), resolution=8, cache=str(tmp_path)).prepare_data()
    made = {path for path in tmp_path.iterdir() if path.is_dir()}
    assert {path.name.rpartition("-")[0] for path in made} == {"train-8px", "val-8px"}
    times = {path: path.stat().st_mtime_ns for path in made}
    ready(photos, cache=str(tmp_path))
    assert {path: path.stat().st_mtime_ns for path in made} == times
    ready(photos, resolution=9, cache=str(tmp_path))
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 4


def test_absent_folders_say_where_and_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(DataNotFound) as error:
        ImageFolder(root=str(tmp_path)).setup()
    for part in (
        str(tmp_path),
        "no folder train",
        "no folder val",
        "<root>/train/<class>/",
        "image-net.org",
        "--data.init_args.root",
    ):
        assert part in str(error.value)


def test_every_empty_class_is_named(tmp_path: Path) -> None:
    for folder in ("train/a", "train/b", "train/c", "val/a", "val/b"):
        (tmp_path / folder).mkdir(parents=True)
    Image.new("RGB", (4, 4)).save(tmp_path / "train" / "b" / "0.png")
    (tmp_path / "val" / "b" / "0.heic").touch()
    with pytest.raises(DataNotFound) as error:
        ImageFolder(root=str(tmp_path)).setup()
    assert "no images in train for 2 class(es): a, c" in str(error.value)
    assert "no images in val for 3 class(es): a, b, c" in str(error.value)
    assert "left out: 1 file(s) of other types (0.heic)" in str(error.value)


@pytest.mark.parametrize("subset", [None, 2, ["ant", "bee"]])
def test_a_class_that_only_val_has_is_said_to_be_left_out(
    subset: Any, root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "train").symlink_to(root / "train")
    (tmp_path / "val").mkdir()
    for name in (*CLASSES, "fox"):
        (tmp_path / "val" / name).symlink_to(root / "val" / name.replace("fox", "ant"))
    with caplog.at_level("INFO"):
        assert ready(tmp_path, class_subset=subset).num_classes == (2 if subset else 5)
    assert [record.getMessage() for record in caplog.records] == [
        f"Left out of {tmp_path}: 1 class(es) of val that train has not (fox)"
    ]


@pytest.mark.parametrize(
    ("subset", "message"),
    [
        (6, "class_subset=6 is more than the 5 classes"),
        (["bee", "yak", "ape"], r"2 name\(s\) in class_subset have no folder in .*: 'ape', 'yak'"),
    ],
)
def test_classes_that_are_not_there(root: Path, subset: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ready(root, class_subset=subset)


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        (
            {"class_subset": 0, "min_crop_area": 0.0},
            ["class_subset must be at least 1, got 0", "min_crop_area must be in (0, 1], got 0.0"],
        ),
        ({"class_subset": []}, ["class_subset names no class"]),
        ({"class_subset": ["a", "b", "a"]}, ["names classes twice: a"]),
        ({"color_jitter": 2.0}, ["color_jitter must be in [0, 1], got 2.0"]),
        ({"cache_limit_gb": 0.0}, ["cache_limit_gb must be above 0, got 0.0"]),
        ({"alpha_fraction": 1.0}, ["alpha_fraction must be in [0, 1), got 1.0"]),
    ],
)
def test_bad_arguments_are_named(options: dict[str, Any], messages: list[str]) -> None:
    with pytest.raises(ValueError) as error:
        ImageFolder(root="nowhere", **options)
    assert all(message in str(error.value) for message in messages)


@pytest.fixture
def torn(tmp_path: Path) -> Path:
    """Two classes of eight training images and three for validation; three of "a" are truncated."""
    random = np.random.default_rng(0)
    for part, count in (("train", 8), ("val", 3)):
        for name in ("a", "b"):
            (tmp_path / part / name).mkdir(parents=True)
            for number in range(count):
                path = tmp_path / part / name / f"{number}.jpg"
                Image.fromarray(random.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(path)
    for name in ("train/a/2.jpg", "train/a/5.jpg", "val/a/0.jpg"):
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-150])
    return tmp_path


def fault_of(data: ImageFolder, name: str) -> tuple[type, str]:
    # pytest.raises would hold the traceback in a circle, in which the loader's processes end late.
    try:
        batches(data, name)
    except ImageFault as error:
        return type(error), str(error)
    pytest.fail("no fault")


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("name", ["train", "val", "recalibration"])
def test_a_damaged_file_is_named_in_one_sentence(torn: Path, name: str, num_workers: int) -> None:
    kind, text = fault_of(ready(torn, num_workers=num_workers), name)
    assert kind is ImageFault
    assert text.startswith(str(torn)) and ".jpg cannot be decoded (image file is truncated" in text
    assert "\n" not in text


def skipping(root: Path, **options: Any) -> ImageFolder:
    return ready(root, on_damaged="skip", alpha_fraction=0.25, batches="plain", **options)


def test_skipping_does_not_depend_on_workers_or_on_a_resume(torn: Path) -> None:
    whole = [images for images, _ in skipping(torn).train_dataloader()]
    working = [images for images, _ in skipping(torn, num_workers=2).train_dataloader()]
    loader = skipping(torn).train_dataloader()
    loader.load_state_dict({**loader.state_dict(), "batch": 1})
    assert len(whole) == 3
    assert all(map(torch.equal, whole, working))
    assert all(map(torch.equal, whole[1:], (images for images, _ in loader)))


@pytest.mark.parametrize("options", [{}, {"num_workers": 2}, {"cache": "cache"}], ids=str)
def test_skipped_images_have_stand_ins_of_their_split_and_are_counted(
    torn: Path, options: dict[str, Any], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(torn)
    data = skipping(torn, augment=False, **options)
    source, sound = data.splits["weights"].source, ready(torn, alpha_fraction=0.25).splits["weights"].source
    for split in (data.splits["weights"], data.splits["alpha"]):
        own = [number for number in split.indices if number < 8 and number not in (2, 5)]
        for number in {2, 5} & set(split.indices.tolist()):
            expected = min((each for each in own if each > number), default=min(own))
            assert torch.equal(source.batch([number])[0], sound.batch([expected])[0])
    assert len(batches(data, "val")) == 6
    with caplog.at_level("INFO"):
        batches(data, "train"), batches(data, "recalibration"), data.teardown("fit")
    assert (
        "on_damaged is skip: 3 image file(s) cannot be decoded, others of their class stood in" in caplog.text
    )


def test_a_class_without_a_whole_image_ends_it_also_when_skipping(torn: Path) -> None:
    for path in (torn / "val" / "a").iterdir():
        path.write_bytes(b"")
    with pytest.raises(
        ImageFault, match=r"a/0\.jpg cannot be decoded \(nor can any other image of its class"
    ):
        batches(skipping(torn), "val")


def test_some_files_are_looked_at_before_training(torn: Path, caplog: pytest.LogCaptureFixture) -> None:
    ImageFolder(root=str(torn)).prepare_data()  # headers are whole
    (torn / "val" / "b" / "1.jpg").write_text("<html>")
    with pytest.raises(Undecodable, match=r"1 of 6 image files looked at.*b/1\.jpg \(no image format"):
        ImageFolder(root=str(torn)).prepare_data()
    ImageFolder(root=str(torn), on_damaged="skip").prepare_data()
    (torn / "val" / "b" / "x.jpg").symlink_to("nowhere")
    with pytest.raises(UnreadableImage, match=r"x\.jpg cannot be read"):
        ImageFolder(root=str(torn), cache=str(torn / "cache"), on_damaged="skip").prepare_data()


def test_a_cache_that_skipped_is_refused_where_damage_is_an_error(torn: Path, tmp_path: Path) -> None:
    skipping(torn, cache=str(tmp_path / "cache"))
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").glob("*/images.npy")}
    with pytest.raises(Undecodable, match=r"2 of 16 image files cannot be decoded, .*train/a/2\.jpg"):
        ready(torn, cache=str(tmp_path / "cache"))
    assert {path: path.stat().st_mtime_ns for path in made} == made


def test_hidden_folders_are_no_classes_and_are_said_once(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    junk = [root / part / name for part in ("train", "val") for name in (".ipynb_checkpoints", "__MACOSX")]
    junk.append(root / "train" / "ant" / ".ipynb_checkpoints")
    try:
        for folder in junk:
            folder.mkdir()
            Image.new("RGB", (4, 4)).save(folder / "0.png")
        with caplog.at_level("INFO"):
            data = ready(root)
        assert data.classes == CLASSES and len(data.splits["weights"].source) == 50
        (said,) = [record.getMessage() for record in caplog.records if "Left out" in record.getMessage()]
        assert "5 hidden folder(s) (.ipynb_checkpoints, __MACOSX)" in said
    finally:
        for folder in junk:
            (folder / "0.png").unlink()
            folder.rmdir()


def test_depth_and_orientation_with_and_without_a_cache(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    ramp = np.repeat(np.linspace(0, 65535, 32).astype(np.uint16)[None], 32, 0)
    for part in ("train", "val"):
        for name in ("a", "b"):
            (tmp_path / part / name).mkdir(parents=True)
            for number in range(2):
                Image.fromarray(ramp).save(tmp_path / part / name / f"{number}.png", exif=exif)
    for turned in (True, False):
        options = {"resolution": 28, "exif_orientation": turned, "alpha_fraction": 0.5}
        direct, cached = (ready(tmp_path, **options, **more) for more in ({}, {"cache": str(tmp_path / "c")}))
        images = batches(direct, "val")
        assert torch.equal(images, batches(cached, "val"))
        mean = colours(images)[0]
        assert np.abs(mean - 127).max() <= 1
        rises = images[0, 0].diff(dim=0 if turned else 1)
        assert (rises > 0).all()
