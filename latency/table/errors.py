"""The one error of this package: a table, or data behind it, that cannot be used."""

from __future__ import annotations

from collections.abc import Sequence


class TableError(ValueError):
    """A latency table that cannot be used; the message lists everything that is wrong with it."""


def raise_all(problems: Sequence[str], source: str) -> None:
    """Raise one :class:`TableError` naming every problem of ``source``; nothing when there is none."""
    if problems:
        listing = "\n  ".join(problems)
        raise TableError(
            f"{len(problems)} problem(s) in the latency table {source}:\n  {listing}\n"
            "The format is described in docs/latency_tables.md."
        )


def how_to_build(space: str) -> str:
    """What to do where no table fits the space of that name."""
    return (
        "Build one and give its file: 'python -m latency build --kernels tflite_cnn_ops_gpu.csv --device "
        f"DEVICE --space {space} --output DIR' from measured kernels, 'python -m latency build-calibrated "
        f"adreno630_mace --space {space} --output FILE.csv' from a phone's three-parameter model, or "
        "'python -m latency measure' on a device. A space of your own is given by its .yaml file, a member "
        "of its family with --width and --resolution."
    )
