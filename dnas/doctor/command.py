"""``dnas doctor`` (``python -m dnas.doctor``): what is here, and what is missing for what."""

from __future__ import annotations

import argparse
import json

from rich.console import Console

from dnas.doctor.checks import WRONG, Found, look
from dnas.support.command import Command

DESCRIPTION = (
    "Versions, devices, data, extras and folders of this installation, and what is missing for what. "
    "Exit status 1 where something is wrong. Its output belongs into a report of a fault."
)
_STYLES = {"ok": "green", "note": "yellow", "wrong": "bold red"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--json", action="store_true", help="print plain data")


def run(options: argparse.Namespace, console: Console) -> int:
    """Look and print; returns the exit status."""
    found = look()
    if options.json:
        print(json.dumps([each._asdict() for each in found], indent=1))
    else:
        for each in found:
            _print(each, console, max(len(each.what) for each in found))
    return int(any(each.status == WRONG for each in found))


def _print(found: Found, console: Console, width: int) -> None:
    console.print(f"{found.status:<5}", style=_STYLES[found.status], end=" ")
    console.print(f"{found.what:<{width}}  {found.text}", highlight=False, markup=False, soft_wrap=True)
    if found.remedy:
        console.print(f"{'':<{width + 8}}{found.remedy}", highlight=False, markup=False, soft_wrap=True)


main = Command("dnas doctor", DESCRIPTION, add_arguments, run)
