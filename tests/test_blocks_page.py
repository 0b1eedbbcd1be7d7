"""docs/blocks.md: its table is that of the types, its example runs from the search to the exported file."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from dnas import Architecture, SearchSpace, blocks
from dnas.blocks import registry
from dnas.costs import count
from lightning_modules.app.cli import main as dnas

PAGE = (Path(__file__).parents[1] / "docs" / "blocks.md").read_text(encoding="utf-8")
SPACE, GHOST = (re.search(rf"```{kind}\n(.*?)```", PAGE, re.S)[1] for kind in ("yaml", "python"))  # type: ignore[index]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's files, and no type registered that a test registers."""
    monkeypatch.setattr(registry, "_own", {})
    monkeypatch.setattr(registry, "_files", {})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mixed.yaml").write_text(SPACE)
    (tmp_path / "ghost.py").write_text(GHOST)
    return tmp_path


def test_every_type_is_in_the_table_with_its_options() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ((?:`\w+`(?:, )?)*) \|", PAGE, re.M))
    rows |= dict.fromkeys(re.findall(r"^\| `(\w+)` \| \| ", PAGE, re.M), "")
    options = {name: [field.name for field in fields(blocks.get(name).Options)] for name in registry.SHIPPED}
    assert {name: re.findall(r"\w+", cell) for name, cell in rows.items() if name in options} == options


def test_the_example_is_short_and_counted(folder: Path) -> None:
    assert len(GHOST.strip().splitlines()) < 40
    assert blocks.register_file("ghost.py") == ["ghost"]
    space = SearchSpace.load("mixed.yaml")
    costs = count(space)
    for layer in space.layers:
        for column, choice in enumerate(layer.choices):
            module = choice.build(layer)
            assert costs.params[layer.index, column] == sum(each.numel() for each in module.parameters())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Blocks of type .* are no slices of a larger one")
def test_from_the_search_to_the_exported_file(folder: Path) -> None:
    """Inverted residual, universal inverted bottlenecks, bottleneck, ghost and skip in one supernet."""
    pytest.importorskip("onnxruntime")
    own = ["--blocks", "ghost.py"]
    short = ["--trainer.max_epochs=2", "--data.resolution=8", "--data.batch_size=32", *own]
    dnas(
        [
            "latency",
            "build-calibrated",
            "adreno630_mace",
            "--space",
            "mixed.yaml",
            "--output",
            "mixed.csv",
            *own,
        ]
    )
    search = ["--config", "digits/search.yaml", "--model.space", "mixed.yaml", "--model.table", "mixed.csv"]
    dnas(["fit", *search, "--model.steps.warmup_epochs=1", "--run_folder", "search", *short])
    checkpoint = ["--checkpoint", "search/checkpoints/last.ckpt"]
    dnas(["derive", *checkpoint, "--output", "derived", "--sample", "3", *own])
    refine = [*checkpoint, "--output", "refined", "--population", "4", "--generations", "1"]
    dnas(["refine", *refine, "--recalibration-batches", "1", *own])
    runs = ["--run", "gradient=derived", "evolution=refined", "--table", "mixed.csv", *checkpoint]
    dnas(["compare", *runs, "--output", "compared", "--no-figures", *own])
    report = (folder / "compared" / "report.html").read_text(encoding="utf-8")
    assert report.count('class="architecture"') >= 2
    # The network that is retrained has every type.
    space = SearchSpace.load("mixed.yaml")
    Architecture.from_names(["ghost", "bottleneck", "extra", "next"], space).save(folder / "chosen.json")
    trained = ["--config", "digits/train.yaml", "--model.architecture", "chosen.json"]
    dnas(["fit", *trained, "--run_folder", "trained", *short])
    dnas(["export", "--checkpoint", "trained/checkpoints/last.ckpt", "--output", "model.onnx", *own])
    assert (folder / "model.onnx").stat().st_size > 10_000
    assert "ghost.py" not in (folder / "search" / "config.yaml").read_text(encoding="utf-8")
    content = json.loads((folder / "chosen.json").read_text(encoding="utf-8"))
    assert content["space"]["choices"]["ghost"] == {"type": "ghost", "expansion": 2}


def test_without_the_file_it_says_what_is_missing(folder: Path) -> None:
    with pytest.raises(
        SystemExit, match=r"mixed.yaml:12: choices.ghost.type: no block type 'ghost'.*--blocks"
    ):
        dnas(["memory", "--space", "mixed.yaml"])
