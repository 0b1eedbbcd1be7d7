"""The conversation with a phone, held with programs that stand in for adb and litert-torch."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dnas.space import SearchSpace
from latency.sources.measured.backends import open_backend
from latency.sources.measured.backends.base import Effort, Options
from latency.table import load_table
from latency.table.errors import TableError


def test_a_visit_is_one_run_of_the_tool(phone: Path, binary: Path, tmp_path: Path) -> None:
    backend = open_backend(
        "tflite-adb", Options(tmp_path / "w", benchmark_model=binary, benchmark_flags=("--x=1",))
    )
    model = backend.prepare("empty", backend.empty, (1, 3, 8, 8))
    times = backend.visit(model, Effort(4, 25, 20.0))
    assert times.ms == (1.0,) and times.runs == 25
    assert backend.time(model, 6) == [1.0]
    folder = "/data/local/tmp/dnas_latency"
    calls = (phone / "calls").read_text().splitlines()
    assert f"-s R58M push {binary} {folder}/benchmark_model" in calls
    assert f"-s R58M shell chmod +x {folder}/benchmark_model 2>&1" in calls
    flags = "--use_gpu=true --gpu_precision_loss_allowed=true --x=1 2>&1"
    graph = f"--graph={folder}/empty.tflite"
    assert (
        calls[-2] == f"-s R58M shell {folder}/benchmark_model {graph} --num_runs=25 --warmup_runs=4 {flags}"
    )
    assert [path.name for path in sorted((tmp_path / "w" / "logs").iterdir())] == [
        "empty.0.log",
        "empty.1.log",
    ]


def test_models_are_converted_and_pushed_once(phone: Path, binary: Path, tmp_path: Path) -> None:
    backend = open_backend("tflite-adb", Options(tmp_path / "w", benchmark_model=binary))
    for _ in range(2):
        backend.prepare("empty", backend.empty, (1, 3, 8, 8))
    assert (phone / "calls").read_text().count(" push ") == 2
    assert [path.name for path in (tmp_path / "w" / "models").iterdir()] == ["empty.tflite"]


def test_the_phone_says_what_it_is(phone: Path, binary: Path, tmp_path: Path) -> None:
    facts = open_backend("tflite-adb", Options(tmp_path / "w", benchmark_model=binary)).facts()
    assert (facts["device"], facts["gpu"]) == ("Acme Phone 3", "Adreno (TM) 640")
    assert facts["driver"] == "OpenGL ES 3.2 V@0502.0" and facts["soc"] == "unknown"


def test_everything_missing_is_named_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "litert_torch", None)
    with pytest.raises(TableError) as caught:
        open_backend("tflite-adb", Options(tmp_path / "w", benchmark_model=tmp_path / "absent"))
    for text in ("platform-tools", "--benchmark-model FILE", "absent", "pip install 'dnas[litert]'"):
        assert text in str(caught.value)


@pytest.mark.parametrize(
    ("devices", "serial", "message"),
    [
        ("", None, "USB debugging allowed; 'adb devices' lists none"),
        ("R58M\tunauthorized", None, "USB debugging allowed; 'adb devices' lists R58M unauthorized"),
        ("R58M\tdevice\nQ1\tdevice", None, "one of several phones: give --serial"),
        ("R58M\tdevice", "Q1", "a ready phone Q1: 'adb devices' lists R58M device"),
    ],
)
def test_phones_that_cannot_be_used(
    phone: Path, binary: Path, tmp_path: Path, devices: str, serial: str | None, message: str
) -> None:
    (phone / "devices").write_text(devices + "\n")
    with pytest.raises(TableError, match=message):
        open_backend("tflite-adb", Options(tmp_path / "w", serial=serial, benchmark_model=binary))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("completely executed", "partially executed", "only partially executed"),
        ("INFO: Explicitly applied GPU", "INFO: Explicitly applied XNNPACK", "it ran on the CPU"),
        ("Inference timings", "Killed", r"empty\.0\.log: .*cut short"),
    ],
)
def test_logs_that_are_refused(
    phone: Path, binary: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    (phone / "log").write_text((phone / "log").read_text().replace(old, new))
    backend = open_backend("tflite-adb", Options(tmp_path / "w", benchmark_model=binary))
    with pytest.raises(TableError, match=message):
        backend.time(backend.prepare("empty", backend.empty, (1, 3, 8, 8)), 5)


def test_a_failing_phone_is_one_message(phone: Path, binary: Path, tmp_path: Path) -> None:
    backend = open_backend("tflite-adb", Options(tmp_path / "w", benchmark_model=binary))
    with pytest.raises(
        TableError, match=r"(?s)'adb -s R58M shell .*absent.*' ended with code 1.*No such file"
    ):
        backend.time("absent.tflite", 5)


def test_a_whole_table(
    phone: Path, binary: Path, run_measure: Callable[..., int], tmp_path: Path, tiny: SearchSpace
) -> None:
    """On this phone a graph takes as long as it has weights, so the parts sum to the network exactly."""
    options = ("--backend", "tflite-adb", "--benchmark-model", str(binary), "--networks", "3")
    assert run_measure(*options) == 0
    table = load_table(tmp_path / "table.csv", tiny)
    assert table.provenance["gpu"] == "Adreno (TM) 640" and table.provenance["precision"] == "fp16"
    assert table.provenance["error"]["network_max"] == 0.0 and table.overhead_ms == 1.0
    block = sum(weights.numel() for weights in _block(tiny).parameters())
    assert table.ms[0, 0] == pytest.approx(block / 1000, abs=1e-6)


def _block(space: SearchSpace):  # type: ignore[no-untyped-def]
    from latency.sources.measured import graphs

    return graphs.block(space.layers[0], space.layers[0].choices[0])
