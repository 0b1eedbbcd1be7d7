"""A file is written whole or not at all."""

from __future__ import annotations

import errno
import multiprocessing
import os
import re
import stat
from pathlib import Path

import pytest

from dnas.support.files import append_line, only_one, replacing, write_text


def test_writes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file.txt"
    assert write_text(path, "a\nü\n") == path
    assert path.read_bytes() == "a\nü\n".encode(), "UTF-8 and plain line ends, on every system"
    write_text(str(path), "b")
    assert path.read_text(encoding="utf-8") == "b" and list(path.parent.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = write_text(tmp_path / "file.txt", "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "new \ud800")
    assert path.read_text(encoding="utf-8") == "old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_permissions_are_those_of_an_ordinary_file(tmp_path: Path) -> None:
    ordinary = tmp_path / "ordinary"
    ordinary.write_text("x", encoding="utf-8")
    written = write_text(tmp_path / "written", "x")
    assert stat.S_IMODE(written.stat().st_mode) == stat.S_IMODE(ordinary.stat().st_mode)


def test_lines_are_added_whole_after_a_torn_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lines"
    assert append_line(path, "one") == path
    path.write_bytes(path.read_bytes() + b"tor")
    append_line(path, "two")
    assert [line for line in path.read_text().splitlines() if line] == ["one", "tor", "two"]


def test_what_a_killed_process_was_writing_is_removed_by_the_next(tmp_path: Path) -> None:
    held = replacing(tmp_path / "checkpoints" / "last.ckpt")
    held.__enter__().write(b"half")
    (left,) = (tmp_path / "checkpoints").iterdir()
    (tmp_path / ".mine").write_text("hidden")
    with only_one(tmp_path):
        assert not left.exists() and (tmp_path / ".mine").exists()


def test_an_error_names_the_file_and_not_the_temporary_one(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=f": '{re.escape(str(tmp_path))}'$"):
        write_text(tmp_path, "x")


def write_until_full(path: Path) -> None:
    """In a process of its own, whose files may have 100 bytes, as on a disk that is full then."""
    import resource  # Windows has none

    resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
    for write in (write_text, append_line):
        with pytest.raises(OSError, match="File too large") as caught:
            write(path, "x" * 200)
        assert caught.value.errno == errno.EFBIG and caught.value.filename == str(path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
def test_a_full_disk_is_said_with_the_file_and_leaves_what_was_there(tmp_path: Path) -> None:
    path = append_line(tmp_path / "file.txt", "old")
    process = multiprocessing.get_context("fork").Process(target=write_until_full, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert path.read_text().splitlines()[1] == "old" and list(tmp_path.iterdir()) == [path]
