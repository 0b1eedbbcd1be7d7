"""``dnas zoo`` as a user meets it, and docs/zoo.md, which shows what it prints."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from dnas import Architecture
from dnas.space import zoo
from dnas.zoo.command import main

PAGE = Path(__file__).resolve().parents[3] / "docs" / "zoo.md"
Capture = pytest.CaptureFixture[str]


def test_list_has_every_network_whole(tmp_path: Path, capsys: Capture) -> None:
    found = main(["list", "--sort", "params", "--csv", str(tmp_path / "new" / "zoo.csv")])
    assert [each.published.name for each in found][:2] == ["nasbench_macro_best", "mobilenet_v3_small"]
    text = capsys.readouterr().out
    assert all(f" {name} " in text for name in zoo.names()) and "…" not in text
    assert "no network was timed" in text and "Wrote" in text
    with (tmp_path / "new" / "zoo.csv").open(encoding="utf-8", newline="") as stream:
        assert len(list(csv.DictReader(stream))) == len(zoo.names())


def test_the_page_shows_what_the_command_prints(capsys: Capture) -> None:
    """After new tables or networks: ``dnas zoo list --markdown``, pasted into docs/zoo.md."""
    main(["list", "--markdown"])
    assert capsys.readouterr().out in PAGE.read_text(encoding="utf-8")


def test_show_writes_the_network_and_its_drawing(tmp_path: Path, capsys: Capture) -> None:
    (found,) = main(["show", "mobilenet_v3_small", "--output", str(tmp_path / "v3")])
    assert found.published.name == "mobilenet_v3_small"
    assert Architecture.load(tmp_path / "v3" / "architecture.json") == zoo.load("mobilenet_v3_small")
    assert (tmp_path / "v3" / "architecture.png").stat().st_size > 10_000
    text = capsys.readouterr().out
    assert "2,542,856" in text and "Pixel 1" in text and "15.8" in text


def test_show_with_the_latency_of_layers(capsys: Capture) -> None:
    main(["show", "fbnet_c", "--table", "mali_g76_tflite2.10"])
    text = capsys.readouterr().out
    assert "FBNet-C, assembled latency" in text and "5,572,200" in text and "equal: parameters" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "moga_z"], r"No architecture 'moga_z' in the zoo\. Shipped: efficientnet_b0"),
        (["list", "--sort", "size"], "Cannot sort by 'size'. Give one of name, params"),
        (["show", "moga_a", "--table", "nowhere"], "Unknown latency table 'nowhere'"),
        (["show", "moga_a", "--output", __file__], "is a file: give a folder"),
    ],
)
def test_mistakes_are_one_message(arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit, match=message):
        main(arguments)
