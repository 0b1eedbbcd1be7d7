"""Tables of ExecuTorch's Inspector."""

from __future__ import annotations

import pytest

from latency.sources.imported.executorch import read

HEADER = (
    "event_block_name,event_name,raw,p10{u},p50{u},p90{u},avg{u},op_types,is_delegated_op,"
    "delegate_backend_name"
)
EXECUTE = 'Execute,Method::execute,"[2.0, 3.0, 4.0]",2.1,3,3.8,3.0,[],False,'
LOADED = "Default,Program::load_method,[99.0],99,99,99,99.0,[],False,"


def table(*rows: str, unit: str = " (ms)") -> str:
    return "\n".join([HEADER.format(u=unit), LOADED, EXECUTE, *rows])


@pytest.mark.parametrize(("unit", "scale"), [(" (ms)", 1.0), (" (us)", 1e-3), (" (ns)", 1e-6), ("", 1.0)])
def test_a_whole_inference_and_its_runs(unit: str, scale: float) -> None:
    """``raw`` without a unit is in that of the others."""
    (reading,) = read(table(unit=unit), "L1_small.csv", None).readings
    assert (reading.key, reading.line, reading.n, reading.cpu) == ("L1_small", 3, 3, True)
    assert (reading.ms, reading.p90) == (pytest.approx(3 * scale), pytest.approx(3.8 * scale))
    assert reading.std == pytest.approx(scale)


def test_tabs() -> None:
    text = table().replace('"[2.0, 3.0, 4.0]"', "[3.0]").replace(",", "\t")
    (reading,) = read(text, "x", None).readings
    assert (reading.ms, reading.n, reading.std) == (3.0, 1, None)


COLUMNS = "event_block_name,event_name,p90 (ms),avg (ms),is_delegated_op,delegate_backend_name,start_time"
ROWS = (
    "0,Default,Method::init,9,9,False,,[1]",
    "1,Execute,conv,1,1,True,{name},[3; 5]",
    "2,Execute,DELEGATE_CALL,2,2,False,,[2; 4]",
    "3,Execute,Method::execute,3.8,3.0,False,,[2; 4]",
)


@pytest.mark.parametrize("bar", ["│", "|"])
@pytest.mark.parametrize(("name", "cpu"), [("", None), ("XnnpackBackend", True), ("CoreMLBackend", False)])
def test_as_it_is_printed(bar: str, name: str, cpu: bool | None) -> None:
    """In a frame, behind the command; without an ETRecord no delegate has a name."""
    header, *rows = ([*line.format(name=name).split(",")] for line in ("," + COLUMNS, *ROWS))
    rule = [["---"] * len(header)] if bar == "|" else []
    table = [
        bar + bar.join(f" {cell.replace(';', ','):20} " for cell in row) + bar
        for row in (header, *rule, *rows)
    ]
    frame = "├───┼───┤\n" if bar == "│" else ""
    text = f"$ python inspector_cli.py\n{frame}" + f"\n{frame}".join(table)
    (reading,) = read(text, "L1_small.txt", None).readings
    assert (reading.ms, reading.n, reading.p90, reading.cpu) == (3.0, 2, 3.8, cpu)
    assert text.splitlines()[reading.line - 1] == table[-1]
    result = read("\n".join(table[1 + len(rule) :]), "L1_small.txt", None)
    assert "the table has lost its header" in str(result.unread[0])


def test_a_delegate_without_a_name() -> None:
    """Which processor it is on, nobody knows."""
    for row in ("Execute,conv,[1],1,1,1,1,[],True,", "Execute,DELEGATE_CALL,[1],1,1,1,1,[],False,"):
        assert read(table(row), "x", None).readings[0].cpu is None


@pytest.mark.parametrize(
    ("rows", "cpu"),
    [
        (
            [
                "Execute,conv,[1],1,1,1,1,[],True,XnnpackBackend",
                "Execute,native_call_relu.out,[1],1,1,1,1,[],False,",
            ],
            True,
        ),
        (["Execute,conv,[1],1,1,1,1,[],True,VulkanBackend"], False),
    ],
)
def test_delegates(rows: list[str], cpu: bool) -> None:
    assert read(table(*rows), "x", None).readings[0].cpu is cpu


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            table(
                "Execute,conv,[1],1,1,1,1,[],True,VulkanBackend",
                "Execute,native_call_relu.out,[1],1,1,1,1,[],False,",
            ),
            "VulkanBackend did not take all of it",
        ),
        (table(EXECUTE), "2 rows 'Method::execute'"),
        (f"{HEADER.format(u='')}\n{LOADED}", "0 rows 'Method::execute'"),
        (table(unit=" (cycles)"), "cycles is no unit of time"),
        (table().replace("avg", "mean"), "no column 'avg (ms)'"),
        (table().replace("3.8,3.0", "3.8,fast"), "'fast' is not a number"),
        (table().replace("[2.0,", "[2000.0,"), "'raw' has the mean"),
        ("nothing", "0 rows"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    result = read(text, "x", None)
    assert result.readings == ()
    assert message in str(result.unread[0])
