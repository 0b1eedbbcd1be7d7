"""Published networks outside the compared space: they stand beside the fronts, and are no part of them.

The supernet cannot evaluate them, so their accuracy is the published one, of a training of their own; their
latency is that of their own kernels, by the table of the same name for the space that they are in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dnas.compare.files import RunError
from dnas.compare.model import Outside
from dnas.costs import LoadTable, count
from dnas.space import SearchSpace, zoo


def split_runs(runs: Sequence[str]) -> tuple[list[str], list[str]]:
    """``NAME=PATH`` runs, and the names of zoo networks among ``runs``.

    Raises:
        RunError: a name twice, or nothing but names, which do not say what space is searched.
    """
    names = [run for run in runs if run in zoo.names()]
    rest = [run for run in runs if run not in names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RunError(f"--run: {', '.join(twice)} is given twice.")
    if not rest:
        raise RunError(
            f"--run {' '.join(names)}: published networks are compared with a search; give one as NAME=PATH."
        )
    return rest, names


def inside(names: Iterable[str], space: SearchSpace) -> list[str]:
    """Those of the names whose networks are in ``space``."""
    return [name for name in names if zoo.load(name).space == space]


def beside(names: Iterable[str], table: str, load_table: LoadTable) -> tuple[Outside, ...]:
    """The networks with what is known of them, by rising latency.

    Args:
        table: the name of the comparison's table; its file for another space is another file.

    Raises:
        RunError: no such table for the space of a network.
    """
    return tuple(sorted((_outside(name, table, load_table) for name in names), key=lambda o: o.latency_ms))


def outside_notes(outside: Sequence[Outside]) -> tuple[str, ...]:
    """What a reader must know of every network."""
    return tuple(
        f"{each.name}: outside the space, so the supernet cannot evaluate it. Its accuracy is the published "
        f"one, of its own training; its latency is that of its own kernels, {each.table_kind}. It is in no "
        "front."
        for each in outside
    )


def _outside(name: str, table_name: str, load_table: LoadTable) -> Outside:
    published = zoo.published(name)
    architecture = published.architecture
    space = architecture.space
    try:
        table = load_table(table_name, space)
    except ValueError as error:
        raise RunError(
            f"--run {name} is outside the searched space and needs a table of its own: {error}"
        ) from error
    low, high = table.latency_interval(architecture)
    costs, top1 = count(space), published.figures.get("top1")
    return Outside(
        name=name,
        space=space.name,
        published_top1=None if top1 is None else round(top1 / 100, 6),
        source=published.figures.get("source", ""),
        latency_ms=table.latency_ms(architecture),
        latency_low_ms=low,
        latency_high_ms=high,
        table_kind=table.kind,
        table_sha256=table.sha256,
        params=costs.params_of(architecture),
        madds=costs.madds_of(architecture),
        resolution=space.resolution,
    )
