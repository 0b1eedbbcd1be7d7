"""How many channels a block has inside: a ratio, rounded, or a number."""

from __future__ import annotations

from typing import Any

from dnas.blocks.base import BlockError, option


def hidden_option() -> Any:
    """The field ``hidden`` of a type's Options, an int or None."""
    return option(
        "hidden channels, in place of 'expansion'",
        default=None,
        short="hidden",
        quiet=True,
        instead_of="expansion",
        minimum=1,
    )


def rounded(channels: float, divisor: int) -> int:
    """The nearest multiple of ``divisor``: at least one of it, never below 90 % of ``channels``.

    The rule of the MobileNet papers' code (``make_divisible``).
    """
    nearest = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * channels else nearest


def hidden_channels(
    channels: int, expansion: float | None, divisor: int = 1, *, hidden: int | None = None
) -> int:
    """Hidden channels of a block: ``hidden`` where it is given, else ``channels`` times ``expansion``.

    The product is rounded to a whole number, at least 1; with a ``divisor`` above 1 by :func:`rounded`.
    """
    if hidden is not None:
        return hidden
    assert expansion is not None, "check_width comes first"
    if divisor > 1:
        return rounded(channels * expansion, divisor)
    return max(1, round(channels * expansion))


def check_width(expansion: float | None, hidden: int | None) -> None:
    """Raise :class:`BlockError` unless exactly one of both is given."""
    if (expansion is None) == (hidden is None):
        raise BlockError(
            "A block gives exactly one of 'expansion' (a ratio) and 'hidden' (channels), "
            f"got expansion={expansion}, hidden={hidden}."
        )
