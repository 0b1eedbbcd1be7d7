"""How command-line modules end on a user's mistake: one message, no traceback from the depths."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

USER_ERRORS = (
    ValueError,
    FileNotFoundError,
    FileExistsError,
    IsADirectoryError,
    PermissionError,
    ArithmeticError,
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a GPU's or the machine's memory did not suffice; torch need not be imported to be asked."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and "DefaultCPUAllocator: " in str(error))
    )


@contextmanager
def one_message(command: str) -> Iterator[None]:
    """Turn the errors that we raise for users, and a lack of memory, into an exit with their message.

    With DNAS_TRACEBACK set in the environment the traceback is shown.
    """
    try:
        yield
    except (*USER_ERRORS, RuntimeError, MemoryError) as error:
        expected = isinstance(error, USER_ERRORS) or is_out_of_memory(error)
        if os.environ.get("DNAS_TRACEBACK") or not expected:
            raise
        raise SystemExit(f"{command}: {error}\n(DNAS_TRACEBACK=1 shows where this arose.)") from None
