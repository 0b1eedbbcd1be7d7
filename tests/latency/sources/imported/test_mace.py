"""Logs of mace_run, without the prefix of every line."""

from __future__ import annotations

import pytest

from latency.sources.imported.mace import read

RUN = """model name: {name}
mace version: v0.12.0
device: {device}
round: 100
restart_round: 1
1st warm up run latency: 210.866 ms
Run model
Average latency: {ms} ms
========================================================
     capability(CPU)        init      warmup     run_avg
========================================================
time          19.646     116.025     346.642 {ms:11.3f}
"""


def run(name: str = "L1_small", ms: float = 3.58266, device: str = "GPU") -> str:
    return RUN.format(name=name, ms=ms, device=device)


@pytest.mark.parametrize(("device", "cpu"), [("GPU", False), ("CPU", True), ("HEXAGON", False)])
def test_the_mean_its_runs_and_processor(device: str, cpu: bool) -> None:
    result = read(run(device=device), "L2_large.log", None)
    (reading,) = result.readings
    assert (reading.key, reading.ms, reading.n, reading.cpu) == ("L2_large", 3.58266, 100, cpu)
    assert (reading.line, reading.std) == (8, None)
    assert result.facts == (("runtime", "MACE"), ("runtime_version", "v0.12.0"))


def test_models_after_each_other() -> None:
    result = read("Build done!\n" + run() + run("L1_large", 9.5), "all.log", None)
    assert [(each.key, each.ms, each.line) for each in result.readings] == [
        ("L1_small", 3.58266, 9),
        ("L1_large", 9.5, 21),
    ]


def test_the_table_alone() -> None:
    """It repeats the mean."""
    lines = [line for line in run().splitlines() if not line.startswith("Average latency")]
    (reading,) = read("\n".join(lines), "L1_small.log", None).readings
    assert (reading.ms, reading.n) == (3.583, 100)


def test_operators_are_no_runs() -> None:
    table = "| round | first(ms) | avg(ms) | std |\n| 100 | 0.390 | 0.617 | 28.307 |\n"
    (reading,) = read(run() + table, "L1_small.log", None).readings
    assert (reading.ms, reading.std) == (3.58266, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "Op add/Shape fall back to CPU\n".join(run().split("Run model\n")),
            "1 operator(s) fell back from GPU",
        ),
        (run().replace("3.583", "3.683"), "run_avg says 3.683: edited"),
        (run()[: run().index("Average")], "0 lines 'Average latency: ... ms' in a run"),
        (run() + run().replace("model name", "x"), "2 lines 'Average latency"),
        (run().replace("round: 100", "round: 0"), "n '0' is not a number of runs"),
        (run().replace("Average latency: 3.58266", "Average latency: nan"), "nan is not a finite"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    result = read(text, "x", None)
    assert result.readings == ()
    assert message in str(result.unread[0])


def test_the_cpu_falls_back_to_nothing() -> None:
    assert read("Op a fall back to CPU\n" + run(device="CPU"), "x", None).readings
