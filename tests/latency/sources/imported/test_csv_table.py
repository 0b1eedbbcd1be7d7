"""Plain CSV files."""

from __future__ import annotations

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
    ],
)
def test_units(column: str, unit: str | None, ms: float) -> None:
    (reading,) = read(f"key,{column}\nstem,2\n", "x", unit).readings
    assert reading.ms == pytest.approx(ms)


def test_geometry_instead_of_names() -> None:
    (reading,) = read("input_size,hidden,kernel,ms\n56,72,,1\n", "x", None).readings
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
        ("key;ms\nstem;1\n", None, "none among key;ms"),
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
