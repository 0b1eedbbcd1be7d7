"""A finished search is not run again, an interrupted one goes on from its newest checkpoint."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from dnas.runs import sealed_file
from dnas.sweep.plan import Search
from dnas.sweep.searches import finished, run_search

SEARCH = Search("w1", ("--config=c.yaml", "--model.width=1"), (8.0,))


class Recorder:
    """Writes the checkpoints of a run in place of training, and may stop before its end."""

    def __init__(self, *names: str, stops: bool = False) -> None:
        self.names, self.stops = names, stops
        self.calls: list[tuple[Sequence[str], Path, Path | None]] = []

    def __call__(self, arguments: Sequence[str], folder: Path, resume: Path | None) -> None:
        assert not folder.exists(), "dnas fit asks for an empty folder"
        self.calls.append((arguments, folder, resume))
        for age, name in enumerate(self.names):
            path = folder / "checkpoints" / name
            sealed_file.save({"name": name}, path)
            os.utime(path, (age, age))
        if self.stops:
            raise ValueError("stopped")


def test_a_finished_search_is_skipped(tmp_path: Path) -> None:
    fit = Recorder("epoch.ckpt", "last.ckpt")
    checkpoint = run_search(SEARCH, tmp_path / "w1", fit)
    assert checkpoint == tmp_path / "w1/run-1/checkpoints/last.ckpt"
    assert fit.calls == [(SEARCH.arguments, tmp_path / "w1/run-1", None)]
    assert run_search(SEARCH, tmp_path / "w1", fit) == checkpoint and len(fit.calls) == 1


def test_an_interrupted_search_continues_in_a_folder_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="stopped"):
        run_search(SEARCH, tmp_path, Recorder("last.ckpt", "interrupted.ckpt", stops=True))
    assert finished(SEARCH, tmp_path) is None
    fit = Recorder("last.ckpt")
    run_search(SEARCH, tmp_path, fit)
    ((_, folder, resume),) = fit.calls
    assert (folder, resume) == (tmp_path / "run-2", tmp_path / "run-1/checkpoints/interrupted.ckpt")


def test_it_passes_over_a_damaged_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="stopped"):
        run_search(SEARCH, tmp_path, Recorder("last.ckpt", "moment.ckpt", "cut.ckpt", stops=True))
    folder = tmp_path / "run-1" / "checkpoints"
    for age, (name, kept) in enumerate((("moment.ckpt", -1), ("cut.ckpt", 100)), start=1):
        path = folder / name
        path.write_bytes(path.read_bytes()[:kept])
        os.utime(path, (age, age))
    fit = Recorder("last.ckpt")
    run_search(SEARCH, tmp_path, fit)
    assert fit.calls[0][2] == folder / "last.ckpt"
    named = [line.split()[3] for line in capsys.readouterr().err.splitlines()]
    assert named[:2] == [str(folder / name) for name in ("cut.ckpt", "moment.ckpt")]


def test_one_that_was_killed_after_its_last_epoch_only_ends(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="stopped"):
        run_search(SEARCH, tmp_path, Recorder("last.ckpt", stops=True))
    assert run_search(SEARCH, tmp_path, Recorder()) == tmp_path / "run-1/checkpoints/last.ckpt"


def test_other_options_do_not_continue_it(tmp_path: Path) -> None:
    run_search(SEARCH, tmp_path, Recorder("last.ckpt"))
    other = Search("w1", ("--config=other.yaml",), (8.0,))
    with pytest.raises(FileExistsError, match=r"other options \(--config=c.yaml --model.width=1\)"):
        run_search(other, tmp_path, Recorder("last.ckpt"))


def test_a_search_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="left no checkpoint"):
        run_search(SEARCH, tmp_path, Recorder())


def test_a_damaged_record_is_refused_by_name(tmp_path: Path) -> None:
    checkpoint = run_search(SEARCH, tmp_path, Recorder("last.ckpt"))
    record = tmp_path / "search.json"
    whole = record.read_text()
    for damaged in (whole.replace("last", "lest"), whole[:-9], "[]"):
        record.write_text(damaged)
        with pytest.raises(ValueError, match=r"search\.json is damaged .*: remove it"):
            finished(SEARCH, tmp_path)
    record.unlink()
    assert run_search(SEARCH, tmp_path, Recorder()) == checkpoint
