"""A table for other networks than the space's is refused, and what differs is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dnas.space import SearchSpace
from latency import TableError, load_table
from latency.table.entry import Entry, Geometry
from latency.table.fit_to_space import fixed_operations, space_problems
from latency.table.table_file import read_shipped, write_file

SHIPPED = "adreno630_mace_calibrated"


def problems(space: SearchSpace) -> list[str]:
    return space_problems(read_shipped(SHIPPED, "moga"), space)


@pytest.fixture(scope="module")
def moga() -> SearchSpace:
    return SearchSpace.load("moga")


def changed(space: SearchSpace, **changes: Any) -> SearchSpace:
    return SearchSpace.from_dict({**space.to_dict(), **changes})


def test_the_space_itself_fits(moga: SearchSpace) -> None:
    assert problems(moga) == []


def test_another_space() -> None:
    (problem,) = problems(SearchSpace.load("fbnet"))
    assert problem.startswith(
        "space: the table is for 'moga', the search uses 'fbnet', 182 of whose 198 blocks"
    )


def test_a_space_of_another_name_with_the_same_operations(moga: SearchSpace, tmp_path: Path) -> None:
    """Rows are found by what they compute, whatever layers and choices are called."""
    definition = moga.to_dict()
    names = {name: f"block_{index}" for index, name in enumerate(definition["choices"])}
    definition["choices"] = {
        names[name]: {"type": "inverted_residual", **choice}
        for name, choice in reversed(definition["choices"].items())
    }
    other = SearchSpace.from_dict({**definition, "format": "dnas-space/2", "name": "other"})
    file = read_shipped(SHIPPED, "moga")
    assert space_problems(file, other) == []
    path = write_file(tmp_path / "table.csv", file.header, file.entries)
    reordered = load_table(SHIPPED, moga).ms[:, ::-1]
    assert load_table(path, other).ms.tolist() == reordered.tolist()
    assert load_table(SHIPPED, other).ms.tolist() == reordered.tolist(), "by its name, too"
    definition["choices"]["new"] = {"type": "conv", "kernel": 3}
    larger = SearchSpace.from_dict({**definition, "format": "dnas-space/2", "name": "other"})
    with pytest.raises(TableError, match="14 of whose 182 blocks are not in the table"):
        load_table(path, larger)
    unfit = r"ships for the space\(s\) fbnet, moga, not for other; the closest one: the table is for 'moga', "
    with pytest.raises(TableError, match=f"{unfit}.* 14 of whose 182 blocks"):
        load_table(SHIPPED, larger)


def test_another_resolution_says_what_to_do(moga: SearchSpace) -> None:
    (problem,) = problems(moga.adapt(resolution=32))
    assert "the table is for 224 px, the space is 32 px" in problem
    assert "keep the space's resolution at 224" in problem


def test_another_number_of_classes(moga: SearchSpace) -> None:
    (problem,) = problems(moga.adapt(num_classes=10))
    assert (
        "only in the space: linear 1280>10 at 1, none; only in the table: linear 1280>1000 at 1, none"
        in problem
    )


def test_another_stem_stride_changes_every_layer(moga: SearchSpace) -> None:
    found = problems(moga.adapt(stem_stride=1))
    assert sum(problem.startswith("geometry of L") for problem in found) == 14
    assert any("fixed.stem" in problem for problem in found)


def test_missing_entries_are_all_named(moga: SearchSpace) -> None:
    choices = {
        **moga.to_dict()["choices"],
        "E4K3": {"expansion": 4, "kernel": 3},
        "E4K5": {"expansion": 4, "kernel": 5},
    }
    (problem,) = problems(changed(moga, choices=choices))
    assert problem.startswith("missing entries (28): L1 E4K3 E4K5; L2 E4K3 E4K5; ")
    assert problem.endswith("; L14 E4K3 E4K5")


def test_entries_of_no_choice_are_all_named(moga: SearchSpace) -> None:
    choices = {name: choice for name, choice in moga.to_dict()["choices"].items() if name != "E6K7"}
    (problem,) = problems(changed(moga, choices=choices))
    assert problem.startswith("entries that the space does not have (14): L1 E6K7; L2 E6K7; ")


def test_another_meaning_of_the_same_name(moga: SearchSpace) -> None:
    choices = {**moga.to_dict()["choices"], "E3K3": {"expansion": 3, "kernel": 5, "se": 0.5}}
    found = problems(changed(moga, choices=choices))
    assert len(found) == 14
    assert found[0] == "geometry of L1 E3K3: kernel is 3, not 5; squeezed is 0, not 24"


def test_another_activation_is_one_line_per_layer(moga: SearchSpace) -> None:
    layers = moga.to_dict()["layers"]
    layers[8]["activation"] = "relu"
    (problem,) = problems(changed(moga, layers=layers))
    assert problem.startswith("geometry of L9 E3K3, E3K5, ")
    assert problem.endswith(": activation is hswish, not relu")


def test_dropout_and_description_do_not_matter(moga: SearchSpace) -> None:
    head = moga.to_dict()["head"]
    head[-1]["rate"] = 0.5
    assert problems(changed(moga, head=head, description="other words")) == []


def test_unreadable_rows_are_wrong_and_not_missing(file: Path, tiny: SearchSpace) -> None:
    file.write_text(file.read_text().replace(",1.0,5,", ",nan,5,"))
    with pytest.raises(TableError, match="nan") as caught:
        load_table(file, tiny)
    assert "missing" not in str(caught.value)


def test_other_operations_under_equal_facts_do_not_fit(file: Path, tiny: SearchSpace) -> None:
    """A type that computes something else than when the table was made."""
    digest = Geometry.of(tiny.layers[0], tiny.layers[0].choices[0]).ops
    file.write_text(file.read_text().replace(digest, "0123456789abcdef"))
    with pytest.raises(TableError, match=r"L1 small: other operations \(0123456789abcdef, not"):
        load_table(file, tiny)


def test_fixed_parts_in_words(tiny: SearchSpace) -> None:
    assert fixed_operations(tiny) == {
        "stem": ["conv 3x3/2 3>4 at 8, relu"],
        "head": ["pool 6>6 at 2, none", "linear 6>3 at 1, none"],
    }


def test_fixed_parts_without_words_are_refused(
    tmp_path: Path, header: dict[str, Any], entries: list[Entry], tiny: SearchSpace
) -> None:
    del header["fixed"]["stem"]
    with pytest.raises(
        TableError, match=r"(?s)'stem' is a required.*only in the space: conv 3x3/2 3>4 at 8, relu"
    ):
        load_table(write_file(tmp_path / "t.csv", header, entries), tiny)


def reduced(space: SearchSpace, names: list[str], **changes: Any) -> SearchSpace:
    layers = [{**layer, "choices": names} for layer in space.to_dict()["layers"]]
    return changed(space, name="fewer", layers=layers, reduced_from=space.name, **changes)


def test_the_table_of_the_full_space_fits_a_reduced_one(moga: SearchSpace) -> None:
    """Choices in another order than in the full space, too: they are found by name."""
    names = ["E6K7SE", "E3K3"]
    full, fewer = load_table(SHIPPED, moga), load_table(SHIPPED, reduced(moga, names))
    columns = [[choice.name for choice in moga.choices(0)].index(name) for name in names]
    assert fewer.ms.shape == (14, 2)
    assert (fewer.ms == full.ms[:, columns]).all()
    assert (fewer.relative_error == full.relative_error[:, columns]).all()
    assert fewer.latency_ms(fewer.cheapest()) == full.latency_ms(full.cheapest())


def test_a_reduced_space_is_checked_like_any_other(moga: SearchSpace) -> None:
    wider = {**moga.to_dict()["choices"], "E9K3": {"expansion": 9, "kernel": 3}}
    with pytest.raises(TableError, match=r"missing entries \(14\): L1 E9K3"):
        load_table(SHIPPED, reduced(moga, ["E3K3", "E9K3"], choices=wider))


def test_without_reduced_from_the_operations_decide(moga: SearchSpace) -> None:
    """A subset under a name of its own has its rows in the table; a block of its own has none."""
    fewer = {name: choice for name, choice in moga.to_dict()["choices"].items() if name.startswith("E3")}
    table = load_table(SHIPPED, changed(moga, name="fewer", choices=fewer))
    assert table.ms.tolist() == load_table(SHIPPED, moga).ms[:, :6].tolist()
    wider = {**fewer, "E9K3": {"expansion": 9, "kernel": 3}}
    with pytest.raises(TableError, match="not for fewer"):
        load_table(SHIPPED, changed(moga, name="fewer", choices=wider))


def test_a_phones_table_has_one_name_at_every_resolution() -> None:
    network = SearchSpace.load("mobilenetv4_conv_medium")
    assert network.resolution == 256
    assert load_table("adreno640_tflite2.10", network).name == "adreno640_tflite2.10_256px"
