"""A cache is used while it fits its files, and made anew with one message when it does not."""

from __future__ import annotations

import errno
import json
import logging
import multiprocessing
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as F

from dnas.images.decoding import decode
from lightning_modules.data import cache as module
from lightning_modules.data.cache import CacheError, ImageCache
from lightning_modules.data.damaged import Undecodable

COUNT, SIDE = 9, 6


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Nine images in two folders; their colour is ten times their number."""
    for number in range(COUNT):
        path = tmp_path / "data" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (SIDE, SIDE), (10 * number,) * 3).save(path)
    return tmp_path / "data"


def pixels(file: str) -> torch.Tensor:
    return F.pil_to_tensor(decode(file))


def cache(root: Path, **options: Any) -> ImageCache:
    files = sorted((str(path) for path in root.rglob("*.png")), key=lambda path: Path(path).name)
    defaults = {"folder": root.parent / "cache", "files": files, "facts": {"resolution": 5}, "limit_gb": 1.0}
    return ImageCache(name="train", root=root, decode=pixels, side=SIDE, **{**defaults, **options})


def colours(made: ImageCache) -> list[int]:
    return made.images()[torch.arange(COUNT)][:, 0, 0, 0].tolist()


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record.getMessage() for record in caplog.records if "Decoding" in record.getMessage()]
    caplog.clear()
    return found


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "pytorch_lightning")
    return caplog


def test_it_is_made_once(root: Path, heard: pytest.LogCaptureFixture) -> None:
    assert colours(cache(root)) == [10 * number for number in range(COUNT)]
    (message,) = messages(heard)
    assert "Decoding 9 images into" in message and "there is no cache of them yet" in message
    assert colours(cache(root)) == [10 * number for number in range(COUNT)]
    assert messages(heard) == []
    assert {path.name for path in cache(root).place.iterdir()} == {"images.npy", "identity.json"}


def touch(root: Path) -> None:
    os.utime(root / "a" / "0.png", ns=(1, 1))


def repaint(root: Path) -> None:
    status = os.stat(root / "a" / "0.png")
    Image.new("RGB", (SIDE + 9, SIDE), (200,) * 3).crop((0, 0, SIDE, SIDE)).save(root / "a" / "0.png")
    with (root / "a" / "0.png").open("ab") as stream:
        stream.write(b"longer")
    os.utime(root / "a" / "0.png", ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("change", [touch, repaint])
def test_changed_files_are_decoded_anew(
    root: Path, heard: pytest.LogCaptureFixture, change: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    colours(cache(root))
    messages(heard)
    change(root)
    assert colours(cache(root))[0] == (200 if change is repaint else 0)
    (message,) = messages(heard)
    assert "files have changed since the cache was made" in message
    assert colours(cache(root)) and messages(heard) == []


def test_another_version_or_other_facts_are_made_anew(
    root: Path, heard: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    colours(cache(root))
    messages(heard)
    colours(cache(root, facts={"resolution": 4}))
    assert len(messages(heard)) == 1
    monkeypatch.setattr(module, "VERSION", 0)
    colours(cache(root, facts={"resolution": 4}))
    assert len(messages(heard)) == 1


def test_other_lists_of_files_have_caches_of_their_own(root: Path, heard: pytest.LogCaptureFixture) -> None:
    some = cache(root).files[:4]
    assert cache(root, files=some).images().shape == (4, 3, SIDE, SIDE)
    assert cache(root).images().shape == (COUNT, 3, SIDE, SIDE)
    messages(heard)
    cache(root, files=some).images()
    cache(root).images()
    assert messages(heard) == []


def cut(place: Path) -> None:
    with (place / "images.npy").open("r+b") as stream:
        stream.truncate(400)


def zero(place: Path) -> None:
    array = np.load(place / "images.npy", mmap_mode="r+")
    array[4] = 0
    array.flush()


def other_shape(place: Path) -> None:
    np.save(place / "images.npy", np.zeros((COUNT, 3, 2, 2), dtype=np.uint8))


def garble(place: Path) -> None:
    (place / "identity.json").write_text('{"version": 1, "si')


def garble_list(place: Path) -> None:
    (place / "identity.json").write_text("[1, 2]")


def lose_identity(place: Path) -> None:
    (place / "identity.json").unlink()


def lose_images(place: Path) -> None:
    (place / "images.npy").unlink()


def empty(place: Path) -> None:
    (place / "images.npy").write_bytes(b"")


@pytest.mark.parametrize(
    "damage", [cut, zero, other_shape, garble, garble_list, lose_identity, lose_images, empty]
)
def test_a_damaged_cache_is_made_anew(root: Path, heard: pytest.LogCaptureFixture, damage: Any) -> None:
    colours(cache(root))
    messages(heard)
    damage(cache(root).place)
    assert colours(cache(root)) == [10 * number for number in range(COUNT)]
    (message,) = messages(heard)
    assert "the cache is damaged" in message
    assert colours(cache(root)) and messages(heard) == []
    assert leftovers(root) == []


def leftovers(root: Path) -> list[str]:
    """What lies about beside the cache and its lock."""
    place = cache(root).place
    return [p.name for p in place.parent.iterdir() if p.name not in (place.name, f".{place.name}.lock")]


def test_files_that_move_together_keep_their_cache(root: Path, heard: pytest.LogCaptureFixture) -> None:
    colours(cache(root))
    messages(heard)
    moved = root.rename(root.parent / "elsewhere")
    assert colours(cache(moved)) == [10 * number for number in range(COUNT)]
    assert messages(heard) == []


def test_too_large_is_refused_with_all_numbers(root: Path) -> None:
    with pytest.raises(CacheError) as error:
        cache(root, limit_gb=5e-7).images()
    for part in ("9 images of 6 x 6 pixels", "0.000972 MB", "cache_limit_gb=5e-07", "class_subset"):
        assert part in str(error.value)
    assert not cache(root).place.exists()


def test_a_disk_that_is_too_full_is_noticed_before_decoding(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 90, 10))  # type: ignore[attr-defined]
    monkeypatch.setattr(module, "write_decoded", lambda *_: pytest.fail("decoded"))
    with pytest.raises(CacheError, match=r"the disk is too full for the image cache .*1e-05 MB are free"):
        cache(root).images()


def test_a_disk_that_becomes_full_is_told_and_nothing_is_left(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *_: Any) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "write_decoded", full)
    with pytest.raises(CacheError, match="it became full on the way"):
        cache(root).images()
    assert not cache(root).place.exists()
    assert leftovers(root) == []


def test_damaged_files_leave_no_cache(root: Path) -> None:
    (root / "b" / "3.png").write_text("no image")
    with pytest.raises(Undecodable, match=r"3\.png"):
        cache(root).images()
    assert not cache(root).place.exists()
    assert leftovers(root) == []


def make(root: Path, results: Any) -> None:
    results.put(colours(cache(root)))


@pytest.mark.slow
def test_processes_at_the_same_time_all_get_it(root: Path) -> None:
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    others = [context.Process(target=make, args=(root, results)) for _ in range(3)]
    for process in others:
        process.start()
    found = [results.get(timeout=120) for _ in others]
    for process in others:
        process.join(timeout=60)
    assert found == [[10 * number for number in range(COUNT)]] * 3
    assert leftovers(root) == []


def test_who_waited_uses_what_the_other_made(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is held by one process only; the second finds a cache, and does not make another."""
    first = cache(root)
    alone = module._alone

    def late(path: Path) -> Any:
        monkeypatch.setattr(module, "_alone", alone)
        cache(root).images()  # another process, between our look and our lock
        monkeypatch.setattr(module, "write_decoded", lambda *_: pytest.fail("made twice"))
        return alone(path)

    monkeypatch.setattr(module, "_alone", late)
    assert colours(first) == [10 * number for number in range(COUNT)]


def test_the_identity_is_readable(root: Path) -> None:
    cache(root).images()
    found = json.loads((cache(root).place / "identity.json").read_text())
    assert (found["version"], found["side"], found["resolution"]) == (module.VERSION, SIDE, 5)
