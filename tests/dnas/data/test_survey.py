"""A survey sees every image once, in order, and takes faults for data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dnas.data.survey import survey


@pytest.mark.parametrize("workers", [0, 2])
def test_both_layouts(folder: Path, workers: int) -> None:
    both, single = survey(folder, workers), survey(folder / "train", workers)
    assert both.classes == {"train": ["cat", "dog"], "val": ["cat", "dog"]}
    assert single.classes == {"": ["cat", "dog"]}
    assert [image.path for image in both.images[2:8]] == [
        *("train/cat/2.jpg", "train/dog/0.jpg", "train/dog/1.jpg", "train/dog/2.jpg"),
        *("val/cat/0.jpg", "val/cat/1.jpg"),
    ]
    assert [image.path for image in single.images[:4]] == ["cat/0.jpg", "cat/1.jpg", "cat/2.jpg", "dog/0.jpg"]
    assert len({image.digest for image in both.images}) == 10
    header = both.images[0].header
    assert header is not None and (header.format, header.mode, header.width) == ("JPEG", "RGB", 16)


def test_faults_blank_and_dark_images(folder: Path) -> None:
    cat = folder / "train" / "cat"
    (cat / "a.jpg").write_bytes(b"")
    (cat / "b.jpg").symlink_to("nowhere")
    Image.new("RGB", (9, 9), (200, 7, 9)).save(cat / "c.png")
    Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 60).save(cat / "d.png")
    found = {
        Path(image.path).stem: image for image in survey(folder / "train", 0).images if image.label == "cat"
    }
    assert found["a"].fault == "the file is empty" and found["a"].header is None
    assert found["b"].fault == "cannot be read: No such file or directory" and not found["b"].digest
    assert (found["c"].blank, found["c"].dark) == (True, False)
    assert (found["d"].blank, found["d"].dark) == (False, True)
    assert not found["0"].blank and not found["0"].dark


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"No folder .*nowhere\. Expected FOLDER/train/CLASS"):
        survey(tmp_path / "nowhere", 0)
    with pytest.raises(ValueError, match="No folders of classes in"):
        survey(tmp_path, 0)
