"""``python -m latency`` (also ``dnas latency``): one subcommand for everything done with latency tables."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from rich.console import Console

from dnas.support import resuming
from dnas.support.command import USER_ERRORS, Parser, explained
from dnas.support.documents import printable
from dnas.support.stopping import Stopped, listening

PROG = "dnas latency"
# A module is imported when its command is called for, so that none waits for what it does not use.
COMMANDS = {
    "list": ("list_tables", "shipped tables"),
    "show": ("show", "header, fixed part and range of every layer"),
    "check": ("check", "published latencies beside the table's"),
    "build": ("build", "assemble a table from public measurements of mobile-GPU kernels"),
    "tune": ("tune", "find the settings of the kernel model behind 'build'"),
    "calibrate": ("calibrate", "fit a model of three coefficients to latencies of whole networks"),
    "build-calibrated": ("build_calibrated", "compute a table from a calibrated model"),
    "adapt": ("adapt", "make a table of known phones' tables and of timings of networks on a new one"),
    "import": ("import_table", "make a table of latencies that you have already"),
    "seal": ("seal", "sign a table that you wrote or edited by hand"),
    "profile": ("profile", "what decides the latency; a reduced space; a table from whole networks"),
    "compare": ("compare", "how differently devices rank networks and choices"),
    "measure": ("measure", "time every block on a device, and whole networks to test the table"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with ``argv`` (default: the process's arguments); returns the exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if not argv:
        _overview().print_help()
        return 0
    name = _overview().parse_args(argv[:1]).command
    module_name, text = COMMANDS[name]
    module = import_module(f"latency.commands.{module_name}")
    parser = Parser(prog=f"{PROG} {name}", description=module.__doc__ or text)
    module.add_arguments(parser)
    rest = argv[1:]
    try:
        with listening():
            if hasattr(module, "COMMAND"):
                # It continues in its folder, and remembers there how it was called.
                rest = list(resuming.resume(module.COMMAND, rest) or rest)
                resuming.called(module.COMMAND, rest)
            module.run(parser.parse_args(rest), Console(highlight=False, markup=False))
    except Stopped as stopped:
        if not stopped.note and hasattr(module, "COMMAND"):
            stopped.note = resuming.note(module.COMMAND, rest)
        print(f"{PROG} {name}: {stopped}", file=sys.stderr)
        return stopped.status
    except USER_ERRORS as error:
        if os.environ.get("DNAS_TRACEBACK"):
            raise
        print(printable(f"error: {explained(error)}"), file=sys.stderr)
        return 1
    return 0


def _overview() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    listing = "\n".join(f"  {name:<{width}}  {text}" for name, (_, text) in COMMANDS.items())
    parser = Parser(
        prog=PROG,
        description="Latency tables of phones; their format and their making: docs/latency_tables.md.",
        epilog=f"commands:\n{listing}\n\n'{PROG} COMMAND --help' explains each.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", metavar="COMMAND", choices=list(COMMANDS), help="one of those below")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
