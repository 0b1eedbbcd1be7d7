"""Latency tables and limits by device, as the command line gives them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dnas.device_tables import DeviceError, limits_by_device, load_device_tables, table_source
from dnas.space import SearchSpace
from latency import LatencyTable, TableError, load_table

PHONES = ["adreno640_tflite2.10", "mali_g76_tflite2.10"]


@pytest.fixture(scope="module")
def moga() -> SearchSpace:
    return SearchSpace.load("moga")


def test_devices_are_called_as_the_user_or_the_table_does(moga: SearchSpace) -> None:
    tables = load_device_tables([f"pixel4={PHONES[0]}", PHONES[1]], moga, load_table)
    assert list(tables) == ["pixel4", PHONES[1]]
    assert [each.name for each in tables.values()] == PHONES


def test_a_file_may_have_an_equals_sign_in_its_name(tiny_space: SearchSpace, tiny_table_file: Path) -> None:
    file = tiny_table_file.with_name("a=b.csv")
    file.write_bytes(tiny_table_file.read_bytes())
    name = load_table(file, tiny_space).name
    assert load_device_tables([str(file)], tiny_space, load_table).keys() == {name}
    assert load_device_tables([f"phone={file}"], tiny_space, load_table).keys() == {"phone"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "of one device or more"),
        ([f"a={PHONES[0]}", f"a={PHONES[1]}"], "two tables of the device a"),
        ([f"a={PHONES[0]}", f"b={PHONES[0]}"], "a and b have the same table"),
        ([f"a b={PHONES[0]}"], "expected TABLE or DEVICE=TABLE"),
        (["a="], "expected TABLE or DEVICE=TABLE"),
        ([PHONES[0], "s10=nowhere"], "--table s10=nowhere: .*nowhere"),
    ],
)
def test_what_names_no_devices_is_refused(given: list[str], said: str, moga: SearchSpace) -> None:
    with pytest.raises(DeviceError, match=said):
        load_device_tables(given, moga, load_table)


def test_a_device_whose_table_lacks_rows_is_named(
    tiny_space: SearchSpace, tiny_table_file: Path, tmp_path: Path
) -> None:
    lines = tiny_table_file.read_text().splitlines(keepends=True)
    (tmp_path / "cut.csv").write_text("".join(lines[:-1]))
    with pytest.raises(DeviceError, match=r"--table s10=.*cut\.csv: .*"):
        load_device_tables([str(tiny_table_file), f"s10={tmp_path / 'cut.csv'}"], tiny_space, load_table)
    with pytest.raises(TableError):
        load_device_tables([str(tmp_path / "cut.csv")], tiny_space, load_table)


def test_limits_are_of_all_devices_or_of_one() -> None:
    assert limits_by_device([9], ["a", "b"], "--below") == {"a": 9.0, "b": 9.0}
    assert limits_by_device(["b=7.5"], ["a", "b"], "--below") == {"b": 7.5}
    assert limits_by_device(["b=7.5", "9"], ["a", "b"], "--below") == {"a": 9.0, "b": 7.5}
    assert limits_by_device([], ["a"], "--below") == {}
    assert limits_by_device(["odd=name=3"], ["odd=name"], "--below") == {"odd=name": 3.0}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["c=7"], "no device 'c', the tables are of a, b"),
        (["a=7", "a=8"], "two limits of a"),
        (["7", "8"], "two limits of all devices"),
        (["a=fast"], "a=fast is no number of milliseconds above 0"),
        (["-1", "b=nan", "a=inf"], r"-1 is no .*; b=nan is no .*; a=inf is no .*Expected MS or DEVICE=MS"),
    ],
)
def test_what_is_no_limit_is_refused(given: list[str], said: str) -> None:
    with pytest.raises(DeviceError, match=said):
        limits_by_device(given, ["a", "b"], "--below")


@pytest.mark.parametrize("name", ["..", ".hidden", "-x", "a+b"])
def test_a_table_whose_name_does_not_do_for_files_needs_one(
    name: str, tiny_space: SearchSpace, tiny_table_file: Path
) -> None:
    def renamed(source: str, space: SearchSpace) -> LatencyTable:
        table = load_table(tiny_table_file, space)
        return replace(table, name=name) if source == "odd.csv" else replace(table, sha256="0" * 64)

    with pytest.raises(DeviceError, match=r"the name of the table, .*, does not do .* as in first=odd\.csv"):
        load_device_tables(["plain=x.csv", "odd.csv"], tiny_space, renamed)
    assert list(load_device_tables(["plain=x.csv", "odd=odd.csv"], tiny_space, renamed)) == ["plain", "odd"]
    # Alone it names no file, and runs have always taken it.
    assert list(load_device_tables(["odd.csv"], tiny_space, renamed)) == [name]


@pytest.mark.parametrize(
    ("given", "source"), [("a.csv", "a.csv"), ("pixel4=a.csv", "a.csv"), ("a=b=c.csv", "b=c.csv")]
)
def test_the_table_behind_a_device(given: str, source: str) -> None:
    assert table_source(given) == source
