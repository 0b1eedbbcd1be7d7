"""Look-up tables of ProxylessNAS, Once-for-All and FBNet: YAML or JSON that maps keys to latencies.

The line of every key, and keys given twice, are kept. The keys are read in
:mod:`latency.sources.imported.keys`. A value is a number, a list of single runs, or a mapping with ``mean``
(or ``latency``) and what else is known: ``count``, ``std`` or ``var``. The files state no unit, unless a key
``unit`` does. A mapping of such tables, one for every device and metric, is read as several tables, of which
the user chooses one; a mapping of layers (``L1``) to their choices is one table.
"""

from __future__ import annotations

import math
import re

import yaml

from latency.sources.imported.reading import (
    MS_PER_UNIT,
    UNITS,
    ImportResult,
    Reading,
    Unread,
    amount,
    mean_and_std,
    ms_per_unit,
    runs,
)
from latency.table.facts import FACTS

MAX_DEPTH = 8
TOO_DEEP = "nested too deeply for a look-up table"
# The C parser is many times as fast, and look-up tables are long.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
LAYER = re.compile(r"[Ll][1-9]\d*")
MEANS, COUNTS, STDS = ("mean", "avg", "latency"), ("count", "n"), ("std", "stddev")
# What a table may state of itself beside its entries.
STATED = {"unit", "units", *FACTS}
OF_A_VALUE = {*MEANS, *COUNTS, *STDS, "var", "p90", "median", "min", "max"}


class LookupTable:
    """One kind of such files, a :class:`~latency.sources.imported.reading.Importer`.

    Args:
        statistic: what the table says of its entries.
        numbers: values may be plain numbers.
    """

    UNIT: str | None = None
    WHOLE_INFERENCES = False
    KIND = "measured"

    def __init__(self, statistic: str, numbers: bool) -> None:
        self.STATISTIC, self._numbers = statistic, numbers

    def read(self, text: str, source: str, unit: str | None) -> ImportResult:
        """A reading per key."""
        try:
            root = compose(text)
            if not isinstance(root, yaml.MappingNode):
                raise ValueError("expected a mapping from keys to latencies")
            stated = {name: value for name, value in _scalars(root).items() if name in STATED}
            scale = ms_per_unit(_unit(stated), unit)
            if root.value and all(_is_numbered(name, node) for name, node in root.value):
                raise ValueError("layers and choices are numbered, which is a matrix: import it as one")
        except ValueError as error:
            return ImportResult(unread=(Unread(source, 0, str(error)),))
        readings: list[Reading] = []
        unread: list[Unread] = []
        for name, node in root.value:
            if str(name.value) in stated:
                continue
            table, entries = (str(name.value), node.value) if _is_table(node) else (None, [(name, node)])
            layer = ""
            if table and LAYER.fullmatch(table):
                layer, table = f"{table}_", None
            if table and table.lower().endswith("energy"):
                unread.append(Unread(source, name.start_mark.line + 1, f"{table}: no latencies"))
                continue
            for key, value in entries:
                line = key.start_mark.line + 1
                try:
                    readings.append(self._reading(layer + str(key.value), value, source, line, scale, table))
                except ValueError as error:
                    unread.append(Unread(source, line, f"{key.value}: {error}"))
        facts = tuple((name, value) for name, value in stated.items() if name in FACTS)
        return ImportResult(tuple(readings), tuple(unread), facts)

    def _reading(
        self, key: str, value: yaml.Node, source: str, line: int, scale: float, table: str | None
    ) -> Reading:
        if self._numbers and isinstance(value, yaml.ScalarNode):
            return Reading(key, amount(str(value.value)) * scale, source, line, table=table)
        if _is_list_of_runs(value):
            single = [amount(str(each.value)) * scale for each in value.value]
            ms, deviation = mean_and_std(single)
            return Reading(key, ms, source, line, n=len(single), std=deviation, table=table)
        facts = _scalars(value)
        mean, count, std = (_first(facts, names) for names in (MEANS, COUNTS, STDS))
        if mean is None:
            raise ValueError(
                f"expected {'a number or ' if self._numbers else ''}{{mean: a number, ...}}, a look-up table "
                "of one device and one metric"
            )
        if std is None and "var" in facts:
            std = str(math.sqrt(amount(facts["var"], "var")))
        p90 = facts.get("p90")
        return Reading(
            key,
            amount(mean) * scale,
            source,
            line,
            n=None if count is None else runs(count),
            std=None if std is None else amount(std, "std") * scale,
            p90=None if p90 is None else amount(p90, "p90") * scale,
            table=table,
        )


def _unit(stated: dict[str, str]) -> str | None:
    text = stated.get("unit", stated.get("units"))
    if text is None:
        return None
    if text.lower() not in UNITS:
        raise ValueError(f"the unit {text!r} is not known, expected one of {', '.join(MS_PER_UNIT)}")
    return UNITS[text.lower()]


def _is_table(node: yaml.Node) -> bool:
    """Whether a value is a table of its own, rather than what is known of one key."""
    names = {str(key.value) for key, _ in node.value} if isinstance(node, yaml.MappingNode) else OF_A_VALUE
    return not names & OF_A_VALUE and not any(name.startswith("latency_") for name in names)


def _is_list_of_runs(node: yaml.Node) -> bool:
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        return False
    return all(isinstance(each, yaml.ScalarNode) for each in node.value)


def _is_numbered(name: yaml.Node, node: yaml.Node) -> bool:
    keys = [key for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
    return bool(keys) and all(str(key.value).isdecimal() for key in (name, *keys))


def _scalars(node: yaml.Node) -> dict[str, str]:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return {str(key.value): str(value.value) for key, value in pairs if isinstance(value, yaml.ScalarNode)}


def _first(facts: dict[str, str], names: tuple[str, ...]) -> str | None:
    return next((facts[name] for name in names if name in facts), None)


def compose(text: str) -> yaml.Node | None:
    """The nodes of a document; JSON is YAML but for tabs between its tokens.

    Raises:
        ValueError: neither, or nested too deeply.
    """
    text, depth = text.replace("\t", " "), 0
    try:
        # The C parser composes by recursion and dies of deep nesting, so the depth is found out first.
        for event in yaml.parse(text, Loader=LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise ValueError(TOO_DEEP)
        root: yaml.Node | None = yaml.compose(text, Loader=LOADER)
    except yaml.YAMLError as error:
        if "nesting depth" in str(error):  # the C parser's own limit, in newer versions
            raise ValueError(TOO_DEEP) from error
        raise ValueError(f"neither YAML nor JSON: {' '.join(str(error).split())}") from error
    return root


# ProxylessNAS and Once-for-All: YAML, ``key: {count: 500, mean: number, std: number}``, in ProxylessNAS
# ``var`` instead of ``std``. Checked against ``ofa/nas/efficiency_predictor/latency_lookup_table.py`` of
# mit-han-lab/once-for-all, its issue #37, and the tables of its tutorial and of UoS-EEC/DynamicOFA.
PROXYLESSNAS = LookupTable("'mean' of the look-up table", numbers=False)

# FBNet in the form of HW-NAS-Bench: JSON (or YAML), ``key: latency``. HW-NAS-Bench ships a pickle, which is
# never opened here; ``json.dump(api.get_op_lookup_tables(), file)`` makes a file of its tables. The
# benchmark's README prints its latencies in milliseconds and calls them "measured/estimated": give ``--kind
# predicted`` for devices that nobody measured. Checked against ``hw_nas_bench_api/hw_nas_bench_api.py`` and
# ``README.md`` of GATECH-EIC/HW-NAS-Bench.
FBNET = LookupTable("value of the look-up table", numbers=True)
