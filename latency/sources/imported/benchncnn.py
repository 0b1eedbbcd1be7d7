"""Output of ncnn's ``benchncnn``: ``name  min = 1.23  max = 1.50  avg = 1.30``, milliseconds, names are
keys.

``loop_count`` is the number of runs, ``gpu_device = -1`` the CPU; lines before these two hold for all
models after them, so that runs on CPU and GPU may follow each other in one file. ``[0 Adreno (TM) 640]
queueC=0[3] ...`` names the device ``gpu_device = 0``; of a Vulkan driver that computes on the CPU nothing is
read. No standard deviation is
printed, and two decimals only: below 0.1 ms rounding alone is up to 5 %.

Checked against ``benchmark/benchncnn.cpp`` of Tencent/ncnn and outputs that public READMEs quote. Given a
file (``param=...``) the tool prints that as the name. *Assumption:* further columns named ``std`` and ``p90``
are milliseconds like the others (Tencent/ncnn#2169 quotes a fork with ``median`` and ``cavg``, which are not
read).
"""

from __future__ import annotations

import re

from latency.sources.imported.names import file_key
from latency.sources.imported.reading import ImportResult, Reading, Unread, amount

UNIT: str | None = "ms"
WHOLE_INFERENCES = True
KIND = "measured"
STATISTIC = "mean of the runs of benchncnn"

RESULT = re.compile(r"\s*(?P<name>\S+)(?P<columns>(?:\s+\w+ = *\S+)+)\s*")
COLUMN = re.compile(r"(\w+) = *(\S+)")
SETTING = re.compile(r"\s*(?P<name>loop_count|gpu_device) = (?P<value>-?\d{1,9})\s*")
GPU = re.compile(r"\[(?P<number>\d{1,3}) (?P<name>.+?)\] +\S+=.*")
# Mesa's and Google's drivers of Vulkan for machines without a GPU.
SOFTWARE = ("llvmpipe", "lavapipe", "swiftshader")
NEEDED = ("min", "max", "avg")
STD = ("std", "stddev", "stdev")


def read(text: str, source: str, unit: str | None) -> ImportResult:
    """A reading per line; what only resembles one is listed."""
    settings: dict[str, int] = {}
    gpus: dict[int, str] = {}
    readings, unread = [], []
    for number, line in enumerate(text.splitlines(), start=1):
        if setting := SETTING.fullmatch(line):
            settings[setting["name"]] = int(setting["value"])
        elif gpu := GPU.fullmatch(line):
            gpus[int(gpu["number"])] = gpu["name"]
        elif "avg =" in line or "min =" in line:
            try:
                _check_gpu(gpus.get(settings.get("gpu_device", -1), ""))
                readings.append(_reading(line, source, number, settings))
            except ValueError as error:
                unread.append(Unread(source, number, str(error)))
    if not readings and not unread:
        unread.append(
            Unread(source, 0, "no line 'name  min = ...  max = ...  avg = ...': no output of benchncnn")
        )
    return ImportResult(tuple(readings), tuple(unread))


def _check_gpu(name: str) -> None:
    if any(word in name.lower() for word in SOFTWARE):
        raise ValueError(f"the GPU is {name}, a driver that computes on the CPU")


def _reading(line: str, source: str, number: int, settings: dict[str, int]) -> Reading:
    match = RESULT.fullmatch(line)
    columns = dict(COLUMN.findall(match["columns"])) if match else {}
    if match is None or not set(NEEDED) <= set(columns):
        raise ValueError(
            f"{line.strip()!r} is cut or of another version: expected 'name  min = ...  max = ...  avg = ...'"
        )
    values = {name: amount(columns[name], name) for name in (*NEEDED, *STD, "p90") if name in columns}
    low, high, mean = (values[name] for name in NEEDED)
    if not low <= mean <= high:
        raise ValueError(f"avg {mean} is not between min {low} and max {high}")
    device = settings.get("gpu_device")
    return Reading(
        file_key(match["name"]),
        mean,
        source,
        number,
        n=settings.get("loop_count"),
        std=next((values[name] for name in STD if name in values), None),
        p90=values.get("p90"),
        cpu=None if device is None else device < 0,
    )
