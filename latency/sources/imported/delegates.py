"""Which processor executed a graph, as logs of TFLite and LiteRT state it."""

from __future__ import annotations

import re

APPLIED = re.compile(r"[Aa]pplied (?P<name>\S+) delegate, and the model graph will be (?P<how>\w+) executed")
# TF 1.14 and 1.15 do not say how much of the graph, unless all of it was required.
APPLIED_SOMEHOW = re.compile(r"\bApplied (?P<name>\S+) delegate\.")
ALL_REQUIRED = re.compile(r"Require full delegation ?: \[1\]")
REFUSED = re.compile(r"Though (?P<name>\S+) delegate is explicitly applied, the model graph will not be")
REPLACED = re.compile(
    r"Replacing (?P<part>\d+) out of (?P<all>\d+) node\(s\) with delegate \((?P<name>[^)]*)\)"
)
ASKED = re.compile(r"Use (?P<name>gpu|nnapi|hexagon|coreml) ?: \[(?:1|true)\]", re.IGNORECASE)
CREATED = re.compile(r"Created TensorFlow Lite delegate for (?P<name>\w+)")
ON_CPU = re.compile(r"Created TensorFlow Lite XNNPACK delegate for CPU")
# Arm NN's external delegate has backends on the CPU (CpuAcc, CpuRef) and on the GPU (GpuAcc).
BACKENDS = re.compile(r"External delegate options ?: \[(?:[^\]]*;)?backends:(?P<names>[\w,]+)")
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
    on_cpu = _on_cpu(text)
    applied = [match for match in APPLIED.finditer(text) if not _is_one(match["name"], on_cpu)]
    replaced = [match for match in REPLACED.finditer(text) if not _is_one(match["name"], on_cpu)]
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
    if accelerators := [name for name in asked if not _is_one(name, on_cpu)]:
        return _fell_back(text, accelerators[0], on_cpu)
    if not (asked or any(pattern.search(text) for pattern in (PARAMETERS, APPLIED, REPLACED, ON_CPU))):
        raise ValueError("the log does not say what executed the graph: keep all lines of the tool's output")
    return True


def _fell_back(text: str, accelerator: str, on_cpu: tuple[str, ...]) -> bool:
    """Of a log that does not say how much of the graph an accelerator executed; False when all of it was
    required.
    """
    names = [match["name"] for match in APPLIED_SOMEHOW.finditer(text)]
    somehow = [name for name in names if not _is_one(name, on_cpu)]
    if not somehow:
        raise ValueError(
            f"{accelerator} was asked for, but no delegate executed the graph: it ran on the CPU"
        )
    if ALL_REQUIRED.search(text) is None:
        raise ValueError(
            f"the {somehow[0]} delegate was applied, but the log does not say whether to the whole "
            "graph: use benchmark_model of TF 2, or --require_full_delegation=true"
        )
    return False


def accelerated(names: list[str], fully: bool) -> bool:
    """:func:`ran_on_cpu` of the accelerators that LiteRT was given, and whether they took the whole graph."""
    others = [name for name in names if name != "CPU"]
    if others and not fully:
        raise ValueError(f"not fully executed by {' or '.join(others)}, the rest by the CPU")
    return not others


def _on_cpu(text: str) -> tuple[str, ...]:
    """What the names of the delegates hold that execute graphs on the CPU.

    Raises:
        ValueError: Arm NN may have used both processors.
    """
    found = BACKENDS.search(text)
    names = found["names"].split(",") if found else []
    if not any(name.startswith("Cpu") for name in names):
        return ("xnnpack",)
    if not all(name.startswith("Cpu") for name in names):
        raise ValueError(
            f"Arm NN had the backends {' and '.join(names)}, the log does not say what ran on which"
        )
    return "xnnpack", "external", "armnn"


def _is_one(delegate: str, names: tuple[str, ...]) -> bool:
    return any(name in delegate.lower() for name in names)
