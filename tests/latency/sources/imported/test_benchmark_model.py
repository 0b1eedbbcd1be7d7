"""Logs of benchmark_model: what is read of them, and which are refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from latency.sources.imported.benchmark_model import ran_on_cpu, read

Log = Callable[..., str]
PARTLY = (
    "Explicitly applied GPU delegate, and the model graph will be partially executed by the delegate w/ 2."
)
XNNPACK = PARTLY.replace("GPU", "XNNPACK")
NOT = "Though NNAPI delegate is explicitly applied, the model graph will not be executed by the delegate."
OLD = "Applied GPU delegate, and the model graph will be completely executed w/ the delegate."
CREATED = "INFO: Created TensorFlow Lite delegate for GPU.\n"
REPLACED = (
    "VERBOSE: Replacing 7 out of 7 node(s) with delegate (TfLiteGpuDelegateV2) node, yielding 1 partitions.\n"
)


def reason(text: str) -> str:
    result = read(text, "L1_small.log", None)
    assert result.readings == ()
    (unread,) = result.unread
    assert unread.source == "L1_small.log"
    return unread.reason


def test_the_last_statistics_count_in_milliseconds(log: Log) -> None:
    (reading,) = read(log(1234.5, std=20, count=100), "logs/L1_small.log", None).readings
    assert (reading.key, reading.ms, reading.n, reading.std) == ("L1_small", 1.2345, 100, 0.02)
    assert reading.cpu is False
    assert reading.line == 11


def test_android_log_prefixes(log: Log) -> None:
    text = "\n".join(f"05-31 10:31:13.006 21767 21767 I tflite  : {line}" for line in log(80.5).splitlines())
    (reading,) = read(text, "stem.log", None).readings
    assert (reading.key, reading.ms) == ("stem", 0.0805)


def test_equal_runs_are_abbreviated_and_their_deviation_is_unknown(log: Log) -> None:
    text = log(120).replace(
        "count=100 first=99 curr=98 min=90 max=130 avg=120 std=20", "count=5 curr=120(all same)"
    )
    (reading,) = read(text, "x.log", None).readings
    assert (reading.ms, reading.n, reading.std) == (0.12, 5, None)


def test_a_deviation_of_0_whole_microseconds_is_unknown(log: Log) -> None:
    (reading,) = read(log(120, std=0), "x.log", None).readings
    assert reading.std is None


@pytest.mark.parametrize("summary", ["no stats: 2177.1", "Inference: 2177.1"])
def test_older_summaries(log: Log, summary: str) -> None:
    text = log(2177.1).replace(
        log(2177.1).splitlines()[-1],
        f"Average inference timings in us: Warmup: 3600, Init: 896, {summary}",
    )
    (reading,) = read(text, "x.log", None).readings
    assert reading.ms == pytest.approx(2.1771)


@pytest.mark.parametrize("delegated", [OLD, "", f"INFO: {NOT}"])
def test_complete_delegation(log: Log, delegated: str) -> None:
    """Another accelerator may have found nothing left to do."""
    assert ran_on_cpu(log(100, delegated=delegated)) is False


def test_partial_delegation_is_refused(log: Log) -> None:
    assert "only partially executed by the GPU delegate" in reason(log(100, delegated=PARTLY))
    text = log(100).replace("Replacing 7 out of 7", "Replacing 6 out of 7")
    assert "TfLiteGpuDelegateV2 took 6 of 7 nodes" in reason(text)


def test_a_delegate_that_was_created_was_asked_for(log: Log) -> None:
    text = log(100, delegated="", asked="x").replace(REPLACED, "")
    assert "GPU was asked for, but no delegate executed the graph" in reason(text)


def test_a_silent_fall_back_to_the_cpu_is_refused(log: Log) -> None:
    for delegated, asked in (
        ("", "Use gpu: [1]"),
        (XNNPACK, "Use gpu: [1]"),
        (NOT, "Use NNAPI: [1]"),
        (NOT, "x"),
    ):
        text = log(100, delegated=delegated, asked=asked).replace(CREATED, "").replace(REPLACED, "")
        assert "was asked for, but no delegate executed the graph" in reason(text)


@pytest.mark.parametrize("asked", ["Use xnnpack: [0]", "Use gpu: [0]", "Num threads: [4]"])
def test_a_run_for_the_cpu(log: Log, asked: str) -> None:
    text = log(100, delegated="", asked=asked).replace(CREATED, "").replace(REPLACED, "")
    (reading,) = read(text, "x.log", None).readings
    assert reading.cpu is True
    assert ran_on_cpu(text + XNNPACK) is True


def test_bare_statistics_do_not_say_what_ran(log: Log) -> None:
    text = "\n".join(line for line in log(100).splitlines() if "count=" in line or "timings" in line)
    assert "does not say what executed the graph" in reason(text)


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        ("\nINFO: Inference timings", "summary 'Inference timings in us' is missing"),
        ("INFO: count=100", "summary 'Inference timings in us' is missing"),
        ("INFO: count=3", "no line of statistics"),
    ],
)
def test_a_log_that_was_cut(log: Log, cut: str, message: str) -> None:
    assert message in reason(log(100)[: log(100).index(cut)])


def test_the_warm_up_is_never_taken_for_the_runs(log: Log) -> None:
    text = "\n".join(line for line in log(100).splitlines() if "count=100" not in line)
    assert "says 3600 us, the summary 100 us" in reason(text)


def test_two_runs_in_one_log(log: Log) -> None:
    assert "2 runs in one log" in reason(log(100) + log(200))


@pytest.mark.parametrize("value", ["nan", "inf", "-5", "fast"])
def test_impossible_values(log: Log, value: str) -> None:
    assert "avg" in reason(log(100).replace("avg=100", f"avg={value}"))
