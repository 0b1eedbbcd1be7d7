"""Output of MNN's benchmark."""

from __future__ import annotations

import pytest

from latency.sources.imported.mnn import read

TEXT = """MNN benchmark
Forward type: **{forward}** thread=4** precision=2** sparsity=0** sparseBlockOC=1
--------> Benchmarking... loop = 20, warmup = 5
[ - ] L1_small.mnn                max =    1.700 ms  min =    1.200 ms  avg =    1.300 ms
[ - ] L1_large.mnn                max =   12.000ms  min =   11.000ms  avg =   11.500ms
"""


@pytest.mark.parametrize(
    ("forward", "cpu"), [("CPU", True), ("OpenCL", False), ("Vulkan", False), ("N/A", None)]
)
def test_names_milliseconds_runs_and_processor(forward: str, cpu: bool | None) -> None:
    result = read(TEXT.format(forward=forward), "out.txt", None)
    assert [(each.key, each.ms, each.n, each.cpu, each.line) for each in result.readings] == [
        ("L1_small", 1.3, 20, cpu, 4),
        ("L1_large", 11.5, 20, cpu, 5),
    ]
    assert result.unread == ()
    assert ("runtime", "MNN") in result.facts


def test_runs_after_each_other() -> None:
    result = read(TEXT.format(forward="CPU") + TEXT.format(forward="OpenCL"), "out.txt", None)
    assert [(each.key, each.cpu) for each in result.readings[::2]] == [
        ("L1_small", True),
        ("L1_small", False),
    ]


def test_a_backend_that_the_build_lacks() -> None:
    """The tool says OpenCL all the same, and measures the CPU."""
    text = TEXT.format(forward="OpenCL").replace(
        "[ - ] L1_l", "Can't Find type=3 backend, use 0 instead\n[ - ] L1_l"
    )
    result = read(text, "x", None)
    assert [each.key for each in result.readings] == ["L1_small"]
    assert "x:6: the build lacks the backend of type 3 and used type 0" in str(result.unread[0])


def test_a_result_in_bold_face() -> None:
    """As an issue emphasises it."""
    text = "[ - ] L1_small.mnn    _**max =  1.7 ms  min =  1.2 ms  avg =  1.3 ms**_\n"
    assert [each.ms for each in read(text, "x", None).readings] == [1.3]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[ - ] L1_small.mnn  max = 1.7 ms  min = 1.2 ms  avg =", "is cut"),
        ("[ - ] L1_small.mnn  max = 1.7 us  min = 1.2 us  avg = 1.3 us", "is cut"),
        ("[ - ] L1_small.mnn  max = 1.7 ms  min = 1.2 ms  avg = 1.9 ms", "avg 1.9 is not between"),
        ("[ - ] L1_small.mnn  max = nan ms  min = 1.2 ms  avg = 1.9 ms", "nan is not a finite"),
        ("[ - ] L1_small.mnn  max = 1.7 msx  min = 1.2 msx  avg = 1.3 msx", "is cut"),
        ("open models failed: No such file", "no output of MNN"),
        ("conv [Convolution] run 5 average cost 1.5 ms\nAvg= 2.5 ms, OpSum = 2.1 ms", "time every operator"),
        ("Convolution 1.5 90.1 3.0\ntotal time : 2.5 ms, total mflops : 3.5", "time every operator"),
    ],
)
def test_what_is_refused(line: str, message: str) -> None:
    result = read(line, "x", None)
    assert result.readings == ()
    assert message in str(result.unread[0])
