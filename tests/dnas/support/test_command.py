"""A user's mistake ends a command with one message; a fault of ours keeps its traceback."""

from __future__ import annotations

import argparse
import errno
import os
import re

import pytest
from rich.console import Console

from dnas.runs.checkpoint import CheckpointError
from dnas.search.knapsack import Infeasible
from dnas.space.architecture import ArchitectureError
from dnas.space.space_file import SpaceError
from dnas.support.command import Command, one_message
from latency import TableError


@pytest.mark.parametrize(
    "error",
    [
        ValueError("bad"),
        FileNotFoundError("bad"),
        FileExistsError("bad"),
        SpaceError("bad"),
        ArchitectureError("bad"),
        CheckpointError("bad"),
        TableError("bad"),
        Infeasible("bad", (None,)),
    ],
    ids=lambda error: type(error).__name__,
)
def test_mistakes_become_one_message(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DNAS_TRACEBACK", raising=False)
    with pytest.raises(SystemExit, match=r"^dnas thing: bad\n") as caught, one_message("dnas thing"):
        raise error
    assert caught.value.__suppress_context__
    monkeypatch.setenv("DNAS_TRACEBACK", "1")
    with pytest.raises(type(error), match="bad"), one_message("dnas thing"):
        raise error


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "Free some space"),
        (errno.EROFS, "Give a folder that can be written to"),
        (errno.EISDIR, "Give a file, or remove the folder that has its name"),
        (errno.EMFILE, r"Raise the limit on open files (ulimit -n), or give fewer workers"),
    ],
)
def test_errors_of_the_system_say_what_to_do(
    number: int, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DNAS_TRACEBACK", raising=False)
    message = f"dnas thing: a/b.json: {os.strerror(number)}. {remedy}"
    with pytest.raises(SystemExit, match=f"^{re.escape(message)}") as caught, one_message("dnas thing"):
        raise OSError(number, os.strerror(number), "a/b.json")
    assert "files written before are as they were" in str(caught.value)
    with (
        pytest.raises(SystemExit, match=r"^dnas thing: a/b.json: .*[.]\n\(DNAS_TRACEBACK"),
        one_message("dnas thing"),
    ):
        raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), "a/b.json")


@pytest.mark.parametrize("error", [TypeError("ours"), KeyboardInterrupt(), SystemExit(3)])
def test_anything_else_passes(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, one_message("dnas thing"):
        raise error
    assert caught.value is error


def test_a_command_parses_runs_and_returns(capsys: pytest.CaptureFixture[str]) -> None:
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--number", type=int, required=True, help="any")

    def run(settings: argparse.Namespace, console: Console) -> int:
        if settings.number < 0:
            raise ValueError("negative")
        console.print(f"got {settings.number}")
        return 2 * settings.number

    main = Command("dnas thing", "Doubles.", add_arguments, run, "examples:\n  dnas thing --number 3")
    assert main(["--number", "3"]) == 6 and capsys.readouterr().out == "got 3\n"
    assert main.parser().format_help().endswith("examples:\n  dnas thing --number 3\n")
    with pytest.raises(SystemExit, match=r"^dnas thing: negative"):
        main(["--number", "-1"])
    with pytest.raises(SystemExit, match="2"):
        main([])


def _with_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--population", required=True)
    parser.add_argument("--mode", choices=["slow", "fast"])
    inner = parser.add_subparsers().add_parser("inner")
    inner.add_argument("--resolution")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--popluation=5"], "--popluation: did you mean --population?"),
        (
            ["--popul=5", "--mdoe=fast"],
            "unrecognized arguments: --mdoe=fast; --mdoe: did you mean --mode?",
        ),
        (["--population=5", "--mode=fsat"], "(choose from 'slow', 'fast'): did you mean fast?"),
        (["--population=5", "inner", "--resoltion=3"], "--resoltion: did you mean --resolution?"),
        (["--population=5", "iner"], "(choose from 'inner'): did you mean inner?"),
        (["--population=5", "--zzz"], "unrecognized arguments: --zzz\n"),
    ],
)
def test_mistyped_options_and_choices_come_with_a_guess(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        Command("dnas thing", "Does.", _with_options, lambda *_: None)(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_text_without_end_does_not_fill_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DNAS_TRACEBACK", raising=False)
    with pytest.raises(SystemExit) as caught, one_message("dnas thing"):
        raise ValueError("first line\nvalue '" + "x" * 70_000 + "' is no name")
    said = str(caught.value)
    assert said.startswith("dnas thing: first line\nvalue 'xxx") and "xxx' is no name" in said
    assert len(said) < 5000 and "characters left out" in said


def test_what_a_terminal_would_act_upon_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DNAS_TRACEBACK", raising=False)
    with pytest.raises(SystemExit) as caught, one_message("dnas thing"):
        raise ValueError("no \x1b[2J\u202e")
    assert str(caught.value).startswith("dnas thing: no \\x1b[2J\\u202e\n")
