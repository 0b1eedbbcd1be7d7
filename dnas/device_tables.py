"""Latency tables of several devices at once, and limits on each: ``--table pixel4=A s10=B``, ``pixel4=7``."""

from __future__ import annotations

import argparse
import math
import os.path
import re
from collections.abc import Mapping, Sequence

from dnas.costs import LatencyCosts, LoadTable
from dnas.space import SearchSpace

# Tables by the name of their device, in the order given; all of one space.
DeviceTables = Mapping[str, LatencyCosts]

# Names become parts of file names and of column names.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class DeviceError(ValueError):
    """Tables or limits that do not name devices as they should; the message says how."""


def load_device_tables(
    given: Sequence[str], space: SearchSpace, load_table: LoadTable, option: str = "--table"
) -> dict[str, LatencyCosts]:
    """Load tables, each ``TABLE`` (a device of the table's own name) or ``DEVICE=TABLE``.

    Args:
        given: one or more; a file whose name holds a "=" is taken for a file.
        option: that they were given to, for messages.

    Raises:
        DeviceError: none, two of one device, the same table twice, a name that is none, or a table that
            cannot be used, which is named.
    """
    if not given:
        raise DeviceError(f"{option}: give the latency table of one device or more")
    found: dict[str, LatencyCosts] = {}
    for text in given:
        device, source = _parts(text, option)
        try:
            table = load_table(source, space)
        except ValueError as error:
            if len(given) == 1:
                raise
            raise DeviceError(f"{option} {text}: {error}") from error
        device = table.name if device is None else device
        # A table's own name, such as "..", need not do for files; alone it names none.
        if len(given) > 1 and not _NAME.fullmatch(device):
            raise DeviceError(
                f"{option} {text}: the name of the table, {device}, does not do for a device; give it one, "
                f"as in first={source}"
            )
        if device in found:
            raise DeviceError(
                f"{option}: two tables of the device {device}; name devices yourself, as in "
                f"first={source} second=..."
            )
        for other, known in found.items():
            if known.sha256 == table.sha256:
                raise DeviceError(f"{option}: {other} and {device} have the same table, {table.name}")
        found[device] = table
    return found


def table_source(given: str) -> str:
    """The TABLE of ``TABLE`` or ``DEVICE=TABLE``; raises :class:`DeviceError`."""
    return _parts(given)[1]


def limit_argument(text: str) -> float | str:
    """A number of ms, or DEVICE=MS, whose number is checked when the devices are known."""
    if "=" in text:
        return text
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected MS or DEVICE=MS, such as 9.5 or pixel4=9.5, got {text}"
        ) from None


def limits_by_device(given: Sequence[str | float], devices: Sequence[str], option: str) -> dict[str, float]:
    """Limits in ms by device, each ``MS`` (of every device that has no own one) or ``DEVICE=MS``.

    Args:
        devices: that there are.
        option: that they were given to, for messages.

    Raises:
        DeviceError: naming everything that is no limit: an unknown device, one twice, no number above 0.
    """
    limits: dict[str | None, float] = {}
    problems = []
    for each in given:
        name, separator, number = str(each).rpartition("=")
        device = name if separator else None
        if device is not None and device not in devices:
            problems.append(f"there is no device {device!r}, the tables are of {', '.join(devices)}")
        elif device in limits:
            problems.append(f"two limits of {'all devices' if device is None else device}")
        else:
            limits[device] = _milliseconds(number)
            if not 0 < limits[device] < math.inf:
                problems.append(f"{each} is no number of milliseconds above 0")
    if problems:
        raise DeviceError(
            f"{option}: {'; '.join(problems)}. Expected MS or DEVICE=MS, such as {devices[0]}=9.5"
        )
    of_all = limits.pop(None, None)
    every = {} if of_all is None else dict.fromkeys(devices, of_all)
    found = every | {device: limit for device, limit in limits.items() if device is not None}
    return {device: found[device] for device in devices if device in found}


def _parts(text: str, option: str = "--table") -> tuple[str | None, str]:
    device, separator, source = text.partition("=")
    if not separator or os.path.exists(text):
        return None, text
    if not _NAME.fullmatch(device) or not source:
        raise DeviceError(
            f"{option} {text}: expected TABLE or DEVICE=TABLE, the device in letters, digits, '.', '_' and "
            "'-'"
        )
    return device, source


def _milliseconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
