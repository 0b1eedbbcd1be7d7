"""A data set lies where it is told to, else below DNAS_DATA, else in the default folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightning_modules.data.locate import DataNotFound, describe_root, resolve_root


@pytest.mark.parametrize(
    ("root", "variable", "expected", "why"),
    [
        ("given", "/base", "given", "from root='given'"),
        (None, "/base", "/base/cifar10", "from the environment variable DNAS_DATA"),
        (None, None, "data", "the default: neither root nor the environment variable DNAS_DATA"),
        (None, "", "data", "the default"),
    ],
)
def test_precedence(
    monkeypatch: pytest.MonkeyPatch, root: str | None, variable: str | None, expected: str, why: str
) -> None:
    monkeypatch.delenv("DNAS_DATA", raising=False)
    if variable is not None:
        monkeypatch.setenv("DNAS_DATA", variable)
    assert resolve_root(root, "cifar10", "data") == Path(expected)
    description = describe_root(root, "cifar10", "data")
    assert why in description
    assert str(Path(expected).absolute()) in description


def test_home_is_expanded() -> None:
    assert resolve_root("~/images", "", "") == Path.home() / "images"


def test_it_is_a_file_not_found_error() -> None:
    assert issubclass(DataNotFound, FileNotFoundError)
