"""``dnas configs`` lists, shows and copies what ships, and overwrites nothing unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightning_modules.app.configs_command import copy_configs, describe, main
from lightning_modules.app.resources import config_root, find_config, shipped_config, shipped_configs

NAME = "digits/search.yaml"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("# Search on digits.\ndata: 1\n", "Search on digits."),
        ("\n  \n#   padded  \n# second\n", "padded"),
        ("## two marks\n", "two marks"),
        ("data: 1\n# too late\n", ""),
        ("", ""),
    ],
)
def test_description_is_the_first_comment_line(tmp_path: Path, text: str, description: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    assert describe(path) == description


@pytest.mark.parametrize("name", shipped_configs())
def test_every_shipped_config_describes_itself(name: str) -> None:
    assert len(describe(shipped_config(name))) > 10


def test_list_has_every_name_and_description(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main([]) == []
    printed = capsys.readouterr().out
    for name in shipped_configs():
        assert name in printed
        assert describe(shipped_config(name))[:40] in printed


def test_names_stay_whole_in_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    main([])
    printed = capsys.readouterr().out
    assert all(name in printed for name in shipped_configs())


def test_show_prints_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--show", NAME]) == []
    assert capsys.readouterr().out == (config_root() / NAME).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [NAME, f"configs/{NAME}"])
def test_copy_keeps_the_name_so_that_the_copy_is_used_next(
    empty_folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert main(["--copy", name]) == [Path(NAME)]
    assert (empty_folder / NAME).read_bytes() == (config_root() / NAME).read_bytes()
    assert find_config(NAME) == Path(NAME)
    assert NAME in capsys.readouterr().out


def test_copy_several_to_a_new_folder(empty_folder: Path) -> None:
    names = shipped_configs()
    assert main(["--copy", *names, "--to", "a/b"]) == [Path("a/b", name) for name in names]
    copied = sorted(path.relative_to("a/b").as_posix() for path in Path("a/b").rglob("*") if path.is_file())
    assert copied == names


def test_existing_files_are_refused_all_at_once_and_nothing_is_copied(
    empty_folder: Path,
) -> None:
    *others, last = shipped_configs()
    for name in others:
        (empty_folder / name).parent.mkdir(parents=True, exist_ok=True)
        (empty_folder / name).write_text("# mine\n", encoding="utf-8")
    with pytest.raises(SystemExit) as stopped:
        main(["--copy", *others, last])
    message = str(stopped.value)
    assert message.startswith("dnas configs: already there: ")
    assert all(name in message for name in others)
    assert "--force" in message
    assert not (empty_folder / last).exists()
    assert all((empty_folder / name).read_text(encoding="utf-8") == "# mine\n" for name in others)


def test_force_overwrites(empty_folder: Path) -> None:
    (empty_folder / "digits").mkdir()
    (empty_folder / NAME).write_text("# mine\n", encoding="utf-8")
    assert main(["--copy", NAME, "--force"]) == [Path(NAME)]
    assert (empty_folder / NAME).read_bytes() == (config_root() / NAME).read_bytes()


def test_copy_returns_what_it_wrote(tmp_path: Path) -> None:
    assert copy_configs([NAME], tmp_path / "to") == [tmp_path / "to" / NAME]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--show", "digits/serch.yaml"], "Did you mean digits/search.yaml"),
        (["--copy", NAME, "zzz"], "no config 'zzz'"),
        (["--copy"], "--copy"),
        (["--copy", NAME, "--show", NAME], "not allowed with"),
        (["--to", "x"], "belong to --copy"),
        (["--show", NAME, "--force"], "belong to --copy"),
        (["digits"], "unrecognized arguments"),
    ],
)
def test_wrong_use_says_why_and_writes_nothing(
    empty_folder: Path, capsys: pytest.CaptureFixture[str], argv: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(argv)
    # What argparse refuses it prints itself, and its status is 2.
    assert message in (capsys.readouterr().err if stopped.value.code == 2 else str(stopped.value))
    assert list(empty_folder.iterdir()) == []


def test_a_target_that_is_no_folder_is_told(empty_folder: Path) -> None:
    (empty_folder / "file").touch()
    with pytest.raises(SystemExit, match="dnas configs: --to file leads through a file"):
        main(["--copy", NAME, "--to", "file"])
