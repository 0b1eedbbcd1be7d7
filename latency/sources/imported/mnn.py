"""Output of MNN's ``benchmark.out``: ``[ - ] name.mnn  max = 1.5 ms  min = 1.2 ms  avg = 1.3 ms``, names are
keys.

``Forward type: **OpenCL**`` is the processor and ``loop = 10`` the number of runs of all models after them. A
backend that the build lacks is replaced by the CPU in one line: ``Can't Find type=3 backend, use 0 instead``.

Checked against ``benchmark/benchmark.cpp`` and ``source/core/Schedule.cpp`` of alibaba/MNN and outputs in its
issues #755, #769 and #1800. No standard deviation is printed.
"""

from __future__ import annotations

import re

from latency.sources.imported.names import file_key
from latency.sources.imported.reading import ImportResult, Reading, Unread, amount

UNIT: str | None = "ms"
WHOLE_INFERENCES = True
KIND = "measured"
STATISTIC = "mean of the runs of MNN's benchmark"

FORWARD = re.compile(r"Forward type: \**(?P<type>[A-Za-z/]+)")
LOOP = re.compile(r"Benchmarking\.\.\. loop = (?P<loop>\d{1,9})\b")
RESULT = re.compile(r"\[ - \] (?P<name>\S+) +(?P<columns>.*)")
COLUMN = re.compile(r"(max|min|avg) = *(\S+?) ?ms(?!\w)")
REPLACED = re.compile(r"Can't Find type=(?P<type>\d+) backend, use (?P<other>\d+) instead")
# MNNV2Basic.out and timeProfile.out, which callbacks around every operator slow down.
OF_OPERATORS = re.compile(r"^Avg= \S+ ms, OpSum = |^total time : \S+ ms, total mflops", re.MULTILINE)
ON_CPU = {"CPU": True, "N/A": None}


def read(text: str, source: str, unit: str | None) -> ImportResult:
    """A reading per line; what only resembles one is listed."""
    readings, unread = [], []
    cpu, loop, replaced = None, None, ""
    backends = set()
    for number, line in enumerate(text.splitlines(), start=1):
        if forward := FORWARD.search(line):
            cpu, replaced = ON_CPU.get(forward["type"], False), ""
            backends.add(forward["type"])
        elif found := LOOP.search(line):
            loop = int(found["loop"])
        elif found := REPLACED.search(line):
            replaced = f"the build lacks the backend of type {found['type']} and used type {found['other']}"
        elif found := RESULT.search(line):
            try:
                if replaced:
                    raise ValueError(replaced)
                ms = _mean(line, found["columns"])
                readings.append(Reading(file_key(found["name"]), ms, source, number, n=loop, cpu=cpu))
            except ValueError as error:
                unread.append(Unread(source, number, str(error)))
    if not readings and not unread:
        reason = (
            "no line '[ - ] name  max = ... ms  min = ... ms  avg = ... ms': no output of MNN's benchmark"
        )
        if OF_OPERATORS.search(text):
            reason = (
                "MNNV2Basic.out and timeProfile.out time every operator, give the output of benchmark.out"
            )
        unread.append(Unread(source, 0, reason))
    facts = [("runtime", "MNN")] + [("backend", name) for name in sorted(backends - {"N/A"})]
    return ImportResult(tuple(readings), tuple(unread), tuple(facts) if readings else ())


def _mean(line: str, columns: str) -> float:
    values = {name: amount(text, name) for name, text in COLUMN.findall(columns)}
    if set(values) != {"max", "min", "avg"}:
        raise ValueError(f"{line.strip()!r} is cut: expected 'max = ... ms  min = ... ms  avg = ... ms'")
    if not values["min"] <= values["avg"] <= values["max"]:
        raise ValueError(f"avg {values['avg']} is not between min {values['min']} and max {values['max']}")
    return values["avg"]
