"""Results of litert-benchmark."""

from __future__ import annotations

import json
from typing import Any

import pytest

from latency.sources.imported.litert_json import read


def result(accelerators: Any = ("GPU", "CPU"), fully: bool = True, **latency: Any) -> str:
    values = {
        "init_ms": 45.32,
        "warmup_avg_ms": 98.7,
        "avg_ms": 8.52,
        "std_ms": 0.31,
        "num_runs": 50,
        **latency,
    }
    data = {"model": "models/L1_small_float16.tflite", "fully_accelerated": fully, "latency": values}
    return json.dumps({**data, "accelerators": accelerators})


@pytest.mark.parametrize(
    ("accelerators", "fully", "cpu"),
    [(["GPU", "CPU"], True, False), (["CPU"], False, True), (["NPU"], True, False)],
)
def test_mean_deviation_runs_and_processor(accelerators: list[str], fully: bool, cpu: bool) -> None:
    (reading,) = read(result(accelerators, fully), "results.json", None).readings
    assert (reading.key, reading.ms, reading.std, reading.n) == ("L1_small_float16", 8.52, 0.31, 50)
    assert reading.cpu is cpu


def test_the_name_of_the_file_comes_first() -> None:
    assert read(result(), "out/L2_large.json", None).readings[0].key == "L2_large"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (result(fully=False), "not fully executed by GPU"),
        (result(None), "'accelerators' is missing"),
        (result(avg_ms="fast"), "'fast' is not a number"),
        (result(num_runs=0), "n '0' is not a number of runs"),
        ("{}", "no result of litert-benchmark"),
        ("[]", "no result of litert-benchmark"),
        (result()[:-1], "no JSON"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    found = read(text, "x", None)
    assert found.readings == ()
    assert message in str(found.unread[0])
