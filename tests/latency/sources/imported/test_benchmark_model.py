"""Logs of benchmark_model: what is read of them, and which are refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from latency.sources.imported.benchmark_model import read
from latency.sources.imported.delegates import ran_on_cpu
from latency.sources.imported.imported_table import standard_error_ms

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
    assert reading.std == 0
    assert standard_error_ms(reading) is None


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
        ("\nINFO: Inference timings", "is missing: the log was cut"),
        ("INFO: count=100", "is missing: the log was cut"),
        ("INFO: count=3", "no line of statistics"),
    ],
)
def test_a_log_that_was_cut(log: Log, cut: str, message: str) -> None:
    assert message in reason(log(100)[: log(100).index(cut)])


def test_the_warm_up_is_never_taken_for_the_runs(log: Log) -> None:
    text = "\n".join(line for line in log(100).splitlines() if "count=100" not in line)
    assert "says 3600 us, the summary 100 us" in reason(text)


def test_two_runs_in_one_log(log: Log) -> None:
    text = reason(log(100) + log(200))
    assert text == "2 runs in one log (100 us in line 11, 200 us in line 24): keep the one meant"
    once = (log(100) + log(200)).replace("STARTING!", "").replace("Graph: [", "Model: [")
    assert "2 runs in one log (100 us in line 13, 200 us in line 26)" in reason(once)


@pytest.mark.parametrize("value", ["nan", "inf", "-5", "fast"])
def test_impossible_values(log: Log, value: str) -> None:
    assert "avg" in reason(log(100).replace("avg=100", f"avg={value}"))


PROFILE = """
Operator-wise Profiling Info for Regular Benchmark Runs:
============================== Run Order ==============================
TfLiteGpuDelegateV2 119.1 119.2 100.000% 100.000% 0.000 1 [out]:0
Timings (microseconds): count=50 first=119100 curr=117900 min=113600 max=124600 avg={us} std=19
Memory (bytes): count=0
1 nodes observed
"""


@pytest.mark.parametrize("before", [True, False])
def test_the_statistics_of_the_profiler_are_not_those_of_the_runs(log: Log, before: bool) -> None:
    """Even where they are as close as the tolerance; before the summary, as in TF 1.x, or after it."""
    profile, text = PROFILE.format(us=1234.4), log(1234.5, std=20, count=100)
    at = text.index("INFO: Inference timings") if before else len(text)
    (reading,) = read(text[:at] + profile + text[at:], "x.log", None).readings
    assert (reading.ms, reading.n, reading.std) == (1.2345, 100, 0.02)


def test_with_and_without_statistics(log: Log) -> None:
    """TF 1.x timed the model twice when it profiled operators."""
    text = log(2177.1).replace(
        log(2177.1).splitlines()[-1],
        "count=100 first=9 curr=9 min=9 max=9900 avg=2300.5 std=7\n"
        "Average inference timings in us: Warmup: 3600, Init: 896, with stats: 2300.5, no stats: 2177.1",
    )
    (reading,) = read(text, "x.log", None).readings
    assert (reading.ms, reading.std) == (pytest.approx(2.1771), pytest.approx(0.02))


RESULTS = """INFO: [litert/accelerators.cc:120] GPU accelerator registered.
INFO: Created TensorFlow Lite delegate for GPU.
VERBOSE: Replacing 12 out of 12 node(s) with delegate (LITERT_CL) node, yielding 1 partitions for subgraph 0.
INFO: count=67 first=740 curr=743 min=741 max=751 avg=744.1 std=12 p5=741 median=743 p95=746

INFO: count=134 first=743 curr=743 min=740 max=749 avg=743.04 std=14 p5=741 median=743 p95=745

INFO: [./litert/tools/benchmark_litert_model.h:81]
========== BENCHMARK RESULTS ==========
INFO: [./litert/tools/benchmark_litert_model.h:82] Model initialization: 237.73 ms
INFO: [./litert/tools/benchmark_litert_model.h:86] Warmup (avg):         0.74 ms (67 runs)
INFO: [./litert/tools/benchmark_litert_model.h:88] Inference (avg):      0.74 ms (134 runs)
INFO: [./litert/tools/benchmark_litert_model.h:96] Inference (std):      0.01
"""


def test_litert_2() -> None:
    """Warm-up and runs both round to the summary's two decimals; only the number of runs differs."""
    for text in (RESULTS, RESULTS.replace("(134 runs)", "(67 runs)").replace("count=67", "count=9")):
        (reading,) = read(text, "x.log", None).readings
        assert (reading.ms, reading.n, reading.cpu) == (pytest.approx(0.74304), 134, False)
    (reading,) = read(RESULTS.replace("(134 runs)", "(67 runs)"), "x.log", None).readings
    assert (reading.ms, reading.n, reading.std) == (pytest.approx(0.7441), 67, pytest.approx(0.012))
    assert "the summary 840 us: cut or edited" in reason(RESULTS.replace("0.74 ms (134", "0.84 ms (134"))
    assert "took 11 of 12 nodes" in reason(RESULTS.replace("Replacing 12", "Replacing 11"))


@pytest.mark.parametrize(("accelerators", "fully", "cpu"), [("GPU | CPU", True, False), ("CPU", False, True)])
def test_litert_benchmark_in_python(accelerators: str, fully: bool, cpu: bool) -> None:
    text = (
        f"Accelerators:    {accelerators}\n BENCHMARK RESULTS\nInference (avg):       85.23 ms (50 runs)\n"
        f"Inference (std):       3.21 ms\nFully accelerated:     {fully}\n"
    )
    (reading,) = read(text, "x.log", None).readings
    assert (reading.ms, reading.n, reading.std, reading.cpu) == (85.23, 50, pytest.approx(3.21), cpu)
    texts = [f"Model:           out/{name}.tflite\n{text}" for name in ("L1_small", "L1_large")]
    assert [each.key for each in read("".join(texts), "all.log", None).readings] == ["L1_small", "L1_large"]
    if not cpu:
        assert "not fully executed by GPU" in reason(text.replace("True", "False"))


def test_the_model_that_a_run_of_litert_2_loads() -> None:
    """Its only name: no line 'Graph: [...]'."""
    runs = [
        f"INFO: STARTING!\nINFO: [litert/benchmark.cc:20] Loading model from: out/{name}.tflite\n{RESULTS}"
        for name in ("L1_small", "L1_large")
    ]
    assert read(runs[0], "monday.log", None).readings[0].key == "L1_small"
    for text in ("".join(runs), "".join(runs).replace("STARTING!", ""), "".join(["./run --x=4", *runs])):
        assert [each.key for each in read(text, "all.log", None).readings] == ["L1_small", "L1_large"]
    assert "2 runs in one log" in reason(runs[0] * 2)


def test_a_command_line_that_the_first_line_follows(log: Log) -> None:
    texts = [log(us).replace("block", name) for us, name in ((100, "L1_small"), (200, "L1_large"))]
    text = "./benchmark_model --num_threads=4" + texts[0].replace("INFO: STARTING!", "STARTING!") + texts[1]
    assert [each.key for each in read(text, "all.log", None).readings] == ["L1_small", "L1_large"]


@pytest.mark.parametrize("last", ["Failed to apply GPU delegate", "Benchmarking failed"])
def test_a_run_that_failed(log: Log, last: str) -> None:
    """It did not run on the CPU."""
    text = log(100, delegated=f"ERROR: {last}.").replace(REPLACED, "")
    failed = text[: text.index("INFO: Running")]
    assert reason(failed) == f"the run failed ('{last}'), so there is no latency in it"
    found = read(failed + log(200).replace("block", "L1_small"), "all.log", None)
    assert ([each.key for each in found.readings], found.unread[0].line) == (["L1_small"], 1)


def test_the_summary_of_runs_with_several_options() -> None:
    text = (
        "INFO: Graph: [L1_small.tflite]\n"
        "INFO: ====Summary of All Runs w/ Different Performance Options====\n"
        "INFO:  cpu w/ 2 threads: count=50 first=900 curr=800 min=700 max=950 avg=800 std=20\n"
        "INFO:  gpu-default: count=50 first=500 curr=400 min=300 max=500 avg=400 std=20\n"
    )
    assert "runs with several options in one log" in reason(text)


@pytest.mark.parametrize(
    ("options", "cpu"),
    [("backends:CpuAcc", True), ("x:1;backends:CpuAcc,CpuRef;y:2", True), ("backends:GpuAcc", False)],
)
def test_the_processor_of_arm_nn(log: Log, options: str, cpu: bool) -> None:
    """Its delegate is an external one, whether it uses the CPU or the GPU."""
    text = log(
        100, delegated=OLD.replace("GPU", "EXTERNAL"), asked=f"External delegate options: [{options}]"
    ).replace(CREATED, "")
    text = text.replace(REPLACED, REPLACED.replace("GpuDelegateV2", "ArmNnDelegate"))
    assert read(text, "x.log", None).readings[0].cpu is cpu


def test_arm_nn_with_both_processors(log: Log) -> None:
    text = log(100, asked="External delegate options: [backends:GpuAcc,CpuAcc]")
    assert "Arm NN had the backends GpuAcc and CpuAcc, the log does not say" in reason(text)


def test_a_delegate_of_tf_1_14(log: Log) -> None:
    """The log does not say how much of the graph it took, unless all of it was required."""
    text = log(100, delegated="Applied GPU delegate.").replace(REPLACED, "")
    assert "does not say whether to the whole graph" in reason(text)
    assert ran_on_cpu(f"Require full delegation : [1]\n{text}") is False
    assert "no delegate executed the graph" in reason(text.replace("Applied GPU", "Applied XNNPACK"))


@pytest.mark.parametrize("api", ["OpenCL", "OpenGL"])
def test_the_interface_that_the_gpu_delegate_used(log: Log, api: str) -> None:
    """It falls back from one to the other without a word in the header."""
    gpu = log(100) + f"INFO: Initialized {api}-based API.\n"
    assert read(gpu, "x.log", None).facts == (("backend", api),)
    cpu = log(300, delegated="", asked="Use gpu: [0]").replace(CREATED, "").replace(REPLACED, "")
    assert read(gpu + cpu, "x.log", None).facts == (("backend", api), ("backend", "CPU"))
    assert read("nothing", "x.log", None).facts == ()


def test_the_cpu_of_litert() -> None:
    text = RESULTS.replace("LITERT_CL", "TfLiteXNNPackDelegate").replace(
        "delegate for GPU", "XNNPACK delegate for CPU"
    )
    (reading,) = read(text, "x.log", None).readings
    assert reading.cpu is True


def test_the_runs_of_several_models_in_one_log(log: Log) -> None:
    text = log(100).replace("block.tflite", "out/L1_small.tflite")
    text += log(200).replace("block.tflite", "out/L1_large_float16.tflite")
    found = read(text, "all.log", None).readings
    assert [(each.key, each.ms, each.line) for each in found] == [
        ("L1_small", 0.1, 11),
        ("L1_large_float16", 0.2, 24),
    ]
    assert read(text.replace("STARTING!", ""), "all.log", None).readings[1].key == "L1_large_float16"
    cut = read(text[: -len("Inference (avg): 200\n")], "all.log", None)
    assert [each.key for each in cut.readings] == ["L1_small"]
    assert "all.log:14: the summary" in str(cut.unread[0])


def test_cpu_and_accelerator_in_one_log(log: Log) -> None:
    cpu = log(300, delegated="", asked="Use gpu: [0]").replace(CREATED, "").replace(REPLACED, "")
    found = read(log(100) + cpu, "L1_small.log", None).readings
    assert [(each.key, each.ms, each.cpu) for each in found] == [
        ("L1_small", 0.1, False),
        ("L1_small", 0.3, True),
    ]


def test_the_graph_names_a_log_whose_name_says_nothing(log: Log) -> None:
    text = log(100).replace("block.tflite", "L1_small.tflite")
    assert read(text, "2026-11-29.log", None).readings[0].key == "L1_small"
    assert read(text, "L2_large.log", None).readings[0].key == "L2_large"
