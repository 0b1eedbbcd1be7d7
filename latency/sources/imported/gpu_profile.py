"""Per-kernel profiles of TFLite's GPU delegate (``performance_profiling``): one file per block, named by
its key.

The report begins with ``Per kernel timing(45 kernels):``; a kernel is ``label - 0.133391 ms, ...``
(TensorFlow) or ``label; 0.133391 ms; ...`` (ML Drift), and ``Ideal total time`` is their sum in
milliseconds. The time of a block is that sum: launches and gaps between the kernels are not in it, so a
table of sums is called assembled.

Checked against ``tensorflow/lite/delegates/gpu/common/task/profiling_info.cc`` of tensorflow/tensorflow and
``ml_drift/common/task/profiling_info.cc`` of google-ai-edge/ml-drift.
"""

from __future__ import annotations

import re

from latency.sources.imported.names import file_key
from latency.sources.imported.reading import ImportResult, Reading, Unread, amount

UNIT: str | None = "ms"
WHOLE_INFERENCES = False
KIND = "assembled"
STATISTIC = "sum of the kernel times that the GPU delegate's profiler reports"

BEGIN = re.compile(r"Per kernel timing\((?P<count>\d+) kernels\):")
KERNEL = re.compile(r"\s*(?P<label>\S.*?)(?: - |; )(?P<ms>\S+?) ?ms(?:[;,].*)?\s*")
TOTAL = re.compile(r"Ideal total time: (?P<ms>[^\s]+?)(?:ms)?\s*$")
# std::to_string prints six decimals, so every kernel and the total are off by at most half of the last one.
ROUNDING_MS = 0.5e-6


def read(text: str, source: str, unit: str | None) -> ImportResult:
    """One reading with its kernels, or the reasons why there is none."""
    lines = text.splitlines()
    begins = [index for index, line in enumerate(lines) if BEGIN.search(line)]
    if len(begins) != 1:
        reason = f"{len(begins)} reports 'Per kernel timing(... kernels):' in the file, expected one"
        return ImportResult(unread=(Unread(source, 0, reason),))
    kernels, unread = _kernels(lines, begins[0] + 1, source)
    try:
        if not unread:
            _check(lines, begins[0], kernels)
    except ValueError as error:
        unread.append(Unread(source, begins[0] + 1, str(error)))
    if unread:
        return ImportResult(unread=tuple(unread))
    total = sum(ms for _, ms in kernels)
    return ImportResult(
        (Reading(file_key(source), total, source, begins[0] + 1, cpu=False, kernels=tuple(kernels)),)
    )


def _kernels(lines: list[str], start: int, source: str) -> tuple[list[tuple[str, float]], list[Unread]]:
    """The kernels up to the rule that ends them."""
    kernels, unread = [], []
    for number, line in enumerate(lines[start:], start=start + 1):
        if line.strip().startswith("---"):
            break
        match = KERNEL.fullmatch(line)
        try:
            if match is None:
                raise ValueError(
                    f"{line.strip()!r} is no kernel: expected 'label - 1.04 ms' or 'label; 1.04 ms; ...'"
                )
            kernels.append((match["label"], amount(match["ms"])))
        except ValueError as error:
            unread.append(Unread(source, number, str(error)))
    return kernels, unread


def _check(lines: list[str], begin: int, kernels: list[tuple[str, float]]) -> None:
    match = BEGIN.search(lines[begin])
    promised = int(match["count"]) if match else 0
    if promised != len(kernels):
        raise ValueError(f"{promised} kernels promised, {len(kernels)} found: the file was cut or edited")
    totals = [found["ms"] for line in lines[begin:] if (found := TOTAL.search(line))]
    if not totals:
        raise ValueError("'Ideal total time' is missing: the file was cut short")
    total, stated = sum(ms for _, ms in kernels), amount(totals[0], "Ideal total time")
    if abs(total - stated) > ROUNDING_MS * (len(kernels) + 1) * 1.01:
        raise ValueError(f"the kernels take {total:.6f} ms, 'Ideal total time' says {stated:.6f}: edited")
