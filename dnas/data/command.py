"""``dnas data`` (``python -m dnas.data``): is a folder of images fit for training?"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from rich.console import Console

from dnas.data.findings import findings
from dnas.data.survey import survey
from dnas.data.text import lines, plain
from dnas.support.command import Command

DESCRIPTION = "Folders of images. See docs/data.md."
CHECK = (
    "Decode every image of FOLDER/train/CLASS and FOLDER/val/CLASS, or of FOLDER/CLASS: name files that do "
    "not decode, equal files within and across splits and classes, empty and unequal classes; count formats, "
    "modes and sizes. Exit status 1 where something would break or spoil a training."
)
FINE, WRONG = 0, 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A subcommand with its own."""
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    check = commands.add_parser("check", help="what is wrong with a folder of images", description=CHECK)
    check.add_argument("folder", type=Path, metavar="FOLDER", help="with train and val, or with the classes")
    check.add_argument(
        "--page", type=Path, metavar="FILE", help="draw images of every class (.png, .svg, .pdf)"
    )
    check.add_argument("--json", action="store_true", help="print plain data, with every name")
    check.add_argument(
        "--workers", type=int, metavar="N", help="processes that decode (default: one a CPU core)"
    )


def run(options: argparse.Namespace, console: Console) -> int:
    """Look at all images, print what was found; returns the exit status.

    Raises:
        ValueError: no such folder, or none with classes; an unusable option.
        OSError: a folder cannot be listed, or the page cannot be written.
    """
    if options.workers is not None and options.workers < 0:
        raise ValueError(f"--workers must be 0 or more, got {options.workers}.")
    if options.page is not None:
        from dnas.data.page import check_path, write_page

        check_path(options.page)
    surveyed = survey(options.folder, (os.cpu_count() or 1) if options.workers is None else options.workers)
    found = findings(surveyed)
    if options.json:
        print(json.dumps(plain(surveyed, found), indent=1))
    else:
        for line in lines(surveyed, found):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    if options.page is not None:
        written = write_page(surveyed, options.page)
        if not options.json:
            console.print(f"Wrote {written}", highlight=False, markup=False, soft_wrap=True)
    return WRONG if any(finding.is_problem for finding in found) else FINE


main = Command("dnas data", DESCRIPTION, add_arguments, run)
