"""A damaged image has one stand-in, whoever asks and whenever; some headers are read before training."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dnas.images.decoding import ImageFault, UnreadableImage
from lightning_modules.data.damaged import StandIns, Undecodable, check_some

FILES = [f"{number}.png" for number in range(8)]
LABELS = [0, 0, 0, 1, 1, 1, 1, 1]


def reader(*damaged: int, kind: type[ImageFault] = ImageFault):
    def read(path: str) -> str:
        if int(path.removesuffix(".png")) in damaged:
            raise kind(path, "torn")
        return path

    return read


@pytest.mark.parametrize(
    ("damaged", "number", "expected"),
    [((4,), 3, 3), ((4,), 4, 5), ((4, 5), 4, 6), ((6, 7), 6, 3), ((0, 1), 0, 2)],
)
def test_the_next_of_its_class_stands_in(damaged: tuple[int, ...], number: int, expected: int) -> None:
    stand_ins = StandIns(FILES, LABELS)
    for _ in range(2):  # met for the first time, and known
        assert stand_ins.first(number, reader(*damaged)) == FILES[expected]
    known = StandIns(FILES, LABELS, damaged)
    assert known.replace(torch.tensor([number, 2])).tolist() == [expected, 2]
    assert known.damaged == [FILES[each] for each in damaged]


def test_it_is_of_the_same_split() -> None:
    stand_ins = StandIns(FILES, LABELS)
    stand_ins.keep_apart([np.array([3, 5, 0]), np.array([4, 6, 7, 1, 2])])
    assert stand_ins.first(3, reader(3)) == FILES[5]
    with pytest.raises(ImageFault, match=r"^0\.png cannot be decoded \(nor can any other image of its class"):
        stand_ins.first(0, reader(0))
    with pytest.raises(ImageFault, match=r"^0\.png cannot be decoded \(nor can"):
        stand_ins.replace(torch.tensor([4, 0]))


def test_an_unreadable_file_is_not_skipped() -> None:
    stand_ins = StandIns(FILES, LABELS)
    with pytest.raises(UnreadableImage, match=r"^3\.png cannot be read \(torn\)"):
        stand_ins.first(3, reader(3, kind=UnreadableImage))
    assert stand_ins.damaged == []


def images(folder: Path, damaged: int, count: int = 40) -> list[str]:
    paths = [folder / f"{number:02d}.png" for number in range(count)]
    for path in paths:
        Image.new("L", (2, 2)).save(path)
    for path in paths[:damaged]:
        path.write_bytes(b"")
    return [str(path) for path in paths]


def test_some_headers_are_read(tmp_path: Path) -> None:
    files = images(tmp_path, 0)
    check_some(files, 5)
    check_some([], 5)
    Path(files[1]).write_bytes(b"")  # not among those looked at: the first, the last, and three between
    check_some(files, 5)
    Path(files[-1]).write_bytes(b"")
    with pytest.raises(Undecodable) as error:
        check_some(files, 5)
    assert str(error.value).startswith("1 of 5 image files looked at, out of 40, cannot be decoded, replace")
    assert f"{files[-1]} (the file is empty)" in str(error.value)


def test_many_damaged_files_are_named_in_part(tmp_path: Path) -> None:
    files = images(tmp_path, 9)
    with pytest.raises(Undecodable) as error:
        check_some(files, 99)
    assert str(error.value).count("the file is empty") == 5 and str(error.value).endswith("; ...")
    Path(files[5]).unlink()
    with pytest.raises(UnreadableImage):
        check_some(files, 99)


def test_it_can_be_sent_to_a_process() -> None:
    stand_ins = pickle.loads(pickle.dumps(StandIns(FILES, LABELS, [3])))
    assert stand_ins.first(3, reader()) == FILES[4]
