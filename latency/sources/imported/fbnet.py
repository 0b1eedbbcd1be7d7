"""FBNet look-up tables in the form of HW-NAS-Bench: JSON (or YAML), ``key: latency``.

HW-NAS-Bench ships a pickle, which is never opened here;
``json.dump(api.get_op_lookup_tables()["pixel3_latency"], file)`` makes a file of it. Such a file states no
unit (the benchmark's README prints its latencies in milliseconds), and the README calls them
"measured/estimated": give ``--kind predicted`` for devices that nobody measured. Checked against
``hw_nas_bench_api/hw_nas_bench_api.py`` and ``README.md`` of GATECH-EIC/HW-NAS-Bench; the keys are read in
:mod:`latency.sources.imported.keys`.
"""

from __future__ import annotations

import yaml

from latency.sources.imported.lookup import read_lookup
from latency.sources.imported.reading import ImportResult

UNIT: str | None = None
WHOLE_INFERENCES = False
KIND = "measured"
STATISTIC = "value of the look-up table"


def read(text: str, source: str, unit: str | None) -> ImportResult:
    """A reading per key."""
    return read_lookup(text, source, unit, _number)


def _number(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise ValueError("expected a number: give the look-up table of one device and one metric")
    return str(node.value)
