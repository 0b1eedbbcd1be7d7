"""Types by name, and a user's own: registered from Python, from a file, by every command."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import nn

from dnas import SearchSpace, blocks
from dnas.blocks import BlockError, BlockType, Position, option, registry
from dnas.blocks.base import listed_options, options_schema
from dnas.blocks.registry import register_files_of
from dnas.costs import count
from dnas.space import SpaceError

FILE = """
from dataclasses import dataclass
from torch import nn
from dnas.blocks import BlockType, option
from dnas.layers.layers import ConvBNAct

@dataclass(frozen=True)
class Options:
    wide: bool = option("whether the kernel is 5", default=False)

class Plain(BlockType):
    name = "plain"
    Options = Options

    def build(self, position, options):
        kernel = 5 if options.wide else 3
        return ConvBNAct(position.in_channels, position.out_channels, kernel=kernel, stride=position.stride)
"""


@pytest.fixture(autouse=True)
def own_types(monkeypatch: pytest.MonkeyPatch) -> None:
    """Types that a test registers are gone after it."""
    monkeypatch.setattr(registry, "_own", {})
    monkeypatch.setattr(registry, "_files", {})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "plain.py"
    path.write_text(FILE)
    return path


def space_with(choices: dict[str, Any]) -> SearchSpace:
    return SearchSpace.from_dict(
        {
            "format": "dnas-space/2",
            "name": "own",
            "resolution": 8,
            "num_classes": 2,
            "stem": [{"type": "conv", "out": 4, "kernel": 3, "stride": 1, "activation": "relu"}],
            "choices": choices,
            "layers": [{"out": 4, "stride": 1, "activation": "relu"}],
            "head": [{"type": "pool"}],
        }
    )


def test_a_file_of_ones_own(file: Path) -> None:
    assert blocks.register_file(file) == ["plain"] == blocks.register_file(file)
    space = space_with({"narrow": {"type": "plain"}, "wide": {"type": "plain", "wide": True}})
    assert count(space).params.tolist() == [[4 * 4 * 9 + 8, 4 * 4 * 25 + 8]]
    with pytest.raises(SpaceError, match=r"choices.a.wide: 1 is not of type 'boolean'"):
        space_with({"a": {"type": "plain", "wide": 1}})


def test_an_unknown_type_says_what_to_do() -> None:
    with pytest.raises(SpaceError, match=r"choices.a.type: no block type 'plain'; known are .*--blocks"):
        space_with({"a": {"type": "plain"}})
    with pytest.raises(BlockError, match="Unknown block type 'plain'"):
        blocks.get("plain")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No file"),
        ("import nosuchmodule", "cannot be run: ModuleNotFoundError: No module named 'nosuchmodule'"),
        ("def broken(:", "cannot be run: SyntaxError"),
        ("x = 1", "defines no block type"),
        ("from dnas.blocks.skip import Skip", "defines no block type"),
        (FILE.replace('name = "plain"', 'name = "skip"'), "another block type 'skip'"),
        (FILE.replace('name = "plain"', 'name = "Plain!"'), "must be of a-z, 0-9 and _"),
        (FILE.replace('    name = "plain"\n', ""), "must be of a-z, 0-9 and _, got None"),
        (FILE.replace("    Options = Options\n", ""), "must be a frozen dataclass"),
        (FILE.replace("wide: bool", "wide: list"), "Options.wide is of <class 'list'>"),
    ],
)
def test_files_that_cannot_be_used(file: Path, content: str | None, message: str) -> None:
    if content is None:
        file.unlink()
    else:
        file.write_text(content)
    with pytest.raises(BlockError, match=message):
        blocks.register_file(file)
    assert "plain" not in blocks.names()


def test_two_types_of_one_name(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text(FILE)
    blocks.register_file(file)
    with pytest.raises(BlockError, match="There is another block type 'plain' already"):
        blocks.register_file(other)


def test_the_option_of_commands(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser(prog="thing")
    blocks.add_option(parser)
    assert vars(parser.parse_args(["--blocks", str(file)])) == {}, "settings know nothing of it"
    assert blocks.names()[-1] == "plain"
    with pytest.raises(SystemExit):
        parser.parse_args(["--blocks", "nosuch.py"])
    assert "thing: error: No file" in capsys.readouterr().err


def test_lightning_arguments(file: Path) -> None:
    argv = ["fit", "--config", "a.yaml", f"--blocks={file}", "--model.lr", "1"]
    assert register_files_of(argv) == ["fit", "--config", "a.yaml", "--model.lr", "1"]
    assert blocks.names()[-1] == "plain"


@dataclass(frozen=True)
class Every:
    """One option of every kind."""

    a: int = option("a", short="a", minimum=1, odd=True)
    b: float = option("b", default=0.5, short="b")
    c: bool = option("c", default=False, short="c", flag=True)
    d: Literal["x", "y"] = option("d", default="x", short="d")
    e: int | None = option("e", default=None)


def test_schema_and_listing_of_options() -> None:
    schema = options_schema(Every)
    assert schema["required"] == ["a"] and schema["additionalProperties"] is False
    assert schema["properties"]["a"] == {
        "type": "integer",
        "description": "a",
        "minimum": 1,
        "maximum": 255,
        "not": {"multipleOf": 2, "minimum": 1},
    }
    assert schema["properties"]["d"]["enum"] == ["x", "y"]
    integer = {"type": "integer", "minimum": -1_000_000, "maximum": 1_000_000}
    assert schema["properties"]["e"]["anyOf"] == [integer, {"type": "null"}]
    assert listed_options(Every(3, c=True)) == {"a": "3", "b": "0.5", "c": "yes", "d": "x"}
    assert listed_options(Every(3))["c"] == ""


class Unusual(BlockType):
    """Runs whatever a test gives it."""

    name = "unusual"
    Options = Every

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def build(self, position: Position, options: Any) -> nn.Module:
        return self.module


class Calls(nn.Module):
    """A function as a module."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function, self.scale = function, nn.Parameter(nn.Conv2d(1, 1, 1).weight)

    def forward(self, x: Any) -> Any:
        return self.function(self, x)


def test_calls_with_keywords_are_followed() -> None:
    layer = space_with({"a": {"type": "skip"}}).layers[0]
    conv = nn.Conv2d(4, 4, 3, padding=1, bias=False)

    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = conv

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            first, second = torch.chunk(input=torch.relu(input=self.conv(x)), chunks=2, dim=1)
            return torch.add(input=torch.cat(tensors=[second, first], dim=1), other=x)

    ops = Unusual(Halves().to("meta")).ops(layer, Every(5))
    assert [(op.type, op.activation) for op in ops] == [("conv", "relu"), ("concat", "none"), ("add", "none")]


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Conv2d(4, 4, 3), "expected a square kernel, not dilated, padded by kernel // 2"),
        (nn.Conv2d(4, 4, (3, 1), padding=(1, 0)), "expected a square kernel"),
        (nn.Conv2d(4, 4, 3, padding=2, dilation=2), "expected a square kernel"),
        (nn.ReLU(), r"an activation \(relu\) that follows no operation"),
        (nn.Sequential(nn.Conv2d(4, 4, 1), nn.Tanh()), "calls tanh, which the library does not count"),
        (nn.Conv2d(4, 6, 1), r"gives \(1, 6, 8, 8\) where its layer needs \(1, 4, 8, 8\)"),
        (nn.GroupNorm(2, 4), "calls group_norm"),
        (nn.AvgPool2d(3, 1, 1), "expected a window as wide as the stride, and ceil_mode"),
        (nn.MaxPool2d(3, 1), "expected a square window, padded by kernel // 2"),
        (nn.LPPool2d(2, 3), "calls lp_pool2d"),
        (Calls(lambda self, x: x * self.scale), "has 1 parameters, of which 0 belong to known operations"),
        (Calls(lambda self, x: 2 * x), "with a number"),
    ],
)
def test_what_running_cannot_find(module: nn.Module, message: str) -> None:
    layer = space_with({"a": {"type": "skip"}}).layers[0]
    with pytest.raises(BlockError, match=f"block type unusual cannot be found by running it: it .*{message}"):
        Unusual(module.to("meta")).ops(layer, Every(3))
