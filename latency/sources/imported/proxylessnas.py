"""Look-up tables of ProxylessNAS and Once-for-All: YAML, ``key: {mean: number, ...}``.

The keys are read in :mod:`latency.sources.imported.keys`. The files state no unit. Checked against
``ofa/nas/efficiency_predictor/latency_lookup_table.py`` of mit-han-lab/once-for-all, which reads ``mean``
and nothing else; the public tables themselves were not at hand.
"""

from __future__ import annotations

import yaml

from latency.sources.imported.lookup import read_lookup
from latency.sources.imported.reading import ImportResult

UNIT: str | None = None
WHOLE_INFERENCES = False
KIND = "measured"
STATISTIC = "'mean' of the look-up table"


def read(text: str, source: str, unit: str | None) -> ImportResult:
    """A reading per key."""
    return read_lookup(text, source, unit, _mean)


def _mean(node: yaml.Node) -> str:
    values = {key.value: value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}
    mean = values.get("mean")
    if not isinstance(mean, yaml.ScalarNode):
        raise ValueError("expected {mean: a number, ...}")
    return str(mean.value)
