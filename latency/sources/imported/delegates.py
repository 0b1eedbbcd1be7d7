"""Which processor executed a graph, as logs of TFLite and LiteRT state it."""

from __future__ import annotations

import re

APPLIED = re.compile(r"[Aa]pplied (?P<name>\S+) delegate, and the model graph will be (?P<how>\w+) executed")
REFUSED = re.compile(r"Though (?P<name>\S+) delegate is explicitly applied, the model graph will not be")
REPLACED = re.compile(
    r"Replacing (?P<part>\d+) out of (?P<all>\d+) node\(s\) with delegate \((?P<name>[^)]*)\)"
)
ASKED = re.compile(r"Use (?P<name>gpu|nnapi|hexagon|coreml) ?: \[(?:1|true)\]", re.IGNORECASE)
CREATED = re.compile(r"Created TensorFlow Lite delegate for (?P<name>\w+)")
ON_CPU = re.compile(r"Created TensorFlow Lite XNNPACK delegate for CPU")
PARAMETERS = re.compile(r"\bGraph: \[")
# Of litert-benchmark, the tool in Python.
ACCELERATORS = re.compile(r"^Accelerators: +(?P<names>\w+(?: \| \w+)*)$", re.MULTILINE)
FULLY = re.compile(r"^Fully accelerated: +(?P<fully>True|False)$", re.MULTILINE)


def ran_on_cpu(text: str) -> bool:
    """Whether the CPU was asked for; False when an accelerator executed the whole graph.

    Raises:
        ValueError: an accelerator was asked for and did not execute all of it, or the log does not say.
    """
    if (names := ACCELERATORS.search(text)) and (fully := FULLY.search(text)):
        return accelerated(names["names"].split(" | "), fully["fully"] == "True")
    applied = [match for match in APPLIED.finditer(text) if not _is_cpu(match["name"])]
    replaced = [match for match in REPLACED.finditer(text) if not _is_cpu(match["name"])]
    for match in applied:
        if match["how"] != "completely":
            raise ValueError(
                f"only {match['how']} executed by the {match['name']} delegate, the rest by the CPU"
            )
    for match in replaced:
        if match["part"] != match["all"]:
            raise ValueError(
                f"{match['name']} took {match['part']} of {match['all']} nodes, the CPU the rest"
            )
    if applied or replaced:
        return False
    asked = [match["name"] for pattern in (REFUSED, CREATED, ASKED) for match in pattern.finditer(text)]
    accelerators = [name for name in asked if not _is_cpu(name)]
    if accelerators:
        raise ValueError(
            f"{accelerators[0]} was asked for, but no delegate executed the graph: it ran on the CPU"
        )
    if not (asked or any(pattern.search(text) for pattern in (PARAMETERS, APPLIED, REPLACED, ON_CPU))):
        raise ValueError("the log does not say what executed the graph: keep all lines of the tool's output")
    return True


def accelerated(names: list[str], fully: bool) -> bool:
    """:func:`ran_on_cpu` of the accelerators that LiteRT was given, and whether they took the whole graph."""
    others = [name for name in names if name != "CPU"]
    if others and not fully:
        raise ValueError(f"not fully executed by {' or '.join(others)}, the rest by the CPU")
    return not others


def _is_cpu(delegate: str) -> bool:
    return "xnnpack" in delegate.lower()
