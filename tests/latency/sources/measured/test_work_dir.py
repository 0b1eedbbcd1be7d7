"""What a measurement's folder keeps and refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from latency.sources.measured.work_dir import WorkDir
from latency.table.errors import TableError

IDENTITY = {"space": "tiny", "threads": 1}


def test_records_survive(tmp_path: Path) -> None:
    with WorkDir(tmp_path / "new" / "work", IDENTITY) as work:
        assert work.records() == []
        work.append({"job": "a"})
    with WorkDir(tmp_path / "new" / "work", IDENTITY) as work:
        work.append({"job": "b"})
        assert work.records() == [{"job": "a"}, {"job": "b"}]


def test_truncated_and_damaged_lines_are_not_there(tmp_path: Path) -> None:
    visits = tmp_path / "visits.jsonl"
    with WorkDir(tmp_path, IDENTITY) as work:
        for job in "abc":
            work.append({"job": job})
        visits.write_text(visits.read_text().replace('"b"', '"B"') + '{"job": "d", "ms": [1.0')
        work.append({"job": "e"})
        with pytest.warns(UserWarning, match=r"visits\.jsonl: 1 of 5 lines are damaged"):
            assert work.records() == [{"job": "a"}, {"job": "c"}, {"job": "e"}]


def test_damage_is_refused(tmp_path: Path) -> None:
    with WorkDir(tmp_path, IDENTITY):
        content = (tmp_path / "measuring.json").read_text()
    (tmp_path / "measuring.json").write_text(content.replace("tiny", "tinz"))
    with (
        pytest.raises(TableError, match=r"measuring\.json is damaged.*checksum"),
        WorkDir(tmp_path, IDENTITY),
    ):
        pass
    (tmp_path / "measuring.json").write_text("{")
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
