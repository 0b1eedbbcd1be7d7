"""A phone that is not there: programs that answer as adb, the phone and litert-torch would."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# Answers as adb does; the phone's files lie in PHONE. A .tflite of ours holds its milliseconds.
ADB = """\
#!{python}
import re, shutil, sys
from pathlib import Path

phone = Path({phone!r})
words = sys.argv[1:]
with open(phone / "calls", "a") as calls:
    print(*words, file=calls)
if words == ["devices"]:
    print("List of devices attached")
    print((phone / "devices").read_text())
    raise SystemExit
assert words[:2] == ["-s", "R58M"], words
if words[2] == "push":
    shutil.copy(words[3], phone / Path(words[4]).name)
    raise SystemExit
command = words[3]
graph = re.search(r"--graph=(\\S+)", command)
if graph:
    us = 1000 * float((phone / Path(graph[1]).name).read_text())
    runs = re.search(r"--num_runs=(\\d+)", command)[1]
    print((phone / "log").read_text().format(us=us, runs=runs))
properties = {{"manufacturer": "Acme", "model": "Phone 3"}}
name = command.split(".")[-1].split()[0]
if command.startswith("getprop ro.product"):
    print(properties[name])
if command.startswith("dumpsys"):
    print("GLES: Qualcomm, Adreno (TM) 640, OpenGL ES 3.2 V@0502.0")
"""
LOG = """\
INFO: Graph: [model.tflite]
INFO: Use gpu: [1]
INFO: Explicitly applied GPU delegate, and the model graph will be completely executed by the delegate.
INFO: count=5 first=9000 curr=9000 min=9000 max=9000 avg=9000 std=0
INFO: count={runs} first={us} curr={us} min={us} max={us} avg={us} std=0
INFO: Inference timings in us: Init: 1, First inference: 9, Warmup (avg): 9, Inference (avg): {us}
"""
# Writes what a module would take: its weights, in thousandths of a millisecond, and one millisecond.
LITERT = """\
from pathlib import Path


def to_channel_last_io(module, args, outputs):
    assert args == [0]
    module.nhwc_outputs = outputs
    return module


def convert(module, inputs):
    return Edge(module, inputs)


class Edge:
    def __init__(self, module, inputs):
        (images,) = inputs
        assert images.shape[1] == images.shape[2] and not module.training
        convolutions = {type(each).__name__ for each in module.modules() if hasattr(each, "kernel_size")}
        assert convolutions <= {"Conv2d"}, convolutions
        self.ms = 1 + sum(weights.numel() for weights in module.parameters()) / 1000

    def export(self, path):
        Path(path).write_text(str(self.ms))
"""


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the phone's files; its ``devices``, ``log`` and ``calls`` are the test's to use."""
    phone, programs = tmp_path / "phone", tmp_path / "programs"
    for folder in (phone, programs, programs / "litert_torch"):
        folder.mkdir()
    (phone / "devices").write_text("R58M\tdevice\n")
    (phone / "log").write_text(LOG)
    adb = programs / "adb"
    adb.write_text(ADB.format(python=sys.executable, phone=str(phone)))
    adb.chmod(0o755)
    (programs / "litert_torch" / "__init__.py").write_text(LITERT)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.syspath_prepend(str(programs))
    monkeypatch.delitem(sys.modules, "litert_torch", raising=False)
    return phone


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    path = tmp_path / "benchmark_model"
    path.write_bytes(b"ELF")
    return path
