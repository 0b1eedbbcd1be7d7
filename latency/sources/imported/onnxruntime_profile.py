"""Profiles of ONNX Runtime (``enable_profiling``): one JSON file per block, named by its key.

Every run is an event ``model_run`` of the category ``Session``, in microseconds; the first one warms up and
is left out where there are more. The provider of every kernel says what executed the block: a block that
several providers share is refused.

Checked against profiles that onnxruntime 1.32 writes, whose names end in a date.
"""

from __future__ import annotations

from typing import Any

from dnas.support.documents import load_json
from latency.sources.imported.names import file_key
from latency.sources.imported.reading import MS_PER_UNIT, ImportResult, Reading, Unread, mean_and_std

UNIT: str | None = "us"
WHOLE_INFERENCES = True
KIND = "measured"
STATISTIC = "mean of the runs in the profile of ONNX Runtime, the first left out"
ON_CPU = {"CPUExecutionProvider", "XnnpackExecutionProvider", "DnnlExecutionProvider"}


def read(text: str, source: str, unit: str | None) -> ImportResult:
    """One reading, or the reason why there is none."""
    try:
        events = _events(text)
        durations = [_duration(event) for event in events if event.get("name") == "model_run"]
        if not durations:
            raise ValueError("no event 'model_run': the model was loaded, but not run")
        providers = _providers(events)
        mean_us, std_us = mean_and_std(durations[1:] or durations)
    except ValueError as error:
        return ImportResult(unread=(Unread(source, 0, str(error)),))
    scale = MS_PER_UNIT["us"]
    reading = Reading(
        file_key(source),
        mean_us * scale,
        source,
        0,
        n=len(durations[1:] or durations),
        std=None if std_us is None else std_us * scale,
        cpu=set(providers) <= ON_CPU if providers else None,
    )
    return ImportResult(
        (reading,), (), (("runtime", "ONNX Runtime"), *(("backend", name) for name in providers))
    )


def _events(text: str) -> list[dict[str, Any]]:
    if "Average inference time cost:" in text:
        raise ValueError("the output of onnxruntime_perf_test, give the profile that its option -p writes")
    try:
        data = load_json(text)
    except ValueError as error:
        raise ValueError(f"no JSON, or cut short (end_profiling() closes it): {error}") from None
    if not isinstance(data, list) or not all(isinstance(event, dict) for event in data):
        raise ValueError("expected a list of events: no profile of ONNX Runtime")
    return data


def _duration(event: dict[str, Any]) -> float:
    duration = event.get("dur")
    if not isinstance(duration, int | float) or isinstance(duration, bool) or not 0 <= duration < 1e12:
        raise ValueError(f"model_run has the duration {duration!r}, expected microseconds")
    return float(duration)


def _providers(events: list[dict[str, Any]]) -> list[str]:
    arguments = [event["args"] for event in events if isinstance(event.get("args"), dict)]
    found = sorted({str(each["provider"]) for each in arguments if each.get("provider")})
    if len(found) > 1 and not set(found) <= ON_CPU:
        raise ValueError(f"executed by {' and '.join(found)}: give a block that one of them takes completely")
    return found
