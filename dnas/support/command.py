"""What every command does alike: read its options, run, and end on a user's mistake with one message."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Generic, NoReturn, TypeVar

from rich.console import Console

from dnas.support import processes, resuming
from dnas.support.documents import printable
from dnas.support.stopping import Stopped, listening

Result = TypeVar("Result")

USER_ERRORS = (ValueError, OSError, ArithmeticError)
# What to do about errors of the system, which names the file alone.
REMEDIES = {
    errno.ENOSPC: "Free some space there, or give another folder",
    errno.EDQUOT: "Free some of your quota there, or give another folder",
    errno.EFBIG: "Raise the limit on the size of files (ulimit -f), or give another file system",
    errno.EMFILE: "Raise the limit on open files (ulimit -n), or give fewer workers",
    errno.EROFS: "Give a folder that can be written to",
    errno.EACCES: "Give one that you may use, or change its permissions",
    errno.EISDIR: "Give a file, or remove the folder that has its name",
    errno.EPERM: "Give one that you may use, or change its permissions",
}

# Characters of a line of a message: enough for every name of a large space.
_LONGEST = 4000


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a GPU's or the machine's memory did not suffice; torch need not be imported to be asked."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and "DefaultCPUAllocator: " in str(error))
    )


def explained(error: BaseException) -> str:
    """The message of an error; one of the system with the file, the reason and what to do."""
    if not isinstance(error, OSError) or not error.errno:
        return "\n".join(map(_shortened, str(error).split("\n")))
    remedy = REMEDIES.get(error.errno)
    if remedy is None:
        return f"{error.filename}: {error.strerror}." if error.filename else str(error)
    return f"{error.filename or 'A file'}: {error.strerror}. {remedy}; files written before are as they were."


def _shortened(line: str) -> str:
    """A line of a message, without the middle of a value that fills screens."""
    left_out = len(line) - _LONGEST
    if left_out <= 0:
        return line
    half = _LONGEST // 2
    return f"{line[:half]} ... ({left_out} characters left out) ... {line[-half:]}"


@contextmanager
def one_message(command: str) -> Iterator[None]:
    """Turn the errors that we raise for users, a lack of memory, and signals, into an exit with a message.

    With DNAS_TRACEBACK set in the environment the traceback of an error is shown.
    """
    try:
        with listening():
            yield
    except Stopped as stopped:
        print(printable(f"{command}: {stopped}"), file=sys.stderr)
        raise SystemExit(stopped.status) from None
    except (*USER_ERRORS, RuntimeError, MemoryError) as error:
        expected = isinstance(error, USER_ERRORS) or is_out_of_memory(error)
        if os.environ.get("DNAS_TRACEBACK") or not expected:
            raise
        message = printable(f"{command}: {explained(error)}")
        raise SystemExit(f"{message}\n(DNAS_TRACEBACK=1 shows where this arose.)") from None


class Parser(argparse.ArgumentParser):
    """A parser that names what a mistyped option or choice is close to."""

    _given: Sequence[str] = ()

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]
        """Parse all of them: what is left over, a subcommand's too, is a mistake."""
        self._given = list(sys.argv[1:] if args is None else args)
        found, rest = super().parse_known_args(self._given, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return found, rest

    def error(self, message: str) -> NoReturn:
        """End with the message, and with what was probably meant."""
        names = [each.partition("=")[0] for each in self._given if each.startswith("--")]
        known = list(self._option_string_actions)
        hints = [
            f"{name}: did you mean {close[0]}?"
            for name in names
            if not any(option.startswith(name) for option in known)
            and (close := get_close_matches(name, known, n=1))
        ]
        super().error("; ".join([message, *hints]))

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            if close := get_close_matches(str(value), map(str, action.choices or ()), n=1):
                error.message += f": did you mean {close[0]}?"
            raise


@dataclass(frozen=True)
class Command(Generic[Result]):
    """A command of its own module: ``main = Command(...)``, called with the arguments (those of the process).

    Args:
        name: as it is called, ``dnas derive``.
        description, epilog: of its help; the epilog is shown as it is written.
        add_arguments: puts its options into a parser.
        run: does it, with the options and a console for what is to be read; returns what it made.
        resumes: given again it continues, and ``run`` has left in its folder how it was called.
        shared: processes that torchrun started share its work; ``run`` runs in all of them.
    """

    name: str
    description: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Console], Result]
    epilog: str = ""
    resumes: bool = False
    shared: bool = False

    def parser(self) -> argparse.ArgumentParser:
        """The parser of its options."""
        parser = Parser(prog=self.name, description=self.description)
        if epilog := "\n".join(filter(None, [self.epilog, resuming.HELP if self.resumes else ""])):
            parser.epilog, parser.formatter_class = epilog, argparse.RawDescriptionHelpFormatter
        self.add_arguments(parser)
        return parser

    def __call__(self, argv: Sequence[str] | None = None) -> Result:
        """Run it; a user's mistake ends the process with one message."""
        called_as = processes.call(self.name)
        with one_message(self.name), processes.joined() if self.shared else nullcontext():
            return self._run(sys.argv[1:] if argv is None else argv, called_as)

    def _run(self, argv: Sequence[str], called_as: str) -> Result:
        if not self.resumes:
            return self.run(self._parsed(argv), Console(markup=False))
        argv = resuming.resume(self.name, argv) or argv
        settings = self._parsed(argv)
        resuming.called(self.name, argv)
        try:
            return self.run(settings, Console(markup=False))
        except Stopped as stopped:
            stopped.note = f"{stopped.note} {resuming.note(called_as, argv)}".lstrip()
            raise

    def _parsed(self, argv: Sequence[str]) -> argparse.Namespace:
        with processes.one_exit():
            return self.parser().parse_args(argv)
