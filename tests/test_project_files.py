"""Files beside the code say what the code says: the citation, and the hooks of pre-commit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

import dnas

ROOT = Path(__file__).resolve().parents[1]
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_the_citation_is_of_this_project() -> None:
    citation = read("CITATION.cff")
    # tomllib is not in Python 3.10.
    project = dict(re.findall(r'^(name|version|description|license) = "(.*)"$', PROJECT, flags=re.MULTILINE))
    assert citation["version"] == project["version"] == dnas.__version__
    assert citation["title"] == project["name"]
    assert citation["abstract"] == project["description"]
    assert citation["license"] == project["license"]
    (keywords,) = re.findall(r"^keywords = (\[.*\])$", PROJECT, flags=re.MULTILINE)
    assert citation["keywords"] == yaml.safe_load(keywords)


def test_the_citation_has_what_the_format_requires() -> None:
    citation = read("CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert citation["message"] and citation["title"] and citation["authors"]


def test_hooks_are_the_commands_of_make_lint() -> None:
    hooks = [hook for repository in read(".pre-commit-config.yaml")["repos"] for hook in repository["hooks"]]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    linted = re.findall(r"^\t\$\(BIN\)/(ruff \w+|mypy)", makefile, flags=re.MULTILINE)
    assert linted == [re.sub(r"^\.venv/bin/| --.*", "", hook["entry"]) for hook in hooks]
    assert {hook["language"] for hook in hooks} == {"system"}
