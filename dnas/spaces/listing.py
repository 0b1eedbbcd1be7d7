"""Tables for the terminal: the layers of a space, its choices, the range of its networks, differences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any, Literal

from rich import box
from rich.table import Table
from rich.text import Text

from dnas.space import Choice, Decision, FixedOp, SearchSpace
from dnas.spaces.ranges import Counts, Latency, Misfit, number

LAYER_HEADINGS = ("layers", "operation", "in→out", "stride", "pixels", "activation", "choices")


def layers_table(space: SearchSpace) -> Table:
    """Stem, decisions and head in the order of the data, a row each."""
    table = new_table(*LAYER_HEADINGS, wrapped={"choices"})
    for op in space.stem:
        table.add_row("stem", *_fixed_cells(op))
    table.add_section()
    for decision in space.decisions:
        table.add_row(*_decision_cells(decision, space))
    table.add_section()
    for op in space.head:
        table.add_row("head", *_fixed_cells(op))
    table.add_row("", "linear", f"{space.head[-1].out_channels}→{space.num_classes}", "", "", "", "")
    return table


def choices_table(space: SearchSpace) -> Table:
    """Every choice that a layer offers, with its block type and options."""
    table = new_table("choice", "block type", "options", wrapped={"options"})
    for name, choice in blocks_by_name(space).items():
        table.add_row(Text(name), choice.type.name, options_text(choice))
    return table


def ranges_table(columns: Sequence[tuple[str, SearchSpace, Counts]]) -> Table:
    """Sizes and ranges of counts, a column per space."""
    headings = [heading for heading, _, _ in columns]
    table = new_table("", *headings, numbers=set(headings) - {""})
    spaces = [space for _, space, _ in columns]
    counts = [counts for _, _, counts in columns]
    table.add_row("layers", *(f"{len(space.layers)}" for space in spaces))
    table.add_row("decisions", *(f"{len(space)}" for space in spaces))
    table.add_row("architectures", *(number(space.size) for space in spaces))
    table.add_row("distinct networks", *(number(space.distinct) for space in spaces))
    table.add_row("parameters", *(str(each.params) for each in counts))
    table.add_row("multiply-adds", *(str(each.madds) for each in counts))
    return table


def latency_table(found: Iterable[Latency]) -> Table:
    """The fastest and the slowest network under every table, each with its 90 % interval."""
    numbers = ("fastest ms", "90 %", "slowest ms", "90 %")
    table = new_table("latency table", "kind", *numbers, numbers=numbers)
    for each in found:
        table.add_row(
            Text(each.table),
            each.kind,
            f"{each.fastest:.2f}",
            "{:.2f} to {:.2f}".format(*each.fastest_interval),
            f"{each.slowest:.2f}",
            "{:.2f} to {:.2f}".format(*each.slowest_interval),
        )
    return table


def misfit_lines(misfits: Iterable[Misfit]) -> list[str]:
    """A line per reason, with the tables that do not fit for it."""
    tables: dict[str, list[str]] = {}
    for table, reason in misfits:
        tables.setdefault(reason, []).append(table)
    return [f"No latency by {', '.join(names)}: {reason}." for reason, names in tables.items()]


def blocks_by_name(space: SearchSpace) -> dict[str, Choice]:
    """The choices that layers of a space offer, in the order of its file."""
    offered = {choice.name: choice for layer in space.layers for choice in layer.choices}
    in_file = [name for name in space.definition["choices"] if name in offered]
    return {name: offered[name] for name in dict.fromkeys([*in_file, *offered])}


def options_text(choice: Choice) -> str:
    """The options of a choice that are not what they are when left out: ``expansion 3, kernel 5``."""
    options = ((field, getattr(choice.options, field.name)) for field in fields(choice.options))
    given = ((field.name, value) for field, value in options if value != field.default)
    return ", ".join(f"{name} {_plain(value)}" for name, value in given)


def fixed_text(op: FixedOp) -> str:
    """An operation of stem or head without its shapes: ``conv 3x3``, ``dropout 0.2``."""
    if op.type == "dropout":
        return f"dropout {op.rate:g}"
    if op.type == "pool":
        return "pool"
    return f"{op.type} {op.kernel}x{op.kernel}" + ("" if op.norm else ", no batch norm")


def differences_table(found: Iterable[tuple[str, str, str, str]], names: Sequence[str]) -> Table:
    """A row per :class:`dnas.spaces.diff.Difference` of two spaces, which go by ``names``."""
    table = new_table("where", "what", *names, wrapped=names)
    for each in found:
        table.add_row(*map(Text, each))
    return table


def new_table(*headings: str, numbers: Iterable[str] = (), wrapped: Iterable[str] = ()) -> Table:
    """An empty table; columns of ``numbers`` stand to the right, those ``wrapped`` may take several lines."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_header=any(headings))
    for heading in headings:
        side: Literal["left", "right"] = "right" if heading in numbers else "left"
        fold = heading in wrapped
        table.add_column(
            Text(heading), justify=side, no_wrap=not fold, overflow="fold" if fold else "ellipsis"
        )
    return table


def _fixed_cells(op: FixedOp) -> list[str]:
    if op.type == "dropout":
        return [fixed_text(op), "", "", "", "", ""]
    activation = "" if op.activation == "none" else op.activation
    stride = "" if op.type == "pool" else str(op.stride)
    shape = f"{op.in_channels}→{op.out_channels}"
    return [fixed_text(op), shape, stride, _pixels(op.input_size, op.output_size), activation, ""]


def _decision_cells(decision: Decision, space: SearchSpace) -> list[str | Text]:
    """Of several layers the shapes at both ends, and the first one's stride."""
    first, last = decision.layers[0], decision.layers[-1]
    return [
        decision.name,
        f"one for {len(decision.layers)} layers" if len(decision.layers) > 1 else "",
        f"{first.in_channels}→{last.out_channels}",
        str(first.stride),
        _pixels(first.input_size, last.output_size),
        first.activation,
        # Text, not str: rich would read a name with brackets as markup.
        Text(f"{len(decision.names)}: {_choices_text(decision, [*space.definition['choices']])}"),
    ]


def _choices_text(decision: Decision, known: Sequence[str]) -> str:
    """Which choices; of blocks that come in several depths, each once."""
    blocks = dict.fromkeys(row[0].name for row in decision.blocks)
    depths = sorted({sum(not block.skip for block in row) for row in decision.blocks})
    if len(depths) > 1 and len(blocks) * len(depths) == len(decision.names):
        skips = {block.name for row in decision.blocks for block in row if block.skip}
        text = _names_text([*blocks], [name for name in known if name not in skips])
        return f"{text}, in {depths[0]} to {depths[-1]} layers"
    return _names_text(decision.names, known)


def _names_text(names: Sequence[str], known: Sequence[str]) -> str:
    """In as few words as possible."""
    lacking = [name for name in known if name not in names]
    further = [name for name in names if name not in known]
    text = " ".join(names)
    if len(names) > 2 and not lacking:
        text = "all" + "".join(f" and {name}" for name in further)
    elif lacking and not further and len(names) > 2 * len(lacking):
        text = f"all but {' '.join(lacking)}"
    return text


def _pixels(before: int, after: int) -> str:
    return str(before) if before == after else f"{before}→{after}"


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
