"""Output of benchncnn."""

from __future__ import annotations

import pytest

from latency.sources.imported.benchncnn import read

TEXT = """loop_count = 8
num_threads = 2
powersave = 0
gpu_device = {device}
cooling_down = 0
            L1_small  min =    1.20  max =    1.50  avg =    1.30
models/L1_large.param  min =   10.00  max =   10.02  avg =   10.01
"""


@pytest.mark.parametrize(("device", "cpu"), [(0, False), (-1, True)])
def test_names_milliseconds_and_device(device: int, cpu: bool) -> None:
    result = read(TEXT.format(device=device), "out.txt", None)
    assert [
        (reading.key, reading.ms, reading.n, reading.cpu, reading.line) for reading in result.readings
    ] == [
        ("L1_small", 1.3, 8, cpu, 6),
        ("L1_large", 10.01, 8, cpu, 7),
    ]
    assert result.unread == ()


def test_a_gpu_that_is_none() -> None:
    """Vulkan without a GPU, in containers and virtual machines, is a driver that computes on the CPU."""
    devices = (
        "[0 Maker (R) 9]  queueC=1[1]  queueT=2[1]\n[1 llvmpipe (LLVM 1.2, 8 bits)]  subgroup=8(8~8)  x=0\n"
    )
    assert len(read(devices + TEXT.format(device=0), "x", None).readings) == 2
    assert len(read(devices + TEXT.format(device=-1), "x", None).readings) == 2
    result = read(devices + TEXT.format(device=1), "x", None)
    assert result.readings == ()
    assert "x:8: the GPU is llvmpipe (LLVM 1.2, 8 bits), a driver that computes" in str(result.unread[0])


def test_an_old_version_does_not_tell_the_device() -> None:
    (reading,) = read("L1_small  min = 1.20  max = 1.50  avg = 1.30", "x", None).readings
    assert (reading.n, reading.cpu, reading.std) == (None, None, None)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("L1_small  min = 1.20  max = 1.50  avg =", "is cut or of another version"),
        ("L1_small  min = 1.20  max =", "is cut"),
        ("L1_small  min = 1.20  max = 1.50  avg = nan", "nan is not a finite number"),
        ("L1_small  min = 1.20  max = 1.50  avg = 1.60", "avg 1.6 is not between min 1.2 and max 1.5"),
        ("fopen L1_small.param failed", "no output of benchncnn"),
    ],
)
def test_what_is_refused(line: str, message: str) -> None:
    result = read(line, "x", None)
    assert result.readings == ()
    assert message in str(result.unread[0])


def test_further_columns() -> None:
    """A value with a unit of its own is refused."""
    line = "L1_small  min = 1.20  max = 1.50  median = 1.29  avg = 1.30  std = 0.05  p90 = 1.40"
    (reading,) = read(f"loop_count = 8\n{line}", "x", None).readings
    assert (reading.ms, reading.n, reading.std, reading.p90) == (1.3, 8, 0.05, 1.4)
    result = read(line.replace("avg = 1.30", "avg = 75.64/s"), "x", None)
    assert "'75.64/s' is not a number" in str(result.unread[0])


def test_two_runs_in_one_file() -> None:
    """The settings of a run hold until the next says otherwise."""
    result = read(TEXT.format(device=-1) + TEXT.format(device=0), "out.txt", None)
    assert [(each.key, each.cpu) for each in result.readings] == [
        ("L1_small", True),
        ("L1_large", True),
        ("L1_small", False),
        ("L1_large", False),
    ]
