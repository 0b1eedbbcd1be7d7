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


@contextmanager
def one_message(command: str) -> Iterator[None]:
    """Turn the errors that we raise for users into an exit with their message.

    With DNAS_TRACEBACK set in the environment the traceback is shown.
    """
    try:
        yield
    except USER_ERRORS as error:
        if os.environ.get("DNAS_TRACEBACK"):
            raise
        raise SystemExit(f"{command}: {error}\n(DNAS_TRACEBACK=1 shows where this arose.)") from None
