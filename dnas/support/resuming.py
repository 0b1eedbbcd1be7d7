"""``--resume FOLDER``: the command that wrote into a folder, given again as it was.

Commands that continue in a folder leave there how they were called.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple

from dnas.support.documents import load_json, read_text
from dnas.support.files import write_text
from dnas.support.sealed_json import seal, unseal

FILE = "command.json"
FLAG = "--resume"
HELP = f"""{FLAG} FOLDER gives the command that wrote into FOLDER again, as it was and where it was given.
What is done already is not done again."""

_COMMAND = re.compile("dnas( [a-z][a-z-]*)+")
# What the process was asked for: its command, such as "dnas refine", and the arguments.
_called: ContextVar[tuple[str, tuple[str, ...]] | None] = ContextVar("called", default=None)


class Call(NamedTuple):
    """A command as it was given: ``arguments`` behind its name, in the folder ``cwd``.

    ``folder`` is where it wrote; earlier versions did not say.
    """

    command: str
    arguments: tuple[str, ...]
    cwd: Path
    folder: Path | None = None

    def __str__(self) -> str:
        return f"{self.command} {shlex.join(self.arguments)}"


def called(command: str, arguments: Sequence[str]) -> None:
    """Say what this process was asked for."""
    _called.set((command, tuple(arguments)))


def remember(folder: Path, command: str) -> None:
    """Leave in ``folder`` how this process was called, if it was for ``command`` and not a function of it."""
    if (call := _called.get()) is not None and call[0] == command:
        content = {"command": call[0], "arguments": call[1], "cwd": os.getcwd()}
        content["folder"] = str(folder.resolve())
        write_text(folder / FILE, json.dumps(seal(content), indent=1) + "\n")


def again(command: str, folder: Path | str) -> str:
    """``COMMAND --resume FOLDER`` as a shell reads it, whatever the name of the folder."""
    # Behind a space, a leading dash would begin an option.
    between = "=" if str(folder).startswith("-") else " "
    return f"{command} {FLAG}{between}{shlex.quote(str(folder))}"


def note(command: str, arguments: Sequence[str]) -> str:
    """What a command says that was stopped."""
    return f"What is done is kept. Go on with: {command} {shlex.join(arguments)}"


def read_call(folder: Path) -> Call:
    """The call that a folder remembers.

    Raises:
        ValueError: it remembers none, or the file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        raise ValueError(
            f"{FLAG} {folder}: there is no {FILE}, which every run leaves that can be resumed. Give the "
            "folder of a run."
        )
    try:
        content = unseal(load_json(read_text(path)))
        command, cwd, arguments = content["command"], content["cwd"], content["arguments"]
        where = content.get("folder")
        if not isinstance(arguments, list) or not all(isinstance(each, str) for each in arguments):
            raise TypeError("its arguments are no list of texts")
        if not isinstance(cwd, str) or not isinstance(where, str | None):
            raise TypeError("its folders are no texts")
        # A message names it as the one to give.
        if not isinstance(command, str) or not _COMMAND.fullmatch(command):
            raise ValueError("its command is none of dnas")
        return Call(command, tuple(arguments), Path(cwd), Path(where) if where else None)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{FLAG} {folder}: {FILE} is damaged ({error!r}); give the command itself."
        ) from None


def resumed_folder(arguments: Sequence[str]) -> tuple[Path | None, list[str]]:
    """The folder behind ``--resume``, if it is given, and the other arguments.

    Raises:
        ValueError: no folder behind it.
    """
    rest = list(arguments)
    for index, argument in enumerate(rest):
        flag, equals, value = argument.partition("=")
        if flag == FLAG:
            values = [value] if equals else rest[index + 1 : index + 2]
            if not values or not values[0] or (not equals and values[0].startswith("-")):
                raise ValueError(f"{FLAG} needs the folder of a run.")
            return Path(values[0]), rest[:index] + rest[index + (1 if equals else 2) :]
    return None, rest


def resume(command: str, arguments: Sequence[str]) -> tuple[str, ...] | None:
    """What to call ``command`` with instead of ``--resume FOLDER``, in the folder it was given in; or None.

    Raises:
        ValueError: further arguments, or the folder is of another command, or of none, or not where it was.
    """
    folder, others = resumed_folder(arguments)
    if folder is None:
        return None
    if others:
        raise ValueError(f"{FLAG} takes the run's own options: leave out {shlex.join(others)}.")
    call = read_call(folder)
    if call.command != command:
        raise ValueError(f"{folder} was written by {call.command}: {again(call.command, folder)}")
    _check_place(call, folder)
    enter(call)
    print(f"Going on with: {call}", flush=True)
    return call.arguments


def _check_place(call: Call, folder: Path) -> None:
    """Refuse a folder that was moved or copied: its command, as it was, would write where it was."""
    if call.folder is None or (call.folder.exists() and call.folder.samefile(folder)):
        return
    raise ValueError(
        f"{folder} was {call.folder} when {call.command} wrote into it, and going on would write there. Move "
        f"it back, or give the command itself, with {folder.resolve()} as the folder to write to, in "
        f"{call.cwd}: {call}"
    )


def enter(call: Call) -> None:
    """Change to the folder that a call was given in, whose paths may be relative to it.

    Raises:
        ValueError: it is no longer there.
    """
    try:
        os.chdir(call.cwd)
    except OSError as error:
        raise ValueError(
            f"{call} was given in {call.cwd}, which cannot be entered ({error.strerror}). Give the command "
            "itself, with paths as they are now."
        ) from None
