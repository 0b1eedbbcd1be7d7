"""Rows of version 1 of the format, in which every block is an inverted residual or a skip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dnas.blocks.inverted_residual import inverted_residual_ops
from dnas.blocks.ops import Op, conv_op, ops_digest
from dnas.space import output_size
from latency.table.entry import CONVERTERS, Entry, checked, converted, integer, plain


def _flag(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError(f"{text!r} is neither true nor false")
    return text.lower() == "true"


_BLOCK: dict[str, Callable[[str], Any]] = {
    "hidden": integer(0),
    "kernel": integer(1),
    "squeezed": integer(0),
    "groups": integer(1),
    "residual": _flag,
}
_CONVERTERS = {**CONVERTERS, **_BLOCK}
COLUMNS = (
    *("layer", "choice", "input_size", "in_channels", "hidden", "out_channels", "kernel", "stride"),
    *("squeezed", "activation", "groups", "residual"),
    *("ms", "n", "std", "p90", "source", "relative_error", "parts"),
)


def parse_row(row: Sequence[str], columns: Sequence[str]) -> tuple[Entry | None, list[str]]:
    """An entry from the texts of a CSV row, or None and everything that is wrong with it."""
    values, problems = converted(row, columns, _CONVERTERS)
    if problems:
        return None, problems
    block = {name: values.pop(name) for name in _BLOCK}
    skip = block["hidden"] == 0
    values["ops"] = ops_digest(_skip_ops(values) if skip else _block_ops(values, block))
    values["type"] = "skip" if skip else "inverted_residual"
    values["block"] = () if skip else tuple((name, plain(value)) for name, value in block.items())
    return checked(values)


def _skip_ops(values: dict[str, Any]) -> tuple[Op, ...]:
    shape = values["in_channels"], values["out_channels"], values["input_size"]
    if values["stride"] == 1 and shape[0] == shape[1]:
        return ()
    return (conv_op(*shape, stride=values["stride"], activation=values["activation"]),)


def _block_ops(values: dict[str, Any], block: dict[str, Any]) -> tuple[Op, ...]:
    ops = inverted_residual_ops(
        in_channels=values["in_channels"],
        hidden=block["hidden"],
        out_channels=values["out_channels"],
        kernel=block["kernel"],
        stride=values["stride"],
        input_size=values["input_size"],
        activation=values["activation"],
        squeezed=block["squeezed"],
        groups=block["groups"],
    )
    without = tuple(op for op in ops if op.type != "add")
    channels, size = values["out_channels"], output_size(values["input_size"], values["stride"])
    return (*without, Op("add", channels, channels, size)) if block["residual"] else without
