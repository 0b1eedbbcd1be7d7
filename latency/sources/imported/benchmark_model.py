"""Logs of TFLite's (LiteRT's) ``benchmark_model``: one log per block, or one run after another in a log.

The tool prints a statistics line in microseconds (``count=50 first=... curr=... min=... max=... avg=...
std=...``, in newer versions ``p5= median= p95=``, too; ``count=5 curr=120(all same)`` when all runs are
equal) after the warm-up and again after the runs, and more of them when it profiles operators. The one that
agrees with the tool's own summary counts: ``Inference timings in us`` of TFLite (TF 1.x: ``no stats``),
``BENCHMARK RESULTS`` in milliseconds of LiteRT 2 and of its ``litert-benchmark``. A run that the accelerator
did not execute completely is refused: its time says nothing of the accelerator.

Checked against ``tflite/tools/benchmark/benchmark_model.cc``, ``litert/tools/benchmark_litert_model.h`` and
``litert/python/tools/benchmark_litert_model.py`` of google-ai-edge/LiteRT and logs in issues
tensorflow/tensorflow#43541, #47859, #53138, #56301, #58379 and in public repositories.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from latency.sources.imported.delegates import ran_on_cpu
from latency.sources.imported.keys import first_key
from latency.sources.imported.names import file_key
from latency.sources.imported.reading import MS_PER_UNIT, ImportResult, Reading, Unread, amount

UNIT: str | None = "us"
WHOLE_INFERENCES = True
KIND = "measured"
STATISTIC = "mean of the runs of benchmark_model"

START = re.compile(r"^.*STARTING!", re.MULTILINE)
# LiteRT 2 writes the first, its tool in Python the second, TFLite the other two.
GRAPH = re.compile(
    r"\bLoading model from: (?P<loading>\S+)|^Model: +(?P<model>\S+)$"
    r"|\bGraph: \[(?P<path>[^\]]+)\]|\bLoaded model (?P<loaded>\S+)",
    re.MULTILINE,
)
FAILED = re.compile(r"\b(?:Failed to apply \w+ delegate|Benchmarking failed)\b")
OPTIONS = "Summary of All Runs w/ Different Performance Options"
STATISTICS = re.compile(
    r"^(?P<before>.*?)\bcount=(?P<count>\d{1,12})(?P<rest>(?: \w+=\S+)*)(?P<same>\(all same\))?", re.MULTILINE
)
SUMMARY = re.compile(
    r"[Ii]nference timings in us:.*(?:Inference \(avg\)|Inference|no stats): (?P<us>[^\s,]+)"
)
RESULTS = re.compile(r"Inference \(avg\):\s+(?P<ms>\S+) ms \((?P<runs>\d{1,12}) runs\)")
RESULTS_STD = re.compile(r"Inference \(std\):\s+(?P<ms>\S+)")
# The GPU delegate falls back to OpenGL where it finds no OpenCL.
API = re.compile(r"\bInitialized (?P<name>OpenCL|OpenGL)-based API")
# Of the same microseconds the two lines print six digits, BENCHMARK RESULTS two decimals of milliseconds.
RELATIVE, ROUNDING_US = 1e-3, 5.1


@dataclass(frozen=True)
class Statistics:
    """What one line states, in microseconds; ``position`` in the text."""

    us: float
    tolerance_us: float
    position: int
    count: int | None = None
    std_us: float | None = None


def read(text: str, source: str, unit: str | None) -> ImportResult:
    """A reading per run, or the reasons why there is none."""
    runs = _runs(text)
    graphs = [_graph(run) for _, run in runs]
    readings, unread = [], []
    backends: list[str] = []
    for (line, run), graph in zip(runs, graphs, strict=True):
        # The file's name says which block it is, unless the file holds several.
        names = (graph, file_key(source)) if len(set(graphs)) > 1 else (file_key(source), graph)
        try:
            readings.append(_reading(run, first_key(*names), source, line))
            backends += ["CPU"] if readings[-1].cpu else API.findall(run)
        except ValueError as error:
            unread.append(Unread(source, line if len(runs) > 1 else 0, str(error)))
    for key, cpu in dict.fromkeys((reading.key, reading.cpu) for reading in readings):
        same = [reading for reading in readings if (reading.key, reading.cpu) == (key, cpu)]
        if len(same) > 1:
            places = ", ".join(f"{reading.ms * 1000:g} us in line {reading.line}" for reading in same)
            unread.append(Unread(source, 0, f"{len(same)} runs in one log ({places}): keep the one meant"))
            readings = [reading for reading in readings if reading not in same]
    facts = tuple(("backend", name) for name in dict.fromkeys(backends))
    return ImportResult(tuple(readings), tuple(unread), facts if readings else ())


def _runs(text: str) -> list[tuple[int, str]]:
    """The number of the first line and the text of every run."""
    starts = [match.start() for match in START.finditer(text)]
    # Without the tool's first line, the parameters still precede every run.
    starts = starts or [match.start() for match in GRAPH.finditer(text) if not match["loaded"]]
    if len(starts) < 2:
        return [(1, text)]
    ends = [*starts[1:], len(text)]
    return [
        (text.count("\n", 0, start) + 1, text[start:end]) for start, end in zip(starts, ends, strict=True)
    ]


def _graph(text: str) -> str | None:
    match = GRAPH.search(text)
    return file_key(match[match.lastgroup or 0]) if match else None


def _reading(text: str, key: str, source: str, first_line: int) -> Reading:
    if (failed := FAILED.search(text)) and not any(_summaries(text)):
        raise ValueError(f"the run failed ({failed[0]!r}), so there is no latency in it")
    cpu = ran_on_cpu(text)
    found = _of_the_runs(text, first_line)
    scale = MS_PER_UNIT["us"]
    return Reading(
        key=key,
        ms=found.us * scale,
        source=source,
        line=first_line + text.count("\n", 0, found.position),
        n=found.count,
        std=None if found.std_us is None else found.std_us * scale,
        cpu=cpu,
    )


def _of_the_runs(text: str, first_line: int) -> Statistics:
    """The statistics that the summary means; those of warm-up and profiler differ or are marked."""
    candidates = list(_statistics(text))
    summaries = list(_summaries(text))
    if OPTIONS in text:
        raise ValueError(
            "runs with several options in one log (benchmark_model_performance_options): give the log of a "
            "run of benchmark_model with the options meant"
        )
    if not candidates and not any(each.count for each in summaries):
        raise ValueError(
            "no line of statistics ('count=... avg=...'): no log of benchmark_model, or cut short"
        )
    if not summaries:
        raise ValueError(
            "the summary ('Inference timings in us' or 'BENCHMARK RESULTS') is missing: the log was cut short"
        )
    last, newline = summaries[-1], "\n"
    for other in summaries[:-1]:
        if abs(other.us - last.us) > max(other.tolerance_us, last.tolerance_us):
            places = ", ".join(
                f"{each.us:g} us in line {first_line + text.count(newline, 0, each.position)}"
                for each in summaries
            )
            raise ValueError(f"{len(summaries)} runs in one log ({places}): keep the one meant")
    agreeing = [each for each in candidates if abs(each.us - last.us) <= last.tolerance_us]
    counted = [each for each in agreeing if last.count in (None, each.count)]
    if counted or agreeing:
        return (counted or agreeing)[-1]
    if last.count and not candidates:
        return last
    raise ValueError(
        f"the last line of statistics says {candidates[-1].us:g} us, the summary {last.us:g} us: "
        "cut or edited"
    )


def _statistics(text: str) -> Iterator[Statistics]:
    for match in STATISTICS.finditer(text):
        values: dict[str, str] = dict(re.findall(r"(\w+)=([^\s(]+)", match["rest"]))
        # The profiler's own: "Timings (microseconds): count=50 ..." and "Memory (bytes): count=0".
        if "Timings (" in match["before"] or "Memory (" in match["before"] or not values:
            continue
        us = amount(values.get("avg") or values.get("curr", "missing"), "avg")
        std = amount(values["std"], "std") if "std" in values else None
        yield Statistics(us, us * RELATIVE, match.start("count"), int(match["count"]), std)


def _summaries(text: str) -> Iterator[Statistics]:
    for match in SUMMARY.finditer(text):
        us = amount(match["us"], "Inference (avg)")
        yield Statistics(us, us * RELATIVE, match.start())
    for match in RESULTS.finditer(text):
        us = amount(match["ms"], "Inference (avg)") * 1000
        std = RESULTS_STD.search(text, match.end())
        std_us = amount(std["ms"], "Inference (std)") * 1000 if std else None
        yield Statistics(us, ROUNDING_US, match.start(), int(match["runs"]), std_us)
