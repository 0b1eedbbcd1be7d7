"""JSON with a checksum in it: a document or a line that is not as it was written is found out.

The checksum stands under a key of its own, so every other reader passes over it. Files of earlier versions,
which have none, are read as they are.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

CHECKSUM = "checksum"


def seal(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data with its checksum: the first 16 hexadecimal digits of the SHA-256 of its JSON text."""
    return {**data, CHECKSUM: _checksum(data)}


def unseal(data: Any) -> Any:
    """What :func:`seal` was given, as JSON has brought it back; data without a checksum as it is.

    Raises:
        ValueError: the checksum is that of other data.
    """
    if not isinstance(data, dict) or CHECKSUM not in data:
        return data
    content = {key: value for key, value in data.items() if key != CHECKSUM}
    if data[CHECKSUM] != _checksum(content):
        raise ValueError("its checksum is not that of its content")
    return content


def whole_lines(path: Path, fits: Callable[[dict[str, Any]], bool] = lambda record: True) -> list[bytes]:
    """The objects of JSON in a file, a line each, as they were written; one warning counts the damaged ones.

    One that a kill has truncated is passed over in silence: it was never counted as done.

    Args:
        fits: whether an object, without its checksum, is what the reader expects; others count as damaged.
    """
    lines = [line for line in path.read_bytes().splitlines() if line]
    whole = [line for line in lines if _is_whole(line, fits)]
    truncated = sum(line.startswith(b"{") and not line.endswith(b"}") for line in lines)
    if damaged := len(lines) - len(whole) - truncated:
        warnings.warn(
            f"{path}: {damaged} of {len(lines)} lines are damaged and count as not there; what they held is "
            "done again.",
            stacklevel=2,
        )
    return whole


def _is_whole(line: bytes, fits: Callable[[dict[str, Any]], bool]) -> bool:
    try:
        record = unseal(json.loads(line))
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and fits(record)


def _checksum(data: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(data).encode()).hexdigest()[:16]
