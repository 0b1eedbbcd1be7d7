"""``dnas data check`` in text, as JSON and on a page; its exit status says whether something is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from dnas.data.command import main
from lightning_modules.app import cli


def test_a_sound_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(folder), "--workers", "0"]) == 0
    text = capsys.readouterr().out
    assert f"10 image files in {folder}" in text
    assert "train: 2 classes of 3 to 3 images, median 3" in text
    assert "JPEG    RGB   10      16 / 16 / 16" in text
    assert "Nothing is wrong that would break or spoil a training." in text


def test_all_damaged_files_are_named_and_other_names_are_cut(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(25):
        (folder / "train" / "cat" / f"x{number}.jpg").write_bytes(b"")
        Image.new("L", (number + 1, 1)).save(folder / "train" / "dog" / f"[red]{number}.png")
    with pytest.raises(SystemExit) as status:
        cli.main(["data", "check", str(folder), "--workers", "0"])
    assert status.value.code == 1
    text = capsys.readouterr().out
    assert all(f"    train/cat/x{number}.jpg (the file is empty)\n" in text for number in range(25))
    assert "... and 5 more (--json has all)" in text
    assert text.count("train/dog/[red]") == 20


def test_json_and_a_page(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "val" / "dog" / "2.png").write_bytes(b"GIF89a")
    page = folder / "new" / "page.png"
    assert main(["check", str(folder), "--workers", "0", "--json", "--page", str(page)]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["images"] == 11 and found["classes"]["val"] == {"cat": 2, "dog": 3}
    assert found["kinds"] == [
        {"format": "JPEG", "mode": "RGB", "images": 10, "width": [16, 16, 16], "height": [12, 12, 12]}
    ]
    (problem,) = found["problems"]
    assert problem["names"][0].startswith("val/dog/2.png (")
    with Image.open(page) as image:
        assert image.width == 1200


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--workers", "-1"], "dnas data: --workers must be 0 or more, got -1"),
        (["--page", "page.jpg"], r"--page page\.jpg: expected a name that ends with \.png, \.svg, \.pdf"),
    ],
)
def test_unusable_options(folder: Path, options: list[str], message: str) -> None:
    with pytest.raises(SystemExit, match=message):
        main(["check", str(folder), *options])
