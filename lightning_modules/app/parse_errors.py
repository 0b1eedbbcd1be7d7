"""Reducing what jsonargparse says about a mistake to the mistake.

It wraps every message, level by level, in the types it tried and in the whole configuration it was given.
"""

from __future__ import annotations

import re

_WRAPPING = re.compile(
    r"Does not validate against any of the Union subtypes|Subtypes: |Errors:$|Given value type: "
    r"|Given value: (NestedArg|Namespace|\{)|Expected a (<class )?'?NoneType"
)


def said_by_constructor(error: Exception) -> Exception:
    """The exception that a constructor of ours raised, under those that jsonargparse raised from it."""
    while isinstance(error.__cause__, Exception) and _is_of_jsonargparse(error):
        error = error.__cause__
    return error


def without_wrapping(message: str) -> str:
    """The lines of a parser's message that tell what is wrong and where."""
    lines = [line.strip().removeprefix("- ") for line in message.splitlines()]
    kept = [line for line in lines if line and not _WRAPPING.match(line)]
    return "\n  ".join(dict.fromkeys(kept))


def _is_of_jsonargparse(error: Exception) -> bool:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith("jsonargparse")
