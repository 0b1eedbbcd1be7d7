"""Every run has a folder of its own."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dnas.support.files import UNFINISHED
from lightning_modules.app.run_folder import make_run_folder


@pytest.fixture(autouse=True)
def empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("LOCAL_RANK", "RANK", "SLURM_PROCID", "DNAS_RUN_FOLDER"):
        # Setting first makes monkeypatch remember to restore it, whatever the code under test does.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_without_a_request_runs_do_not_meet() -> None:
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: make_run_folder(None, "digits-search"), range(24)))
    assert len(set(folders)) == 24
    assert all(folder.is_dir() and folder.parent == Path("runs/digits-search") for folder in folders)


@pytest.mark.parametrize("existing", [False, True])
def test_a_requested_folder_is_made_or_used_when_empty(existing: bool) -> None:
    folder = Path("here/and/there")
    if existing:
        folder.mkdir(parents=True)
    assert make_run_folder(str(folder), "x") == folder
    assert folder.is_dir()


@pytest.mark.parametrize("kind", ["folder with a file", "file"])
def test_a_requested_folder_that_is_taken_is_refused(kind: str) -> None:
    taken = Path("taken")
    if kind == "file":
        taken.write_text("mine")
    else:
        taken.mkdir()
        (taken / "metrics.csv").write_text("mine")
    with pytest.raises(FileExistsError, match=r"taken is not empty.*--run_folder.*dnas fit --resume taken"):
        make_run_folder("taken", "x")
    assert (taken if kind == "file" else taken / "metrics.csv").read_text() == "mine"


def test_a_folder_in_which_a_run_was_killed_before_it_began_is_free() -> None:
    folder = Path("killed")
    folder.mkdir()
    for name in (".lock", "command.json", f".command.json.x{UNFINISHED}"):
        (folder / name).touch()
    assert make_run_folder("killed", "x") == folder


def test_processes_started_by_the_first_one_share_its_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    first = make_run_folder(None, "x")
    (first / "metrics.csv").write_text("by now in use")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert make_run_folder(None, "x") == first.resolve()
    assert len(list(Path("runs/x").iterdir())) == 1


def test_a_later_run_of_the_same_process_does_not_share() -> None:
    assert make_run_folder(None, "x") != make_run_folder(None, "x")
    assert "DNAS_RUN_FOLDER" in os.environ


@pytest.mark.parametrize("variable", ["RANK", "LOCAL_RANK", "SLURM_PROCID"])
def test_processes_started_from_outside_share_what_was_requested(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "3")
    Path("shared").mkdir()
    Path("shared/metrics.csv").write_text("of the first process")
    assert make_run_folder("shared", "x") == Path("shared")
    with pytest.raises(ValueError, match="--run_folder in common"):
        make_run_folder(None, "x")
