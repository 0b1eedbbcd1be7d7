"""Look-up tables of ProxylessNAS, Once-for-All and FBNet: YAML or JSON that maps keys to latencies.

The line of every key, and keys given twice, are kept. The keys are read in
:mod:`latency.sources.imported.keys`. The files state no unit.
"""

from __future__ import annotations

from collections.abc import Callable

import yaml

from latency.sources.imported.reading import ImportResult, Reading, Unread, amount, ms_per_unit

MAX_DEPTH = 8
TOO_DEEP = "nested too deeply for a look-up table"
# The C parser is many times as fast, and look-up tables are long.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class LookupTable:
    """One kind of such files, a :class:`~latency.sources.imported.reading.Importer`.

    Args:
        statistic: what the table says of its entries.
        value_of: finds the number in a value, or raises ``ValueError``.
    """

    UNIT: str | None = None
    WHOLE_INFERENCES = False
    KIND = "measured"

    def __init__(self, statistic: str, value_of: Callable[[yaml.Node], str]) -> None:
        self.STATISTIC, self._value_of = statistic, value_of

    def read(self, text: str, source: str, unit: str | None) -> ImportResult:
        """A reading per key."""
        try:
            scale = ms_per_unit(None, unit)
            root = _compose(text)
        except ValueError as error:
            return ImportResult(unread=(Unread(source, 0, str(error)),))
        if not isinstance(root, yaml.MappingNode):
            return ImportResult(unread=(Unread(source, 1, "expected a mapping from keys to latencies"),))
        readings, unread = [], []
        for key, value in root.value:
            line = key.start_mark.line + 1
            try:
                ms = amount(self._value_of(value)) * scale
                readings.append(Reading(str(key.value), ms, source, line))
            except ValueError as error:
                unread.append(Unread(source, line, f"{key.value}: {error}"))
        return ImportResult(tuple(readings), tuple(unread))


def _mean(node: yaml.Node) -> str:
    values = {key.value: value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}
    mean = values.get("mean")
    if not isinstance(mean, yaml.ScalarNode):
        raise ValueError("expected {mean: a number, ...}")
    return str(mean.value)


def _number(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise ValueError("expected a number: give the look-up table of one device and one metric")
    return str(node.value)


def _compose(text: str) -> yaml.Node | None:
    """The nodes of a document; JSON is YAML but for tabs between its tokens."""
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


# ProxylessNAS and Once-for-All: YAML, ``key: {mean: number, ...}``. Checked against
# ``ofa/nas/efficiency_predictor/latency_lookup_table.py`` of mit-han-lab/once-for-all, which reads ``mean``
# and nothing else; the public tables themselves were not at hand.
PROXYLESSNAS = LookupTable("'mean' of the look-up table", _mean)

# FBNet in the form of HW-NAS-Bench: JSON (or YAML), ``key: latency``. HW-NAS-Bench ships a pickle, which is
# never opened here; ``json.dump(api.get_op_lookup_tables()["pixel3_latency"], file)`` makes a file of it. The
# benchmark's README prints its latencies in milliseconds and calls them "measured/estimated": give ``--kind
# predicted`` for devices that nobody measured. Checked against ``hw_nas_bench_api/hw_nas_bench_api.py`` and
# ``README.md`` of GATECH-EIC/HW-NAS-Bench.
FBNET = LookupTable("value of the look-up table", _number)
