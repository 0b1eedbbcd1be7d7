"""Logs of TFLite's (LiteRT's) ``benchmark_model``: one log per block, named by its key, microseconds.

The tool prints a statistics line (``count=50 first=... curr=... min=... max=... avg=... std=...``, in newer
versions ``p5= median= p95=``, too; ``count=5 curr=120(all same)`` when all runs are equal) after the
warm-up and again after the runs: the last one counts. It must agree with the summary that ends a whole log. A
run that the accelerator did not execute completely is refused: its time says nothing of the accelerator.

Checked against ``tflite/tools/benchmark/benchmark_model.cc`` of google-ai-edge/LiteRT and logs in issues
tensorflow/tensorflow#43541, #47859, #56301, #58379 and in public repositories.
"""

from __future__ import annotations

import math
import re

from latency.sources.imported.keys import file_key
from latency.sources.imported.reading import MS_PER_UNIT, ImportResult, Reading, Unread, amount

UNIT: str | None = "us"
WHOLE_INFERENCES = True
KIND = "measured"
STATISTIC = "mean of the runs of benchmark_model"

STATISTICS = re.compile(r"\bcount=(?P<count>\d+)(?P<rest>(?: \w+=\S+)*)")
SUMMARY = re.compile(r"[Ii]nference timings in us:.*(?:Inference \(avg\)|Inference|no stats): (?P<avg>\S+)")
APPLIED = re.compile(r"[Aa]pplied (?P<name>\S+) delegate, and the model graph will be (?P<how>\w+) executed")
REFUSED = re.compile(r"Though (?P<name>\S+) delegate is explicitly applied, the model graph will not be")
REPLACED = re.compile(
    r"Replacing (?P<part>\d+) out of (?P<all>\d+) node\(s\) with delegate \((?P<name>[^)]*)\)"
)
ASKED = re.compile(r"Use (?P<name>gpu|nnapi|hexagon|coreml) ?: \[(?:1|true)\]", re.IGNORECASE)
CREATED = re.compile(r"Created TensorFlow Lite delegate for (?P<name>\w+)")
PARAMETERS = re.compile(r"\bGraph: \[")


def read(text: str, source: str, unit: str | None) -> ImportResult:
    """One reading, or the reason why there is none."""
    try:
        return ImportResult((_reading(text, source),))
    except ValueError as error:
        return ImportResult(unread=(Unread(source, 0, str(error)),))


def _reading(text: str, source: str) -> Reading:
    cpu = ran_on_cpu(text)
    found = list(STATISTICS.finditer(text))
    if not found:
        raise ValueError(
            "no line of statistics ('count=... avg=...'): no log of benchmark_model, or cut short"
        )
    last = found[-1]
    values: dict[str, str] = dict(re.findall(r"(\w+)=([^\s(]+)", last["rest"]))
    mean = amount(values.get("avg") or values.get("curr", "missing"), "avg")
    _check_summary(text, mean)
    # The tool prints whole microseconds: a standard deviation of 0 is one that is not known.
    std = amount(values.get("std", "0"), "std") or None
    scale = MS_PER_UNIT["us"]
    return Reading(
        key=file_key(source),
        ms=mean * scale,
        source=source,
        line=text.count("\n", 0, last.start()) + 1,
        n=int(last["count"]),
        std=std and std * scale,
        cpu=cpu,
    )


def _check_summary(text: str, mean: float) -> None:
    summaries = SUMMARY.findall(text)
    if not summaries:
        raise ValueError("the summary 'Inference timings in us' is missing: the log was cut short")
    if len(summaries) > 1:
        raise ValueError(f"{len(summaries)} runs in one log: give every run a file of its own")
    stated = amount(summaries[0], "Inference (avg)")
    if not math.isclose(mean, stated, rel_tol=1e-3):
        raise ValueError(
            f"the last line of statistics says {mean:g} us, the summary {stated:g} us: cut or edited"
        )


def ran_on_cpu(text: str) -> bool:
    """Whether the CPU was asked for; False when an accelerator executed the whole graph.

    Raises:
        ValueError: an accelerator was asked for and did not execute all of it, or the log does not say.
    """
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
    if not (PARAMETERS.search(text) or asked or APPLIED.search(text)):
        raise ValueError("the log does not say what executed the graph: keep all lines of the tool's output")
    return True


def _is_cpu(delegate: str) -> bool:
    return "xnnpack" in delegate.lower()
