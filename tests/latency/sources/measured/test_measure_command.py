"""The command as a user runs it, on blocks that are really timed."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from dnas.space import SearchSpace
from latency.__main__ import main
from latency.sources.measured.work_dir import WorkDir
from latency.table import load_table

Run = Callable[..., int]


def visits(tmp_path: Path) -> list[str]:
    lines = (tmp_path / "table.csv.measuring" / "visits.jsonl").read_text().splitlines()
    return [line for line in lines if line]


def test_a_table_that_loads(
    run_measure: Run, tmp_path: Path, tiny: SearchSpace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_measure("--device", "my computer", "--notes", "at home") == 0
    table = load_table(tmp_path / "table.csv", tiny)
    assert table.is_measured and table.name == "table" and (table.ms[tiny.valid][[0, 1, 3, 4]] > 0).all()
    facts = table.provenance
    assert facts["device"] == "my computer" and facts["runtime"] == "PyTorch"
    assert facts["notes"].startswith("at home; ") and "lower decile" in facts["statistic"]
    assert "2 random networks measured whole" in facts["error"]["statement"]
    out = capsys.readouterr().out
    assert "network_00" in out and "network_01" not in out and "plain sum:" in out
    assert f"wrote {tmp_path / 'table.csv'}: 5 entries" in out


def test_a_second_run_measures_nothing_again(run_measure: Run, tmp_path: Path) -> None:
    assert run_measure() == 0
    before, table = visits(tmp_path), (tmp_path / "table.csv").read_bytes()
    assert run_measure() == 0
    assert visits(tmp_path) == before and (tmp_path / "table.csv").read_bytes() == table
    assert run_measure("--rounds", "3") == 0
    assert visits(tmp_path)[: len(before)] == before and len(visits(tmp_path)) > len(before)


def test_a_killed_run_loses_no_visit(run_measure: Run, tmp_path: Path) -> None:
    assert run_measure() == 0
    kept = visits(tmp_path)[:8]
    log = tmp_path / "table.csv.measuring" / "visits.jsonl"
    log.write_text("\n".join(kept) + '\n{"round": 1, "jo')
    assert run_measure() == 0
    lines = visits(tmp_path)
    assert lines[:8] == kept and lines.pop(8) == '{"round": 1, "jo'
    keys = [(line["round"], line["job"]) for line in map(json.loads, lines) if line["round"] is not None]
    assert len(keys) == len({*keys})


def test_another_configuration_is_refused(
    run_measure: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_measure() == 0
    before = visits(tmp_path)
    assert run_measure("--threads", "2", "--runs", "3") == 1
    error = capsys.readouterr().err
    assert "holds another measurement" in error
    assert "threads: 1 there, 2 now" in error and "runs: 2 there, 3 now" in error
    assert visits(tmp_path) == before


def test_a_folder_in_use_is_refused(
    run_measure: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with WorkDir(tmp_path / "work", {}):
        assert run_measure("--work-dir", str(tmp_path / "work")) == 1
    assert "is in use by another process" in capsys.readouterr().err


def test_without_networks(run_measure: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_measure("--networks", "0") == 0
    assert "no whole network was measured" in capsys.readouterr().out


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize(("received", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_with_one_message_and_resume_goes_on(
    received: signal.Signals,
    status: int,
    run_measure: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    append, visits = WorkDir.append, 0

    def append_and_stop(work: WorkDir, record: Mapping[str, Any]) -> None:
        nonlocal visits
        append(work, record)
        visits += 1
        if visits == 5:
            signal.raise_signal(received)

    monkeypatch.setattr(WorkDir, "append", append_and_stop)
    assert run_measure() == status
    folder = tmp_path / "table.csv.measuring"
    assert not (tmp_path / "table.csv").exists()
    assert capsys.readouterr().err == (
        f"dnas latency measure: stopped by {received.name}. 5 visits are kept. Go on with the same "
        f"command, or with: dnas latency measure --resume {folder}\n"
    )
    before = (folder / "visits.jsonl").read_text().splitlines()
    assert main(["measure", "--resume", str(folder)]) == 0
    assert (tmp_path / "table.csv").is_file()
    assert (folder / "visits.jsonl").read_text().splitlines()[: len(before)] == before
    assert main(["measure", "--resume", str(folder), "--rounds", "3"]) == 1
    assert "leave out --rounds 3" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("place", ["__enter__", "__exit__"])
def test_a_signal_before_or_after_the_measurement_says_how_to_go_on(
    place: str, run_measure: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = getattr(WorkDir, place)

    def and_stop(work: WorkDir, *arguments: Any) -> Any:
        result = real(work, *arguments)
        signal.raise_signal(signal.SIGTERM)
        return result

    monkeypatch.setattr(WorkDir, place, and_stop)
    assert run_measure("--networks", "0") == 143
    said = capsys.readouterr().err
    assert "stopped by SIGTERM. What is done is kept. Go on with: dnas latency measure --" in said
    monkeypatch.undo()
    assert run_measure("--networks", "0") == 0


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        (
            ("--rounds", "1", "--threads", "0", "--visit-ms", "nan"),
            (
                "--rounds must be at least 2, got 1",
                "--threads must be at least 1",
                "--visit-ms must be a number",
            ),
        ),
        (("--threads", "100000"), ("--threads must be at most 1024, got 100000",)),
        (("--output", "table.txt"), ("--output must name a .csv file, got table.txt",)),
        (("--space", "mogi"), ("Unknown search space 'mogi'",)),
        (("--tolerance", "-1"), ("--tolerance must be a number above 0",)),
    ],
)
def test_mistakes_end_in_one_message(
    run_measure: Run, options: tuple[str, ...], messages: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_measure(*options) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and "Traceback" not in error
    for message in messages:
        assert message in error
