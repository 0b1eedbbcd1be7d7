"""Checkpoints are written whole or not at all, and one bit that is not as it was is seen."""

from __future__ import annotations

import multiprocessing
import os
import random
from pathlib import Path

import pytest
import torch

from dnas.runs import sealed_file
from dnas.runs.checkpoint import CheckpointError
from dnas.runs.checkpoint_file import load_content

CONTENT = {"weights": torch.arange(500.0), "epoch": 3, "nested": {"small": torch.ones(2)}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "some.ckpt"
    sealed_file.save(CONTENT, path)
    return path


@pytest.mark.parametrize("mmap", [False, True])
def test_torch_reads_it_as_its_own(path: Path, mmap: bool) -> None:
    content = torch.load(path, weights_only=True, mmap=mmap)
    assert torch.equal(content["weights"], CONTENT["weights"]) and content["epoch"] == 3
    assert sealed_file.problem(path) == ""
    assert load_content(path, "").keys() == CONTENT.keys()


def test_any_flipped_bit_is_refused(path: Path) -> None:
    content, generator = path.read_bytes(), random.Random(0)
    for _ in range(200):
        damaged = bytearray(content)
        damaged[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"some\.ckpt (is damaged|cannot be read)"):
            load_content(path, "")


@pytest.mark.parametrize("part", [0, 0.01, 0.5, 0.99])
def test_a_file_that_was_cut_is_refused(path: Path, part: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(CheckpointError, match=r"some\.ckpt (is damaged|cannot be read)"):
        load_content(path, "")


def test_files_of_others_are_held_against_the_checksums_that_they_have(tmp_path: Path) -> None:
    path = tmp_path / "theirs.ckpt"
    torch.save(CONTENT, path)
    assert sealed_file.problem(path) == ""
    content = bytearray(path.read_bytes())
    content[content.index(torch.arange(500.0).numpy().tobytes()) + 100] ^= 1
    path.write_bytes(content)
    # torch.load takes it as it is.
    assert not torch.equal(torch.load(path, weights_only=True)["weights"], CONTENT["weights"])
    with pytest.raises(CheckpointError, match="is damaged: the checksum of theirs/data/0"):
        load_content(path, "")


@pytest.mark.parametrize(
    ("record", "offset", "value"),
    [
        (b"PK\x06\x07", 16, b"\x02\0\0\0"),  # number of disks
        (b"PK\x01\x02", 8, b"\x01\0"),  # encrypted
        (b"PK\x01\x02", 10, b"\x08\0"),  # deflated, which it is not
        (b"PK\x01\x02", 10, b"\x0e\0"),  # LZMA
        (b"PK\x01\x02", 10, b"\x63\0"),  # unknown
    ],
)
def test_archives_that_zipfile_does_not_read_are_damaged(
    record: bytes, offset: int, value: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "theirs.ckpt"
    torch.save(CONTENT, path)
    content = bytearray(path.read_bytes())
    begin = content.index(record) + offset
    content[begin : begin + len(value)] = value
    path.write_bytes(content)
    assert sealed_file.problem(path)
    with pytest.raises(CheckpointError, match=r"theirs\.ckpt is damaged"):
        load_content(path, "")


def test_a_write_that_fails_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dnas.support.files.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        sealed_file.save({"epoch": 4}, path)
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["some.ckpt"]


def save_until_full(path: Path) -> None:
    """In a process of its own, whose files may have 10,000 bytes, as on a disk that is full then."""
    import resource  # Windows has none

    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
    with pytest.raises(OSError, match=f"File too large: '{path}'$"):
        sealed_file.save({"weights": torch.zeros(100_000)}, path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
def test_a_full_disk_is_an_error_of_the_system_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.ckpt"
    sealed_file.save({"weights": torch.ones(3)}, path)
    process = multiprocessing.get_context("fork").Process(target=save_until_full, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == 0 and list(tmp_path.iterdir()) == [path]
    assert torch.load(path, weights_only=True)["weights"].sum() == 3
