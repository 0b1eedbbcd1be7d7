"""``dnas space`` as a user meets it: files, tables, drawings, exit statuses, and mistakes in one message."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from matplotlib.image import imread

from dnas.blocks import registry
from dnas.space import SearchSpace
from dnas.spaces.command import main
from dnas.spaces.ranges import Counts
from lightning_modules.app.cli import main as dnas

GHOST = Path(__file__).parents[3] / "docs" / "blocks.md"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and a wide terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path


def test_new_writes_what_check_accepts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["mine.yaml"], ["like.yaml", "--like", "fbnet"], ["deep/own.yml"]):
        assert main(["new", *arguments]) == 0
    assert main(["check", "mine.yaml", "like.yaml", "deep/own.yml", "moga"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f"Wrote mine.yaml: {printed[3].removeprefix('mine.yaml: ').removesuffix(', ok')}"
    assert printed[4].startswith("like.yaml: like, 22 decisions, 984,770,902,183,611,232,881 (9.85e20) arch")
    assert "327,700,343,401,999,790,625 (3.28e20) distinct networks, ok" in printed[4]


def test_new_never_overwrites(folder: Path) -> None:
    (folder / "mine.yaml").write_text("treasure")
    with pytest.raises(SystemExit, match=r"mine\.yaml is there already"):
        main(["new", "mine.yaml"])
    assert (folder / "mine.yaml").read_text() == "treasure"
    with pytest.raises(SystemExit, match=r"give mine\.txt\.yaml"):
        main(["new", "mine.txt"])
    with pytest.raises(SystemExit, match="Unknown search space 'nothing'"):
        main(["new", "other.yaml", "--like", "nothing"])
    assert [path.name for path in folder.iterdir()] == ["mine.yaml"]


def test_check_says_everything_with_its_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["new", "mine.yaml"])
    text = (folder / "mine.yaml").read_text()
    broken = text.replace("kernel: 5}", "kernel: 4}").replace("expansion: 3,", "expansion: 0,")
    (folder / "broken.yaml").write_text(broken)
    (folder / "deep.yaml").write_text("[" * 5000)
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        dnas(["space", "check", "broken.yaml", "absent.yaml", "deep.yaml", "mine.yaml"])
    assert ended.value.code == 1
    printed = capsys.readouterr().out
    lines = broken.splitlines()
    for name, message in (("E3K3", "expansion: 0 is"), ("E6K5", "kernel: 4 must be odd")):
        number = next(index for index, line in enumerate(lines, 1) if line.startswith(f"  {name}:"))
        assert f"  broken.yaml:{number}: choices.{name}.{message}" in printed
    assert "No search space file absent.yaml" in printed and "deep.yaml is not valid YAML" in printed
    assert "mine.yaml: mine, 10 decisions" in printed and printed.count(", ok\n") == 1


def test_show_has_layers_sizes_ranges_and_every_phone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", "moga"]) == 0
    printed = capsys.readouterr().out
    params, madds = Counts.of(SearchSpace.load("moga"))
    assert re.search(r"L6 +40→80 +2 +28→14 +hswish +12: all", printed)
    assert re.search(r"E6K5SE +inverted_residual +kernel 5, expansion 6, se 0\.25", printed)
    assert re.search(r"distinct networks +1,283,918,464,548,864 \(1\.28e15\)", printed)
    assert re.search(rf"parameters +{params}\s.*multiply-adds +{madds}\s", printed, re.S)
    assert re.search(
        r"adreno640_tflite2\.10 +assembled +3\.48 +3\.22 to 3\.75 +9\.61 +8\.88 to 10\.35", printed
    )
    assert len(re.findall(r" (?:assembled|calibrated) ", printed)) == 6
    assert list(folder.iterdir()) == [], "without --output nothing is written"


def test_show_of_stages(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["new", "mine.yaml"])
    assert main(["show", "mine.yaml"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"L3 +24→24 +1 +56 +relu +3: all but E6K5SE", printed)
    assert re.search(r"L12-L14 +one for 3 layers +80→160 +2 +14→7 +hswish +6: all, in 2 to 3 layers", printed)
    reasons = [line for line in printed.splitlines() if line.startswith("No latency by")]
    (reason,) = [line for line in reasons if " adreno640_tflite2.10," in line]
    assert re.search(r"\d+ of whose 43 blocks are not in the table\.", reason)


def test_show_with_a_table_of_ones_own(
    folder: Path, tiny_space_file: Path, tiny_table_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", str(tiny_space_file), "--table", str(tiny_table_file)]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"adreno630_mace_calibrated +calibrated +\d", printed)
    with pytest.raises(SystemExit, match="not for tiny"):
        main(["show", str(tiny_space_file), "--table", "adreno640_tflite2.10"])


def test_show_draws(folder: Path, tiny_space_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(tiny_space_file), "--output", "drawn/here"]) == 0
    files = sorted((folder / "drawn" / "here").iterdir())
    assert [file.name for file in files] == ["tiny.pdf", "tiny.png", "tiny.svg"]
    assert imread(files[1]).std() > 0
    assert f"Wrote {Path('drawn/here/tiny.svg')}" in capsys.readouterr().out
    (folder / "file").write_text("")
    with pytest.raises(SystemExit, match="--output file is a file"):
        main(["show", str(tiny_space_file), "--output", "file"])


def test_diff_exits_as_diff_does(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["new", "one.yaml"])
    text = (folder / "one.yaml").read_text()
    (folder / "other.yaml").write_text(
        text.replace("resolution: 224", "resolution: 192").replace("E6K5SE", "B")
    )
    assert main(["diff", "one.yaml", "one.yaml"]) == 0
    assert "one.yaml and one.yaml are equal" in capsys.readouterr().out
    assert main(["diff", "one.yaml", "other.yaml"]) == 1
    printed = capsys.readouterr().out
    assert re.search(r"network +resolution +224 +192", printed)
    assert re.search(r"choices +another name for the same block +E6K5SE +B", printed)
    assert re.search(r"multiply-adds +93,571,184 to 308,275,616 +69,411,776 to 227,546,240", printed)
    assert main(["diff", "absent.yaml", "nothing"]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and "absent.yaml" in printed.err and "nothing" in printed.err


def test_block_types_of_ones_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(registry, "_own", {})
    monkeypatch.setattr(registry, "_files", {})
    page = GHOST.read_text(encoding="utf-8")
    for kind, name in (("yaml", "mixed.yaml"), ("python", "ghost.py")):
        (folder / name).write_text(re.search(rf"```{kind}\n(.*?)```", page, re.S)[1])  # type: ignore[index]
    assert main(["check", "mixed.yaml"]) == 1
    assert "no block type 'ghost'" in capsys.readouterr().out
    own = ["--blocks", "ghost.py"]
    assert main(["check", "mixed.yaml", *own]) == 0
    assert main(["new", "copy.yaml", "--like", "mixed.yaml", *own]) == 0
    assert main(["diff", "copy.yaml", "mixed.yaml", *own]) == 0
    assert main(["show", "copy.yaml", "--output", ".", *own]) == 0
    assert re.search(r"^ *ghost +ghost +", capsys.readouterr().out, re.M)
    assert re.search(r"^#   ghost:\n#     expansion: ", (folder / "copy.yaml").read_text(), re.M)


def test_no_subcommand_is_a_mistake_of_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2 and "COMMAND" in capsys.readouterr().err
