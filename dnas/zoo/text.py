"""Accounts of published networks for people: a list, one network's page, CSV, Markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from dnas.space.zoo import Published
from dnas.zoo.account import Account, Latency

NONE = "–"
NATURES = {
    "assembled": "assembled from measured kernels",
    "calibrated": "model calibrated on published networks",
    "predicted": "predicted by a model",
}
# What a list can be sorted by, besides the name of a table: the smallest first, of accuracy the largest.
ORDERS: dict[str, Callable[[Account], float | str | None]] = {
    "name": lambda each: each.published.name,
    "params": lambda each: each.params,
    "madds": lambda each: each.madds,
    "resolution": lambda each: each.published.architecture.space.resolution,
    "top1": lambda each: None if each.top1 is None else -each.top1,
}


def table_names(accounts: Iterable[Account]) -> list[str]:
    """Names of all tables that any of the networks has a latency by, sorted."""
    return sorted({latency.table for each in accounts for latency in each.latencies})


def in_order(accounts: Sequence[Account], by: str) -> list[Account]:
    """Sorted by a key of :data:`ORDERS` or a table's name; what has no value comes last.

    Raises:
        ValueError: neither a key nor the name of a table.
    """
    known = [*ORDERS, *table_names(accounts)]
    if by not in known:
        raise ValueError(f"Cannot sort by {by!r}. Give one of {', '.join(known)}.")
    key = ORDERS.get(by, lambda each: _ms(each.latency_by(by)))
    with_value = [each for each in accounts if key(each) is not None]
    return [*sorted(with_value, key=key), *(each for each in accounts if key(each) is None)]


def list_of_networks(accounts: Sequence[Account]) -> Table:
    """One row per network; a column of milliseconds per table."""
    tables = table_names(accounts)
    grid = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    grid.add_column("network", no_wrap=True)
    heads = [
        "params\nM",
        "madds\nM",
        "px",
        "top-1\n%",
        *(f"{name.replace('_', chr(10))}\nms" for name in tables),
    ]
    for head in heads:
        grid.add_column(Text(head), justify="right", no_wrap=True)
    for each in accounts:
        by_table = [_number(_ms(each.latency_by(name)), "{:.2f}") for name in tables]
        grid.add_row(each.published.name, *_counts(each), *by_table)
    return grid


def latency_table(account: Account) -> Table:
    """What tables say of a network's latency, then what is published."""
    grid = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for head, justify in (("latency", "left"), ("ms", "right"), ("90 % interval", "right"), ("how", "left")):
        grid.add_column(head, justify=justify)  # type: ignore[arg-type]
    for each in account.latencies:
        how = NATURES.get(each.kind, each.kind)
        grid.add_row(Text(each.table), f"{each.ms:.2f}", _interval(each), how)
    for label, ms in account.published.latencies_ms.items():
        grid.add_row(Text(label), f"{ms:g}", NONE, "published")
    return grid


def page(account: Account) -> list[str]:
    """Lines about a network: what it is, its counts, its reference, what is published."""
    published = account.published
    space = published.architecture.space
    lines = [f"{published.title} ({published.name}), {published.reference}"]
    lines += [published.provenance] if published.provenance else []
    lines += [
        f"{account.params:,} parameters, {account.madds / 1e6:,.3f} M multiply-adds "
        f"at {space.resolution} px with {space.num_classes} classes",
        f"Reference: {account.reference}: {account.agreement}"
        if account.reference
        else "Reference: none, no other code is known to count it",
        f"Published: {_published(published)}" if published.figures else "Published: nothing is listed",
        f"Space: its own, of one architecture: --space {published.name}"
        if published.alone
        else f"Space: {space.name}; {published.architecture}",
    ]
    return lines


def as_csv(accounts: Sequence[Account]) -> str:
    """All that is listed, with the bounds of the intervals; what is not known is left empty."""
    rows = [_row(each, table_names(accounts)) for each in accounts]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def as_markdown(accounts: Sequence[Account]) -> str:
    """The table of docs/zoo.md."""
    tables = table_names(accounts)
    heads = ["network", "parameters", "multiply-adds M", "px", "reference", "counts", "top-1 %"]
    heads += [f"{name} ms" for name in tables] + ["published ms"]
    rows = [[_cell(cell) for cell in _markdown_row(each, tables)] for each in accounts]
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _row(account: Account, tables: Sequence[str]) -> dict[str, Any]:
    published = account.published
    space = published.architecture.space
    row = {
        "name": published.name,
        "title": published.title,
        "space": space.name,
        "resolution": space.resolution,
        "params": account.params,
        "madds": account.madds,
        "reference": account.reference,
        "agreement": account.agreement,
        "top1": account.top1,
        "top5": published.figures.get("top5"),
    }
    for name in tables:
        found = account.latency_by(name)
        columns = (f"{name}_{what}" for what in ("ms", "low_ms", "high_ms", "kind"))
        values = (*(round(ms, 4) for ms in found[2:]), found.kind) if found else (None,) * 4
        row.update(zip(columns, values, strict=True))
    return row


def _markdown_row(account: Account, tables: Sequence[str]) -> list[str]:
    published = account.published
    found = [account.latency_by(name) for name in tables]
    return [
        f"{published.title} `{published.name}`",
        f"{account.params:,}",
        f"{account.madds / 1e6:,.2f}",
        str(published.architecture.space.resolution),
        account.reference or NONE,
        account.agreement or NONE,
        _number(account.top1, "{:g}"),
        *(NONE if each is None else f"{each.ms:.2f} ({_interval(each)})" for each in found),
        "; ".join(f"{label} {ms:g}" for label, ms in published.latencies_ms.items()) or NONE,
    ]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _counts(account: Account) -> list[str]:
    resolution = account.published.architecture.space.resolution
    figures = f"{account.params / 1e6:.2f}", f"{account.madds / 1e6:,.1f}", str(resolution)
    return [*figures, _number(account.top1, "{:.1f}")]


def _published(published: Published) -> str:
    figures = published.figures
    parts = {
        "top1": "{:g} % top-1",
        "top5": "{:g} % top-5",
        "params_millions": "{:g} M parameters",
        "madds_millions": "{:g} M multiply-adds",
    }
    said = [form.format(figures[key]) for key, form in parts.items() if key in figures]
    return f"{', '.join(said)}. Source: {figures['source']}"


def _ms(latency: Latency | None) -> float | None:
    return None if latency is None else latency.ms


def _number(value: float | None, form: str) -> str:
    return NONE if value is None else form.format(value)


def _interval(latency: Latency) -> str:
    return f"{latency.low:.2f} to {latency.high:.2f}"
