"""What a measurement's folder keeps and refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from latency.sources.measured.work_dir import WorkDir
from latency.table.errors import TableError

IDENTITY = {"space": "tiny", "threads": 1}


def visit(job: str, **changes: Any) -> dict[str, Any]:
    return {"round": 0, "job": job, "ms": [1.5], "runs": 1, **changes}


def test_records_survive(tmp_path: Path) -> None:
    with WorkDir(tmp_path / "new" / "work", IDENTITY) as work:
        assert work.records() == []
        work.append(visit("a"))
    with WorkDir(tmp_path / "new" / "work", IDENTITY) as work:
        work.append(visit("b"))
        assert work.records() == [visit("a"), visit("b")]


def test_truncated_and_damaged_lines_are_not_there(tmp_path: Path) -> None:
    visits = tmp_path / "visits.jsonl"
    with WorkDir(tmp_path, IDENTITY) as work:
        for job in "abc":
            work.append(visit(job))
        visits.write_text(visits.read_text().replace('"b"', '"B"') + '{"job": "d", "ms": [1.0')
        work.append(visit("e"))
        with pytest.warns(UserWarning, match=r"visits\.jsonl: 1 of 5 lines are damaged"):
            assert work.records() == [visit("a"), visit("c"), visit("e")]


@pytest.mark.parametrize(
    "line",
    [
        None,
        [],
        5,
        {},
        {"job": "b"},
        visit("b", ms=[]),
        visit("b", ms=["x"]),
        visit("b", round="x"),
        visit("b") | {"job": 3},
    ],
    ids=str,
)
def test_lines_that_are_no_visits_are_not_there(line: Any, tmp_path: Path) -> None:
    with WorkDir(tmp_path, IDENTITY) as work:
        work.append(visit("reference", round=None))
        with (tmp_path / "visits.jsonl").open("a") as stream:
            stream.write(json.dumps(line) + "\n")
        with pytest.warns(UserWarning, match=r"visits\.jsonl: 1 of 2 lines are damaged"):
            assert work.records() == [visit("reference", round=None)]


def test_damage_is_refused(tmp_path: Path) -> None:
    with WorkDir(tmp_path, IDENTITY):
        content = (tmp_path / "measuring.json").read_text()
    (tmp_path / "measuring.json").write_text(content.replace("tiny", "tinz"))
    with (
        pytest.raises(TableError, match=r"measuring\.json is damaged.*checksum"),
        WorkDir(tmp_path, IDENTITY),
    ):
        pass
    for damaged in ("{", "null", "[]", "[" * 100_000):
        (tmp_path / "measuring.json").write_text(damaged)
        with pytest.raises(TableError, match=r"measuring\.json is damaged"), WorkDir(tmp_path, IDENTITY):
            pass


def test_another_measurement_is_refused_naming_all_that_differs(tmp_path: Path) -> None:
    with WorkDir(tmp_path, IDENTITY):
        pass
    other = {"space": "moga", "threads": 2}
    with pytest.raises(TableError) as caught, WorkDir(tmp_path, other):
        pass
    assert "space: 'tiny' there, 'moga' now" in str(caught.value)
    assert "threads: 1 there, 2 now" in str(caught.value)
    with WorkDir(tmp_path, IDENTITY):
        pass


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    code = (
        "import sys; from latency.sources.measured.work_dir import WorkDir\n"
        f"with WorkDir({str(tmp_path)!r}, {IDENTITY!r}): pass"
    )
    with WorkDir(tmp_path, IDENTITY):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert "is in use by another process" in done.stderr
    with WorkDir(tmp_path, IDENTITY):
        pass
