"""``dnas configs``: list, show and copy the configuration files that ship with the library."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from dnas.support.command import Command
from dnas.support.files import replacing
from lightning_modules.app.resources import config_root, shipped_config, shipped_configs


def describe(path: Path) -> str:
    """One-line description of a config: its first comment line, empty if it does not begin with one."""
    lines = path.read_text(encoding="utf-8").splitlines()
    first = next((line.strip() for line in lines if line.strip()), "")
    return first.lstrip("#").strip() if first.startswith("#") else ""


def copy_configs(names: Sequence[str], folder: Path, force: bool = False) -> list[Path]:
    """Copy shipped configs to ``folder``, keeping their relative names; returns the paths written.

    The relative name stays (``digits/search.yaml``) because an existing file wins over a shipped one: the
    command that used the shipped config then uses the copy.

    Raises:
        FileNotFoundError: a name is not shipped.
        FileExistsError: copies would overwrite files and ``force`` is off; names all of them.
    """
    sources = [shipped_config(name) for name in names]
    targets = [folder / source.relative_to(config_root()) for source in sources]
    existing = [str(target) for target in targets if target.exists()]
    if existing and not force:
        raise FileExistsError(
            f"already there: {', '.join(existing)}; nothing was copied. "
            "--force overwrites, --to DIR copies elsewhere"
        )
    for source, target in zip(sources, targets, strict=True):
        with replacing(target) as stream:
            stream.write(source.read_bytes())
    return targets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do with which configs; without options they are listed."""
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--show", metavar="NAME", help="print one config")
    action.add_argument("--copy", metavar="NAME", nargs="+", help="copy configs, to edit them")
    parser.add_argument("--to", metavar="DIR", type=Path, help="where --copy writes (default: here)")
    parser.add_argument("--force", action="store_true", help="let --copy overwrite existing files")


def run(settings: argparse.Namespace, console: Console) -> list[Path]:
    """List, print or copy; returns the paths written."""
    if settings.copy is None and (settings.to is not None or settings.force):
        raise ValueError("--to and --force belong to --copy NAME.")
    if settings.show is not None:
        console.file.write(shipped_config(settings.show).read_text(encoding="utf-8"))
    elif settings.copy is not None:
        return _copy(settings, console)
    else:
        _list(console)
    return []


def _copy(settings: argparse.Namespace, console: Console) -> list[Path]:
    try:
        written = copy_configs(settings.copy, settings.to or Path(), settings.force)
    except NotADirectoryError as error:
        raise ValueError(f"--to {settings.to} leads through a file, not a folder: {error}") from error
    for path in written:
        console.print(f"wrote {path}", highlight=False, markup=False, soft_wrap=True)
    return written


def _list(console: Console) -> None:
    """Print all shipped configs with their descriptions."""
    table = Table("config", "what it does", box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    for name in shipped_configs():
        table.add_row(name, describe(shipped_config(name)))
    console.print(table)
    console.print("\nuse:  dnas fit --config NAME      edit:  dnas configs --copy NAME", highlight=False)


main = Command(
    "dnas configs",
    "List, show and copy the configs that ship with dnas. Every listed name can be given to "
    "`dnas fit --config NAME` in any folder; a file of your own with that name comes first.",
    add_arguments,
    run,
)
