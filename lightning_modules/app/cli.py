"""The ``dnas`` command: hands each subcommand to its module."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from importlib import import_module

from dnas import __version__
from dnas.support.command import one_message
from dnas.support.resuming import called

USAGE = """usage: dnas COMMAND [options]

  demo      the whole way on handwritten digits: search, derive, retrain (minutes, no download)
  fit       search, train a supernet or a network, as a config says:  dnas fit --config digits/search.yaml
  validate  one-shot accuracy of a checkpoint on its validation split
  test      the same on the test split
  derive    architectures from a search checkpoint, with bounds on latency and size
  refine    architectures on the front of accuracy, latency and size, by evolution in a trained supernet
  sweep     searches over latency targets, widths and resolutions, joined in one front and report
  compare   searches side by side under one table and one evaluator: report.html, figures, tables
  export    a trained network as an ONNX file, compared with PyTorch
  evaluate  top-1 and top-5 of a trained network on a folder of images
  fidelity  does a supernet rank architectures as training them alone does?
  latency   latency tables: list, show, build, measure, import, check, profile, compare
  zoo       published networks: counts beside their references', latency beside what is published
  memory    memory of a training step, by plan of checkpointing, and the largest batch that fits
  data      folders of images: check (damaged and equal files, classes, sizes, a page of samples)
  space     search spaces: new, check, show (layers, size, range of counts and latency), diff
  configs   list the shipped configs, print or copy them
  doctor    versions, devices, data, extras, folders, and what is missing for what

  --version  the version of dnas

Every command that reads a search space takes --blocks FILE.py, which defines block types of your own.

'dnas COMMAND --help' explains each. Every option of a config can be overridden: --trainer.max_epochs 5"""

# Imported when called for, so that no command waits for what it does not use.
OPTIONS = ("--version", "--help", "-h")
LIGHTNING = ("fit", "validate", "test")
MODULES = {
    "demo": "lightning_modules.app.demo",
    "derive": "dnas.derive.command",
    "refine": "dnas.refine.command",
    "sweep": "lightning_modules.app.sweep_command",
    "compare": "dnas.compare.command",
    "export": "dnas.export.command",
    "evaluate": "dnas.evaluate.command",
    "fidelity": "dnas.fidelity.command",
    "latency": "latency.__main__",
    "memory": "dnas.memory.command",
    "data": "dnas.data.command",
    "space": "dnas.spaces.command",
    "zoo": "dnas.zoo.command",
    "configs": "lightning_modules.app.configs_command",
    "doctor": "dnas.doctor.command",
}


def main(argv: list[str] | None = None) -> None:
    """Entry point of ``dnas`` and of ``python -m lightning_modules.app.cli``."""
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in OPTIONS[1:]:
        print(USAGE)
        return
    if argv[0] == OPTIONS[0]:
        print(f"dnas {__version__}")
        return
    command, rest = argv[0], argv[1:]
    if command not in (*LIGHTNING, *MODULES):
        raise SystemExit(_unknown(command))
    with one_message(f"dnas {command}"):
        if command in LIGHTNING:
            called(f"dnas {command}", rest)
            import_module("lightning_modules.app.lightning_command").run_lightning(argv)
        elif status := _status(import_module(MODULES[command]).main(rest)):
            raise SystemExit(status)


def _unknown(command: str) -> str:
    what, known = ("command", (*LIGHTNING, *MODULES))
    if command.startswith("-"):
        what, known = ("option", OPTIONS)
    close = get_close_matches(command.lower(), [*known, *OPTIONS], n=1)
    hint = f": did you mean {close[0]}?" if close else "."
    return f"dnas: unknown {what} {command!r}, expected one of {', '.join(known)}{hint}"


def _status(result: object) -> int:
    """Modules return an exit status, or what they made for callers from Python."""
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    main()
