"""What is read of ``evaluated.csv``, whichever devices its latencies are of."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dnas.compare.evaluated import fronts_alone, read_evaluated, searched_tables
from dnas.compare.files import RunError
from dnas.compare.reading import read_sources
from dnas.compare.source import EvaluatorKey
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture

Write = Callable[..., Path]
KEY = EvaluatorKey("c" * 64, 8)
ONE = "generation,top1,top5,loss,latency_ms,latency_low_ms,latency_high_ms,params,architecture\n"
SEVERAL = "generation,top1,top5,loss,latency_ms_a,latency_ms_b,params,architecture\n"
ROWS = "0,0.5,0.9,1.25,999,999,{more}7,E1K3 E1K3 E1K3\n1,0.1,0.2,{loss},999,999,{more}7,E2K5 E1K3 E2K5\n"


def write(folder: Path, head: str = ONE, loss: str = "inf") -> None:
    rows = ROWS.format(loss=loss, more="999," if head == ONE else "")
    (folder / "evaluated.csv").write_text(head + rows, encoding="utf-8")


@pytest.mark.parametrize("head", [ONE, SEVERAL])
@pytest.mark.parametrize("loss", ["inf", "nan"])
def test_all_is_read_but_latencies(
    write_refined: Write, tiny_space: SearchSpace, head: str, loss: str
) -> None:
    folder = write_refined("a")
    write(folder, head, loss)
    sources = read_sources([f"a={folder}"])
    found = read_evaluated(sources, KEY)
    first, second = (
        Architecture.from_names(row.split(), tiny_space) for row in ("E1K3 E1K3 E1K3", "E2K5 E1K3 E2K5")
    )
    assert set(found) == {first, second}
    assert found[first] == (0.5, 0.9, 1.25, 180) and math.isinf(found[second].loss)
    assert list(fronts_alone(sources, KEY)) == []


def test_a_device_of_several_has_the_file_of_all(write_refined: Write, tmp_path: Path) -> None:
    """In two folders of one refinement, its file is read once."""
    joint = write_refined("joint")
    write(joint, SEVERAL)
    for name, sha in (("a", "a" * 64), ("b", "b" * 64)):
        shutil.copytree(write_refined(name, table={"sha256": sha}), joint / "devices" / name)
    sources = read_sources([f"a={joint}/devices/a"])
    assert len(read_evaluated(sources, KEY)) == 2 and not list(fronts_alone(sources, KEY))
    assert searched_tables(sources) == {"a" * 64, "b" * 64}


def test_what_compares_with_nothing_is_left_out(write_refined: Write) -> None:
    """Evaluations that ended early, and those of another supernet."""
    early, other = (
        write_refined("early"),
        write_refined("other", evaluator={"recalibration_batches": 2, "validation_images": 180}),
    )
    head = "top1,top5,loss,images,architecture\n"
    rows = "0.5,1,1,180,E1K3 E1K3 E1K3\n0.5,1,1,60,E2K5 E1K3 E2K5\n"
    (early / "evaluated.csv").write_text(head + rows, encoding="utf-8")
    write(other)
    sources = read_sources([f"a={early}", f"b={other}"])
    assert [each.images for each in read_evaluated(sources, KEY).values()] == [180]
    (note,) = fronts_alone(sources, KEY)
    assert note.startswith(f"{other}: evaluated by another supernet")


def test_a_run_without_the_file_is_noted(write_refined: Write) -> None:
    sources = read_sources([f"a={write_refined('a')}"])
    assert read_evaluated(sources, KEY) == {}
    (note,) = fronts_alone(sources, KEY)
    assert "without evaluated.csv" in note and "only the front" in note


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no column top1, top5, loss, architecture; found none"),
        ("top1,loss,architecture\n", "has no column top5"),
        ("top1,top5,loss,architecture\n0.5,1,x,E1K3 E1K3 E1K3\n", "line 2: could not convert"),
        ("top1,top5,loss,architecture\n1.5,1,1,E1K3 E1K3 E1K3\n", "line 2: accuracies lie between 0 and 1"),
        ("top1,top5,loss,architecture\nnan,1,1,E1K3 E1K3 E1K3\n", "line 2: accuracies lie between 0 and 1"),
        ("top1,top5,loss,architecture\n0.5,1,1\n", "line 2"),
        ("top1,top5,loss,architecture\n0.5,1,1,E9K9 E1K3 E1K3\n", "E9K9"),
        ("top1,top5,loss,images,architecture\n0.5,1,1,many,E1K3 E1K3 E1K3\n", "line 2"),
    ],
)
def test_damage_is_refused_with_its_place(write_refined: Write, content: str, message: str) -> None:
    folder = write_refined("a")
    (folder / "evaluated.csv").write_text(content, encoding="utf-8")
    with pytest.raises(RunError) as caught:
        read_evaluated(read_sources([f"a={folder}"]), KEY)
    assert str(folder) in str(caught.value) and message in str(caught.value)
