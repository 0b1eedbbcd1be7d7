"""``latency list``: the tables that ship with the library."""

from __future__ import annotations

import argparse

from rich.console import Console

from latency.commands import terminal
from latency.table.table_file import read_shipped_header, shipped_files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options."""


def run(arguments: argparse.Namespace, console: Console) -> None:
    """Print name, kind, spaces, device and error of every shipped table."""
    headers = (read_shipped_header(name, space) for name, space in shipped_files())
    console.print(terminal.list_of_tables(headers))
