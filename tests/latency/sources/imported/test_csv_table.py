"""Plain CSV files."""

from __future__ import annotations

import time

import pytest

from latency.sources.imported.csv_table import read


def test_layer_and_choice_with_statistics() -> None:
    text = "# mine\nlayer,choice, Latency_us ,n,std,p90\n\nL1,small,1500,9,30,1600\nstem,,20,,,\n"
    small, stem = read(text, "x.csv", None).readings
    assert (small.key, small.ms, small.n, small.std, small.p90, small.line) == (
        "L1_small",
        1.5,
        9,
        pytest.approx(0.03),
        pytest.approx(1.6),
        4,
    )
    assert (stem.key, stem.ms, stem.n, stem.std, stem.line) == ("stem", 0.02, None, None, 5)


@pytest.mark.parametrize(
    ("column", "unit", "ms"),
    [
        ("ms", None, 2.0),
        ("us", None, 0.002),
        ("s", None, 2000.0),
        ("time_ms", "ms", 2.0),
        ("latency", "us", 0.002),
        ("Latency (ms)", None, 2.0),
        ("time [us]", None, 0.002),
        ("Avg Inference Time (\u00b5s)", None, 0.002),
        ("duration/ns", None, 2e-6),
        ("avg-latency(msec)", None, 2.0),
        ("mean_milliseconds", None, 2.0),
        ("latency_us_mean", None, 0.002),
        ("us (avg)", None, 0.002),
        ("execution_time_ms", None, 2.0),
    ],
)
def test_units(column: str, unit: str | None, ms: float) -> None:
    (reading,) = read(f"key,{column}\nstem,2\n", "x", unit).readings
    assert reading.ms == pytest.approx(ms)


def test_a_unit_in_every_row() -> None:
    """As Google Benchmark writes it; the deviation without a unit of its own is in the row's."""
    text = (
        "name,iterations,real_time,cpu_time,time_unit,stddev,p90_ms\nstem,9,2,1,{},0.5,3\nhead,8,4,3,ms,,\n"
    )
    stem, head = read(text.format("us"), "x", None).readings
    assert (stem.ms, stem.n, stem.std, stem.p90) == (0.002, 9, pytest.approx(0.0005), 3)
    assert (head.ms, head.n) == (4, 8)
    result = read(text.format("us"), "x", "ms")
    assert [each.key for each in result.readings] == ["head"]
    assert "x:2: the latencies are in us, not in ms" in str(result.unread[-1])
    assert "x:2: time_unit 'ticks' is no unit of time" in str(
        read(text.format("ticks"), "x", None).unread[-1]
    )
    assert [each.ms for each in read(text.format(""), "x", "s").readings] == [2000]


@pytest.mark.parametrize("edge", ["", "|"])
def test_a_table_of_markdown(edge: str) -> None:
    rows = ("layer | choice | Latency (ms) | # runs", ":---|:---|---:|---", "L1 | small | 1.5 | 9")
    (reading,) = read("\n".join(f"{edge} {row} {edge}" for row in rows), "x", None).readings
    assert (reading.key, reading.ms, reading.n, reading.line) == ("L1_small", 1.5, 9, 3)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_spellings_of_spreadsheets(separator: str) -> None:
    """Every statistic in a unit of its own; the mean is taken where there is a median, too."""
    text = "layer,op,mean_ms,median_ms,std dev (us),num_runs,p90 [ms]\nL1,small,1.5,1.4,30,9,1.6\n"
    result = read(text.replace(",", separator), "x", None)
    (reading,) = result.readings
    assert (reading.key, reading.ms, reading.n) == ("L1_small", 1.5, 9)
    assert (reading.std, reading.p90) == (pytest.approx(0.03), 1.6)
    assert "column(s) not used: median_ms" in str(result.unread[0])


def test_what_spreadsheets_and_pandas_add() -> None:
    """The first line that names the separator, and an index without a name."""
    result = read("sep=;\n;key;ms\n0;stem;2\n1;head;3\n", "x", None)
    assert [(each.key, each.ms) for each in result.readings] == [("stem", 2), ("head", 3)]
    assert result.unread == ()


def test_a_variance_is_in_the_unit_squared() -> None:
    (reading,) = read("name,latency_us,var\nstem,100,400\n", "x", None).readings
    assert reading.std == pytest.approx(0.02)
    (reading,) = read("name,latency_us,variance (ms^2)\nstem,100,0.0004\n", "x", None).readings
    assert reading.std == pytest.approx(0.02)


def test_geometry_instead_of_names() -> None:
    (reading,) = read("input_size,hidden,kernel,ms\n56,72,,1\n", "x", None).readings
    assert reading.key == "input_size=56,hidden=72"
    (reading,) = read("name,input_size,hidden,ms\nmine,56,72,1\n", "x", None).readings
    assert reading.key == "input_size=56,hidden=72"


def test_unused_columns_are_named() -> None:
    result = read("key,ms,mood\nstem,2,good\n", "x", None)
    assert len(result.readings) == 1
    assert "column(s) not used: mood" in str(result.unread[0])


@pytest.mark.parametrize(
    ("text", "unit", "message"),
    [
        ("key,latency\nstem,1\n", None, "does not state the unit"),
        ("key,latency_us\nstem,1\n", "ms", "the latencies are in us, not in ms"),
        ("key,ms,us\nstem,1,1\n", None, "expected one column of latencies"),
        ("key,value\nstem,1\n", "ms", "none among key, value"),
        ("key,ms,ms\nstem,1,1\n", None, "given twice: ms"),
        ("ms\n1\n", None, "no columns 'layer' and 'choice', 'key', or of the geometry"),
        ("key ms\nstem 1\n", None, "one column, 'key ms': expected several, separated by commas"),
        ("key;ms\nstem;1,5\n", None, "ms '1,5' is not a number: write it with a decimal point and no comma"),
        ("key,latency (cycles)\nstem,1\n", None, "cycles is no unit of time that is known (ns, us, ms, s)"),
        ("key,latency_fps\nstem,1\n", "ms", "fps is no unit"),
        ("key,mean_ms,avg_us\nstem,1,1\n", None, "found mean_ms, avg_us"),
        ("# only a remark\n", None, "none among no columns"),
        ("key,ms\nstem,nan\n", None, "x:2: ms nan is not a finite number"),
        ("key,ms\nstem,\n", None, "x:2: ms '' is not a number"),
        ("key,ms\nstem\n", None, "x:2: expected 2 values, found 1"),
        ("key,ms,n\nstem,1,0\n", None, "n '0' is not a number of runs"),
        ("key,ms,std\nstem,1,-1\n", None, "std -1 is not a finite number"),
    ],
)
def test_what_is_refused(text: str, unit: str | None, message: str) -> None:
    result = read(text, "x", unit)
    assert result.readings == ()
    assert message in str(result.unread[0])


@pytest.mark.parametrize(
    "text", ["a," * 50_000, "-|" * 50_000 + "x", "key,ms," + ",".join(map(str, range(50_000)))]
)
def test_a_header_of_many_columns_takes_no_minutes(text: str) -> None:
    start = time.monotonic()
    assert read(f"{text}\nstem,1\n", "x", None).readings == ()
    assert time.monotonic() - start < 5
