"""Shipped configs are found by name in a wheel and in a checkout, and the user's own file comes first."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from lightning_modules.app import resources

NAMES = ["cifar10/search.yaml", "digits/search.yaml", "digits/train.yaml"]


def write_configs(root: Path) -> None:
    for name in [*NAMES, "digits/notes.txt"]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"# {name}\n", encoding="utf-8")


def load(package: Path) -> ModuleType:
    """The module as it would be imported from ``package``: where it lies decides what it finds."""
    (package / "app").mkdir(parents=True, exist_ok=True)
    source = shutil.copy(resources.__file__, package / "app" / "resources.py")
    spec = importlib.util.spec_from_file_location("copied_resources", source)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def wheel(tmp_path: Path) -> ModuleType:
    package = tmp_path / "site-packages" / "lightning_modules"
    write_configs(package / "configs")
    return load(package)


@pytest.fixture
def checkout(tmp_path: Path) -> ModuleType:
    write_configs(tmp_path / "repo" / "configs")
    (tmp_path / "repo" / "pyproject.toml").touch()
    return load(tmp_path / "repo" / "lightning_modules")


@pytest.fixture(params=["wheel", "checkout"])
def library(request: pytest.FixtureRequest) -> ModuleType:
    module = request.getfixturevalue(request.param)
    assert isinstance(module, ModuleType)
    return module


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_root_of_each_layout(wheel: ModuleType, checkout: ModuleType, tmp_path: Path) -> None:
    assert wheel.config_root() == tmp_path / "site-packages" / "lightning_modules" / "configs"
    assert checkout.config_root() == tmp_path / "repo" / "configs"


def test_a_stranger_s_configs_folder_in_site_packages_is_not_ours(tmp_path: Path) -> None:
    write_configs(tmp_path / "site-packages" / "configs")
    module = load(tmp_path / "site-packages" / "lightning_modules")
    with pytest.raises(FileNotFoundError, match="install dnas again"):
        module.config_root()


def test_shipped_names_are_sorted_yaml_files(library: ModuleType) -> None:
    assert library.shipped_configs() == NAMES


@pytest.mark.parametrize("name", [*NAMES, *(f"configs/{name}" for name in NAMES), "./digits/search.yaml"])
def test_shipped_file_is_found_anywhere(library: ModuleType, name: str) -> None:
    expected = "# " + name.removeprefix("./").removeprefix("configs/") + "\n"
    assert library.find_config(name).read_text(encoding="utf-8") == expected


@pytest.mark.parametrize("name", ["digits/search.yaml", "configs/digits/search.yaml", "mine.yml"])
def test_existing_path_wins(library: ModuleType, empty_folder: Path, name: str) -> None:
    own = empty_folder / name
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text("# mine\n", encoding="utf-8")
    assert library.find_config(name) == Path(name)
    assert library.find_config(str(own)) == own


def test_a_folder_is_not_a_config(library: ModuleType, empty_folder: Path) -> None:
    (empty_folder / "digits").mkdir()
    with pytest.raises(FileNotFoundError, match="no config 'digits'"):
        library.find_config("digits")


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("digits/serch.yaml", "Did you mean digits/search.yaml"),
        ("configs/digits/trian.yaml", "Did you mean digits/train.yaml"),
        ("digits/search", "Did you mean digits/search.yaml"),
    ],
)
def test_unknown_name_tells_close_matches_and_all_names(library: ModuleType, name: str, close: str) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        library.find_config(name)
    message = str(caught.value)
    assert name in message
    assert close in message
    assert ", ".join(NAMES) in message


@pytest.mark.parametrize("name", ["zzz", "", "../configs/digits/search.yaml", "digits/../digits/search.yaml"])
def test_nothing_is_guessed(library: ModuleType, name: str) -> None:
    with pytest.raises(FileNotFoundError):
        library.find_config(name)


def test_no_hint_without_a_close_name(library: ModuleType) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        library.find_config("zzz")
    assert "Did you mean" not in str(caught.value)


@pytest.mark.parametrize(
    "argv",
    [
        ["fit", "--config", "{}"],
        ["fit", "--config={}"],
        ["fit", "-c", "{}"],
        ["fit", "-c={}"],
        ["--config", "{}", "fit", "-c", "{}", "--trainer.max_epochs=1"],
        ["fit", "--config", "{}", "--config={}", "--data", "digits/search.yaml"],
    ],
)
def test_config_arguments_are_resolved(library: ModuleType, argv: list[str]) -> None:
    given = [argument.format("digits/search.yaml") for argument in argv]
    expected = [argument.format(library.config_root() / "digits/search.yaml") for argument in argv]
    assert library.resolve_config_arguments(given) == expected
    assert given == [argument.format("digits/search.yaml") for argument in argv]


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["fit"],
        ["fit", "--config"],
        ["fit", "--config", "--print_config"],
        ["fit", "--data.config=zzz", "--model.config", "zzz", "--configs=zzz"],
        ["test", "--trainer.max_epochs", "1", "--ckpt_path=zzz"],
    ],
)
def test_other_arguments_pass_unchanged(library: ModuleType, argv: list[str]) -> None:
    assert library.resolve_config_arguments(argv) == argv


@pytest.mark.parametrize("argv", [["fit", "--config", "zzz"], ["fit", "-c=zzz"], ["fit", "--config="]])
def test_unknown_config_argument_is_refused(library: ModuleType, argv: list[str]) -> None:
    with pytest.raises(FileNotFoundError, match="no config"):
        library.resolve_config_arguments(argv)


def test_this_checkout_ships_a_search_on_digits() -> None:
    assert "digits/search.yaml" in resources.shipped_configs()
