"""Profiles of ONNX Runtime."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from latency.sources.imported.formats import read as read_file
from latency.sources.imported.onnxruntime_profile import read

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


def profile(*durations: float, providers: tuple[str, ...] = (CPU,)) -> str:
    events: list[dict[str, object]] = [
        {"cat": "Session", "dur": 9000, "name": "session_initialization", "args": {}}
    ]
    for provider in providers:
        events.append({"cat": "Node", "dur": 4, "name": "c_kernel_time", "args": {"provider": provider}})
    events += [{"cat": "Session", "dur": each, "name": "model_run", "args": {}} for each in durations]
    return json.dumps(events)


def test_the_first_run_warms_up() -> None:
    (reading,) = read(profile(900, 10, 12, 14), "L1_small.json", None).readings
    assert (reading.key, reading.n, reading.cpu) == ("L1_small", 3, True)
    assert (reading.ms, reading.std) == (pytest.approx(0.012), pytest.approx(0.002))


def test_a_single_run() -> None:
    (reading,) = read(profile(900), "x", None).readings
    assert (reading.ms, reading.n, reading.std) == (0.9, 1, None)


def test_providers() -> None:
    result = read(profile(1, 2, providers=(CUDA, CUDA)), "x", None)
    assert result.readings[0].cpu is False
    assert ("backend", CUDA) in result.facts
    assert read(profile(1, 2, providers=(CPU, "XnnpackExecutionProvider")), "x", None).readings[0].cpu is True
    assert read(profile(1, 2, providers=()), "x", None).readings[0].cpu is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (profile(1, providers=(CPU, CUDA)), f"executed by {CPU} and {CUDA}"),
        (profile(), "no event 'model_run'"),
        (profile(1)[:-1], "no JSON, or cut short"),
        ("Average inference time cost: 1.5 ms\nRuns:9", "the profile that its option -p writes"),
        ("{}", "expected a list of events"),
        ("[1]", "expected a list of events"),
        (profile(-1), "the duration -1"),
        (profile(float("nan")), "the duration nan"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    result = read(text, "x", None)
    assert result.readings == ()
    assert message in str(result.unread[0])


def test_a_profile_that_onnx_runtime_writes(tmp_path: Path) -> None:
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    shape = [1, 2, 4, 4]
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name in "xy"]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", ends[:1], ends[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.enable_profiling, options.profile_file_prefix = True, str(tmp_path / "L1_small")
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    images = __import__("numpy").zeros(shape, "float32")
    for _ in range(4):
        session.run(None, {"x": images})
    result = read_file("onnxruntime", session.end_profiling())
    assert result.unread == ()
    assert (result.readings[0].n, result.readings[0].cpu) == (3, True)
