"""Logs of MACE's ``mace_run``: ``Average latency: 3.58266 ms``, one run per block, or one after another.

``model name:``, ``device:`` and ``round:`` stand before it; the table that ends a run repeats the mean as
``run_avg``, which is read where that is all of the log. The statistics of operators that ``--benchmark`` adds
are those of kernels, their ``std`` is in another unit (XiaoMi/mace#679), and neither is read. A run of which
operators fell back to the CPU is refused.

Checked against ``mace/tools/mace_run.cc`` of XiaoMi/mace and logs in its issues #528, #553, #583 and #603.
"""

from __future__ import annotations

import math
import re

from latency.sources.imported.keys import first_key
from latency.sources.imported.names import file_key
from latency.sources.imported.reading import ImportResult, Reading, Unread, amount, runs

UNIT: str | None = "ms"
WHOLE_INFERENCES = True
KIND = "measured"
STATISTIC = "mean of the runs of mace_run"

START = re.compile(r"^model name:", re.MULTILINE)
SETTING = re.compile(r"^(model name|mace version|device|round): (\S+)$", re.MULTILINE)
AVERAGE = re.compile(r"^Average latency: (?P<ms>\S+) ms$", re.MULTILINE)
FALL_BACK = re.compile(r"^Op (\S+) fall back to CPU", re.MULTILINE)
TABLE = re.compile(r"^time +\S+ +\S+ +\S+ +(?P<ms>\S+)$", re.MULTILINE)


def read(text: str, source: str, unit: str | None) -> ImportResult:
    """A reading per run, or the reasons why there is none."""
    starts = [match.start() for match in START.finditer(text)]
    # What stands before the first name belongs to the first run: the converter's own output.
    ends = [*starts[1:], len(text)]
    spans = list(zip([0, *starts[1:]], ends, strict=True)) if starts else [(0, len(text))]
    settings = [dict(SETTING.findall(text, start, end)) for start, end in spans]
    several = len({each.get("model name") for each in settings}) > 1
    readings, unread = [], []
    for (start, end), stated in zip(spans, settings, strict=True):
        names = (stated.get("model name"), file_key(source))
        key = first_key(*(names if several else names[::-1]))
        line = text.count("\n", 0, start) + 1
        try:
            readings.append(_reading(text[start:end], key, stated, source, line))
        except ValueError as error:
            unread.append(Unread(source, line if several else 0, str(error)))
    versions = dict.fromkeys(each["mace version"] for each in settings if "mace version" in each)
    facts = (("runtime", "MACE"), *(("runtime_version", version) for version in versions))
    return ImportResult(tuple(readings), tuple(unread), facts if readings else ())


def _reading(text: str, key: str, stated: dict[str, str], source: str, first_line: int) -> Reading:
    means = list(AVERAGE.finditer(text)) or list(TABLE.finditer(text))
    if len(means) != 1:
        raise ValueError(
            f"{len(means)} lines 'Average latency: ... ms' in a run (or of 'run_avg'), expected one: no log "
            "of mace_run, cut short, or with --restart_round"
        )
    device, rounds, fallen = stated.get("device"), stated.get("round"), FALL_BACK.findall(text)
    if fallen and device not in (None, "CPU"):
        raise ValueError(
            f"{len(fallen)} operator(s) fell back from {device} to the CPU, the first is {fallen[0]}"
        )
    ms = amount(means[0]["ms"])
    for table in TABLE.finditer(text):
        if not math.isclose(amount(table["ms"], "run_avg"), ms, rel_tol=1e-5, abs_tol=6e-4):
            raise ValueError(f"the mean is {ms:g} ms, run_avg says {table['ms']}: edited")
    return Reading(
        key,
        ms,
        source,
        first_line + text.count("\n", 0, means[0].start()),
        n=runs(rounds) if rounds else None,
        cpu=None if device is None else device == "CPU",
    )
