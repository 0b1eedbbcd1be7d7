"""Imports run one way: the rules of CONTRIBUTING.md hold, docs/architecture.md draws what is in the code."""

from __future__ import annotations

import re
from graphlib import CycleError
from pathlib import Path

import pytest
from directions import (
    BEGIN,
    CORE,
    END,
    NO_CYCLES,
    PAGE,
    ROOT,
    RULES,
    VERBS,
    Import,
    Rule,
    arrows,
    draw,
    find_imports,
    is_exception,
    storeys,
)

FOUND = find_imports()
REGULAR = [each for each in FOUND if not is_exception(each)]
NAMES = ["core", "verbs", "latency", "lightning_modules"]


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_a_rule_holds(rule: Rule) -> None:
    broken = [f"{start}, line {line}: {end}" for start, end, line in filter(rule.forbids, REGULAR)]
    assert not broken, "\n".join([rule.text, *broken])


def test_no_folders_import_each_other_in_a_circle() -> None:
    assert [name for storey in storeys(arrows(REGULAR)) for name in storey]


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_every_exception_is_needed_and_has_a_reason(rule: Rule) -> None:
    assert set(rule.exceptions) <= {each.importer for each in FOUND if rule.forbids(each)}
    assert all(rule.exceptions.values())


def test_every_folder_of_dnas_has_its_rule() -> None:
    names = {path.stem for path in (ROOT / "dnas").iterdir() if not path.name.startswith(("_", "."))}
    assert {f"dnas.{name}" for name in names} == {*CORE, *VERBS}


def test_the_rules_stand_in_contributing() -> None:
    text = " ".join((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split())
    assert [rule for rule in (*(rule.text for rule in RULES), NO_CYCLES) if f"- {rule}" not in text] == []


def test_the_page_draws_what_the_imports_say() -> None:
    drawn = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert drawn == draw(FOUND), "python benchmarks/directions.py --write draws it anew"


def tree(root: Path, **codes: str) -> list[Import]:
    """Imports of a small library with these modules too, two underscores for the dot in a name."""
    files = {
        "dnas/__init__.py": "",
        "latency/__init__.py": "from latency.table import load_table",
        "latency/table.py": "",
        "lightning_modules/__init__.py": "",
        "lightning_modules/app.py": "",
    } | {f"{name.replace('__', '/')}.py": code for name, code in codes.items()}
    for name, code in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(code, encoding="utf-8")
    return find_imports(root)


@pytest.mark.parametrize(
    "code",
    [
        "import latency",
        "import latency.table as tables",
        "from latency import load_table",
        "from latency.table import load_table",
        "def late():\n    from latency import load_table",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from latency import load_table",
        "from importlib import import_module\nimport_module('latency.table')",
        "KIND = 'latency.table.LatencyTable'",
        "def late(name):\n    return __import__(f'latency.{name}')",
    ],
)
def test_a_forbidden_import_is_seen_however_it_is_written(tmp_path: Path, code: str) -> None:
    core, *others = RULES
    found = [each for each in tree(tmp_path, dnas__nn=code) if each.importer == "dnas.nn"]
    assert found and all(core.forbids(each) for each in found)
    assert not any(rule.forbids(each) for rule in others for each in found)


@pytest.mark.parametrize(
    "code", ["name = 'latency'", "path = 'latency.csv'", '"""See latency.table for more."""']
)
def test_words_are_no_imports(tmp_path: Path, code: str) -> None:
    assert not [each for each in tree(tmp_path, dnas__nn=code) if each.importer == "dnas.nn"]


@pytest.mark.parametrize(
    "name", ["'lightning_modules'", "'lightning_modules.app'", "f'lightning_modules.{x}'"]
)
def test_lightning_modules_is_seen_by_any_name(tmp_path: Path, name: str) -> None:
    found = tree(tmp_path, dnas__refine__run=f"from importlib import import_module\nimport_module({name})")
    assert [rule for rule in RULES for each in found if rule.forbids(each)] == [RULES[-1]]


def test_a_name_is_where_it_comes_from(tmp_path: Path) -> None:
    found = tree(tmp_path, dnas__refine__command="from latency import load_table")
    assert Import("dnas.refine.command", "latency.table", 1) in found
    assert arrows(found) == {"dnas.refine": {"latency.table"}, "latency.table": set()}
    assert not any(rule.forbids(each) for rule in RULES for each in found)


def test_a_circle_is_an_error(tmp_path: Path) -> None:
    circle = {"dnas__nn": "import dnas.layers", "dnas__layers": "import dnas.space"}
    found = tree(tmp_path, **circle, dnas__space="from dnas import nn")
    with pytest.raises(CycleError):
        storeys(arrows(found))


def test_a_relative_import_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"line 1: a relative import"):
        tree(tmp_path, dnas__nn="from . import layers")


def test_files_that_the_page_names_exist() -> None:
    named = re.findall(
        r"`((?:dnas|latency|lightning_modules|tests|docs|benchmarks)/[^`*]+)`", PAGE.read_text()
    )
    assert len(named) > 30
    assert [name for name in named if "NAME" not in name and not (ROOT / name).exists()] == []
