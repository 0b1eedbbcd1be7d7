"""Classes and images are found in torchvision's order; what systems leave behind is counted only."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from torchvision.datasets.folder import make_dataset

from dnas.images.folders import EXTENSIONS, LeftOut, class_names, image_files, is_hidden


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_the_order_is_torchvisions(tmp_path: Path) -> None:
    names = ["b/2.JPG", "b/10.png", "b/sub/1.jpeg", "b/sub-1/1.webp", "b/Sub/a/9.tiff", "a/z.bmp", "a/Z.ppm"]
    touch(*(tmp_path / name for name in names))
    found = image_files(tmp_path, ["a", "b"], LeftOut())
    expected = make_dataset(tmp_path, {"a": 0, "b": 1}, extensions=EXTENSIONS)
    assert [(file, label) for label, name in enumerate("ab") for file in found[name]] == expected
    assert len(expected) == len(names)


def test_what_is_hidden_or_no_image_is_counted(tmp_path: Path) -> None:
    junk = ["cat/._1.jpg", "cat/.ipynb_checkpoints/1.jpg", ".ipynb_checkpoints/1.jpg", "__MACOSX/cat/1.jpg"]
    junk += ["cat/Thumbs.db", ".DS_Store", "cat/notes.txt", "cat/1.gif", "README.md", "cat/@eaDir/1.jpg"]
    touch(*(tmp_path / name for name in ("cat/1.jpg", "dog/1.jpg", *junk)))
    left_out = LeftOut()
    classes = class_names(tmp_path, left_out)
    assert classes == ["cat", "dog"]
    found = image_files(tmp_path, classes, left_out)
    assert found == {name: [str(tmp_path / name / "1.jpg")] for name in classes}
    assert sum(left_out.counts.values()) == len(junk)
    assert left_out.counts["hidden folder(s)"] == 4
    sentence = left_out.sentence()
    assert "2 file(s) of other types (1.gif, notes.txt)" in sentence and "\n" not in sentence
    assert LeftOut().sentence() == ""


def test_links_in_circles_end_and_links_to_elsewhere_count(tmp_path: Path) -> None:
    touch(tmp_path / "train" / "cat" / "1.jpg", tmp_path / "far" / "2.jpg", tmp_path / "x.jpg" / "3.jpg")
    cat = tmp_path / "train" / "cat"
    (cat / "loop").symlink_to(cat)
    (tmp_path / "train" / "up").symlink_to(tmp_path)
    (cat / "far").symlink_to(tmp_path / "far")
    (cat / "itself.jpg").symlink_to(cat / "itself.jpg")
    (cat / "nowhere.jpg").symlink_to(tmp_path / "nowhere")
    (cat / "folder.jpg").symlink_to(tmp_path / "x.jpg")
    left_out = LeftOut()
    assert class_names(tmp_path / "train", left_out) == ["cat"]
    (files,) = image_files(tmp_path / "train", ["cat"], left_out).values()
    found = [os.path.relpath(file, cat) for file in files]
    assert found == ["1.jpg", "itself.jpg", "nowhere.jpg", "far/2.jpg", "folder.jpg/3.jpg"]
    assert left_out.counts == {"link(s) to a folder around them": 2}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_is_no_image(tmp_path: Path) -> None:
    touch(tmp_path / "cat" / "1.jpg")
    os.mkfifo(tmp_path / "cat" / "2.jpg")
    left_out = LeftOut()
    assert len(image_files(tmp_path, ["cat", "absent"], left_out)["cat"]) == 1
    assert left_out.counts == {"special file(s)": 1}


def test_names() -> None:
    assert all(map(is_hidden, (".a", "._a.jpg", "__MACOSX", "THUMBS.DB", "desktop.ini")))
    assert not any(map(is_hidden, ("a.b", "_a", "macosx", "n01440764")))
    assert class_names(Path("nowhere"), LeftOut()) == []
