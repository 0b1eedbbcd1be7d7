"""The facts of the header: asked for all at once, from options and a YAML file."""

from __future__ import annotations

from pathlib import Path

import pytest

from latency.table.facts import REQUIRED, collect


def test_everything_missing_is_named_at_once() -> None:
    facts, (problem,) = collect({}, None)
    assert facts == {}
    assert all(f"--{key.replace('_', '-')}" in problem for key in REQUIRED)


def test_options_go_before_the_file_and_texts_stay_texts(tmp_path: Path) -> None:
    path = tmp_path / "facts.yaml"
    path.write_text("runtime_version: 2.10\ndate: 2024-02-29\ndevice: A\n")
    facts, (problem,) = collect({"device": "B", "soc": None, "unit": "ms"}, str(path))
    assert facts == {"device": "B", "runtime_version": "2.10", "date": "2024-02-29"}
    assert "--soc" in problem
    assert "--device" not in problem


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("devise: A", "unknown devise"),
        ("kind: measured", "unknown kind"),
        ("- A", "expected a mapping"),
        ("device: {a: b}", "expected a mapping"),
        ("device: [", "facts.yaml"),
        ("", "expected a mapping"),
    ],
)
def test_a_wrong_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "facts.yaml"
    path.write_text(text)
    assert message in collect({}, str(path))[1][0]


def test_no_such_file(tmp_path: Path) -> None:
    assert "No such file" in collect({}, str(tmp_path / "none.yaml"))[1][0]
