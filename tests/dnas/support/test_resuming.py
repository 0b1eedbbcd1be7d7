"""How a command was called is left in its folder, by itself alone, and given again where it was given."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from dnas.support import resuming
from dnas.support.resuming import again, called, read_call, remember, resume, resumed_folder


def test_a_command_is_given_again_where_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    called("dnas thing", ["--name", "two words"])
    remember(tmp_path / "out", "dnas thing")
    monkeypatch.chdir(tmp_path)
    assert resume("dnas thing", ["--resume=out"]) == ("--name", "two words")
    assert Path.cwd() == tmp_path / "there"
    assert str(read_call(tmp_path / "out")) == "dnas thing --name 'two words'"


def test_a_command_within_another_remembers_nothing(tmp_path: Path) -> None:
    called("dnas fit", ["--config", "x"])
    remember(tmp_path, "dnas refine")
    assert not (tmp_path / resuming.FILE).exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--resume"], "needs the folder of a run"),
        (["--resume", "--other"], "needs the folder of a run"),
        (["--resume="], "needs the folder of a run"),
        (["--resume", "nowhere"], "there is no command.json"),
        (["--resume", "nowhere", "--seed", "3"], "leave out --seed 3"),
    ],
)
def test_what_cannot_be_resumed(arguments: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resume("dnas thing", arguments)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"command": "rm -rf"}, "its command is none of dnas"),
        ({"command": "dnas refine; ls"}, "its command is none of dnas"),
        ({"command": 3}, "its command is none of dnas"),
        ({"arguments": "--output out"}, "its arguments are no list of texts"),
        ({"arguments": {"--output": "out"}}, "its arguments are no list of texts"),
        ({"arguments": ["--seed", 3]}, "its arguments are no list of texts"),
        ({"cwd": None}, "its folders are no texts"),
        ({"folder": 5}, "its folders are no texts"),
    ],
)
def test_a_call_changed_by_hand_to_what_none_is(change: dict[str, Any], fault: str, tmp_path: Path) -> None:
    call = {"command": "dnas thing", "arguments": [], "cwd": str(tmp_path), "folder": str(tmp_path)}
    (tmp_path / resuming.FILE).write_text(json.dumps(call | change))
    with pytest.raises(ValueError, match=f"command.json is damaged .*{fault}.*give the command itself"):
        resume("dnas thing", ["--resume", str(tmp_path)])
    (tmp_path / resuming.FILE).write_text("[]")
    with pytest.raises(ValueError, match=r"command\.json is damaged"):
        read_call(tmp_path)


def test_a_place_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    called("dnas thing", [])
    remember(tmp_path / "out", "dnas thing")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").rmdir()
    with pytest.raises(ValueError, match="which cannot be entered"):
        resume("dnas thing", ["--resume", "out"])


@pytest.mark.parametrize("how", ["moved", "copied"])
def test_a_folder_elsewhere_is_not_taken_for_the_one_that_was_written(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    called("dnas thing", ["--output", "out"])
    remember(Path("out"), "dnas thing")
    shutil.copytree("out", "new")
    if how == "moved":
        shutil.rmtree("out")
    with pytest.raises(ValueError, match=r"going on would write there.*dnas thing --output out"):
        resume("dnas thing", ["--resume", "new"])


def test_a_link_to_a_folder_is_that_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    called("dnas thing", ["--output", "out"])
    remember(Path("out"), "dnas thing")
    Path("link").symlink_to("out")
    assert resume("dnas thing", ["--resume", "link"]) == ("--output", "out")


def test_without_the_option_nothing_changes() -> None:
    assert resume("dnas thing", ["--seed", "3"]) is None
    assert resumed_folder(["--seed", "3"]) == (None, ["--seed", "3"])


@pytest.mark.parametrize("name", ["plain", "it's a run", "-dash", "-it's both"])
def test_what_to_give_names_any_folder_as_a_shell_reads_it(name: str) -> None:
    command, *arguments = shlex.split(again("dnas thing", Path(name)))[1:]
    assert (command, resumed_folder(arguments)) == ("thing", (Path(name), []))
