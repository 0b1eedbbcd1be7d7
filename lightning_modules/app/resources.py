"""Finding the configuration files that ship with the library, in an installed wheel as in a checkout."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path, PurePath

__all__ = ["config_root", "find_config", "resolve_config_arguments", "shipped_config", "shipped_configs"]

CONFIG_FLAGS = ("--config", "-c")


def config_root() -> Path:
    """Folder of the shipped configs: in the package in a wheel, at the top of a checkout.

    Raises:
        FileNotFoundError: neither folder exists, so the installation is damaged.
    """
    package = Path(__file__).resolve().parents[1]
    checkout = package.parent
    if (package / "configs").is_dir():
        return package / "configs"
    # Without pyproject.toml the parent is site-packages, where `configs` would be somebody else's folder.
    if (checkout / "pyproject.toml").is_file() and (checkout / "configs").is_dir():
        return checkout / "configs"
    raise FileNotFoundError(
        f"the shipped configs are missing: looked for {package / 'configs'} and, for a checkout, "
        f"{checkout / 'configs'}; install dnas again"
    )


def shipped_configs() -> list[str]:
    """Names of the shipped configs, sorted, relative to their root (``digits/search.yaml``)."""
    root = config_root()
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*.yaml"))


def shipped_config(name: str) -> Path:
    """Path of the shipped config ``name``; a leading ``configs/`` is allowed.

    Raises:
        FileNotFoundError: no such config ships; the message has the close matches and all names.
    """
    known = shipped_configs()
    wanted = PurePath(name).as_posix().removeprefix("configs/")
    if wanted in known:
        return config_root() / wanted
    close = get_close_matches(wanted, known, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    raise FileNotFoundError(
        f"no config {name!r}: no such file in {Path.cwd()}, and no shipped config has this name.{hint} "
        f"Shipped: {', '.join(known) or 'none'}. `dnas configs` lists and copies them."
    )


def find_config(name: str) -> Path:
    """Path of a config: the user's own file if ``name`` is one, else the shipped config of that name.

    Raises:
        FileNotFoundError: neither exists; the message has the close matches and all shipped names.
    """
    return Path(name) if Path(name).is_file() else shipped_config(name)


def resolve_config_arguments(argv: Sequence[str]) -> list[str]:
    """Replace the value of every ``--config X``, ``--config=X``, ``-c X`` by the file ``find_config`` finds.

    For use before LightningCLI parses, so that ``--config digits/search.yaml`` works in any folder. All other
    arguments pass unchanged, and so does a flag whose value is missing: the parser reports that itself.

    Raises:
        FileNotFoundError: a config is neither a file nor the name of a shipped one.
    """
    resolved: list[str] = []
    for argument in argv:
        flag, equals, value = argument.partition("=")
        if resolved and resolved[-1] in CONFIG_FLAGS and not argument.startswith("-"):
            resolved.append(str(find_config(argument)))
        elif equals and flag in CONFIG_FLAGS:
            resolved.append(f"{flag}={find_config(value)}")
        else:
            resolved.append(argument)
    return resolved
