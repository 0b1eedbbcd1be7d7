"""What every command does alike: read its options, run, and end on a user's mistake with one message."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Generic, TypeVar

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
    errno.EPERM: "Give one that you may use, or change its permissions",
}


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a GPU's or the machine's memory did not suffice; torch need not be imported to be asked."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and "DefaultCPUAllocator: " in str(error))
    )


def explained(error: BaseException) -> str:
    """The message of an error; one of the system with the file, the reason and what to do."""
    remedy = REMEDIES.get(error.errno or 0) if isinstance(error, OSError) else None
    if remedy is None:
        return str(error)
    assert isinstance(error, OSError)
    return f"{error.filename or 'A file'}: {error.strerror}. {remedy}; files written before are as they were."


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
        parser = argparse.ArgumentParser(prog=self.name, description=self.description)
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
