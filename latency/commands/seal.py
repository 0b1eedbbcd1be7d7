"""``latency seal``: sign a table that was written or edited by hand."""

from __future__ import annotations

import argparse

from rich.console import Console

from latency.table.table_file import seal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The file."""
    parser.add_argument("file", metavar="FILE", help="the .csv file")


def run(arguments: argparse.Namespace, console: Console) -> None:
    """Check the file, put its number of rows and its sha256 into the header."""
    console.print(f"signed {arguments.file}: sha256 {seal(arguments.file)}", soft_wrap=True)
