"""Results of LiteRT's ``litert-benchmark --result_json``: one JSON file per block, milliseconds.

``latency`` holds ``avg_ms``, ``std_ms`` (two decimals each) and ``num_runs``; ``accelerators`` and
``fully_accelerated`` say what executed the model.

Checked against ``litert/python/tools/benchmark_litert_model.py`` of google-ai-edge/LiteRT.
"""

from __future__ import annotations

from typing import Any

from dnas.support.documents import load_json
from latency.sources.imported.delegates import accelerated
from latency.sources.imported.keys import first_key
from latency.sources.imported.names import file_key
from latency.sources.imported.reading import ImportResult, Reading, Unread, amount, runs

UNIT: str | None = "ms"
WHOLE_INFERENCES = True
KIND = "measured"
STATISTIC = "mean of the runs of litert-benchmark"


def read(text: str, source: str, unit: str | None) -> ImportResult:
    """One reading, or the reason why there is none."""
    try:
        data: Any = load_json(text)
    except ValueError as error:
        return ImportResult(unread=(Unread(source, 0, f"no JSON: {error}"),))
    latency = data.get("latency") if isinstance(data, dict) else None
    if not isinstance(latency, dict) or "avg_ms" not in latency:
        reason = "expected {latency: {avg_ms: ...}, ...}: no result of litert-benchmark"
        return ImportResult(unread=(Unread(source, 0, reason),))
    try:
        names = data.get("accelerators")
        if not isinstance(names, list):
            raise ValueError("'accelerators' is missing: the result does not say what executed the model")
        reading = Reading(
            first_key(file_key(source), file_key(str(data.get("model") or ""))),
            amount(str(latency["avg_ms"]), "avg_ms"),
            source,
            0,
            n=runs(str(latency["num_runs"])) if "num_runs" in latency else None,
            std=amount(str(latency["std_ms"]), "std_ms") if "std_ms" in latency else None,
            cpu=accelerated([str(name) for name in names], data.get("fully_accelerated") is True),
        )
    except ValueError as error:
        return ImportResult(unread=(Unread(source, 0, str(error)),))
    return ImportResult((reading,), (), (("runtime", "LiteRT"),))
