"""The list of networks in every form, and a network's own page."""

from __future__ import annotations

import csv

import pytest

from dnas.derive.text import to_text
from dnas.space import SearchSpace, zoo
from dnas.zoo.account import Account, Latency, account
from dnas.zoo.text import as_csv, as_markdown, in_order, latency_table, list_of_networks, page
from latency import load_table

MACE = "adreno630_mace_calibrated"


@pytest.fixture(scope="module")
def accounts() -> list[Account]:
    table = load_table(MACE, SearchSpace.load("moga"))
    moga = [account(zoo.published(name), [table]) for name in ("moga_a", "moga_c")]
    return [*moga, account(zoo.published("resnet50"), []), account(zoo.published("mobilenet_v2"), [])]


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("name", ["mobilenet_v2", "moga_a", "moga_c", "resnet50"]),
        ("params", ["mobilenet_v2", "moga_a", "moga_c", "resnet50"]),
        ("madds", ["moga_c", "mobilenet_v2", "moga_a", "resnet50"]),
        ("top1", ["moga_a", "moga_c", "mobilenet_v2", "resnet50"]),
        (MACE, ["moga_c", "moga_a", "resnet50", "mobilenet_v2"]),
    ],
)
def test_orders(accounts: list[Account], by: str, names: list[str]) -> None:
    """Unknown values come last, in the order given."""
    assert [each.published.name for each in in_order(accounts, by)] == names


def test_an_unknown_order_names_the_known_ones(accounts: list[Account]) -> None:
    with pytest.raises(ValueError, match=rf"Cannot sort by 'size'.*name, params, .*top1, {MACE}\."):
        in_order(accounts, "size")


def test_the_list(accounts: list[Account]) -> None:
    text = to_text(list_of_networks(accounts), width=100)
    first, *_, last = (
        line.split() for line in text.splitlines() if line.startswith((" moga_a", " mobilenet"))
    )
    assert first == ["moga_a", "5.16", "304.0", "224", "75.9", "10.95"]
    assert last == ["mobilenet_v2", "3.50", "300.8", "224", "72.0", "–"]


def test_csv_has_intervals_and_leaves_the_unknown_empty(accounts: list[Account]) -> None:
    rows = {row["name"]: row for row in csv.DictReader(as_csv(accounts).splitlines())}
    moga, resnet = rows["moga_a"], rows["resnet50"]
    assert float(moga[f"{MACE}_low_ms"]) < float(moga[f"{MACE}_ms"]) < float(moga[f"{MACE}_high_ms"])
    assert moga[f"{MACE}_kind"] == "calibrated" and moga["params"] == "5159802"
    assert resnet["top1"] == resnet[f"{MACE}_ms"] == "" and resnet["agreement"].startswith("equal: ")


def test_markdown_is_a_table(accounts: list[Account]) -> None:
    lines = as_markdown(accounts).splitlines()
    assert len({line.count("|") for line in lines}) == 1 and len(lines) == len(accounts) + 2
    assert "| 10.95 (10.43 to 11.47) | MACE, Adreno 630 11.1; SNPE" in lines[2]
    assert lines[4].endswith("| torchvision resnet50 | equal: parameters, multiply-adds | – | – | – |")


def test_latencies_of_tables_stand_beside_the_published(accounts: list[Account]) -> None:
    lines = to_text(latency_table(accounts[0]), width=100).splitlines()
    rows = [line for line in lines if "630" in line]
    assert [row.split()[-1] for row in rows] == ["networks", "published", "published"]
    assert "10.95" in rows[0] and "model calibrated on published networks" in rows[0]
    assert rows[-1].split()[:4] == ["SNPE,", "Adreno", "630", "11.8"]


def test_a_kind_is_never_called_measured() -> None:
    """The kernels were measured; the network was not."""
    table = load_table("adreno640_tflite2.10", SearchSpace.load("moga"))
    found = account(zoo.published("moga_b"), [table])
    assert isinstance(found.latencies[0], Latency)
    assert "assembled from measured kernels" in to_text(latency_table(found), width=100)


def test_pages(accounts: list[Account]) -> None:
    moga, _, resnet, mobilenet = ("\n".join(page(each)) for each in accounts)
    assert moga.startswith("MoGA-A (moga_a), arXiv 1908.01314\n5,159,802 parameters, 304.042 M multiply-adds")
    assert "Reference: none" in moga and "Space: moga; E6K5 E6K7" in moga
    assert "Published: 75.9 % top-1, 92.8 % top-5, 5.1 M parameters" in moga and "Source: Table 3 of" in moga
    assert "Published: nothing is listed" in resnet and "--space resnet50" in resnet
    assert "Reference: torchvision mobilenet_v2: equal: parameters, multiply-adds" in mobilenet
