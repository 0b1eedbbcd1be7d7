"""Tables for the terminal: every number where it belongs, the kind of latency told, totals that add up."""

from __future__ import annotations

import numpy as np
import pytest

from dnas import Architecture, SearchSpace, costs
from dnas.derive.text import architecture_table, candidates_table, to_text
from dnas.space import zoo

MOGA_A = zoo.load("moga_a")
COSTS = costs.count(MOGA_A.space)
LATENCY = np.arange(1.0, 15.0)


def rows(table, width=80):
    """{first cell: [further cells]} of the rendered lines."""
    lines = to_text(table, width).splitlines()
    return {line.split()[0]: line.split()[1:] for line in lines if line.split()}


def test_architecture_without_latency():
    table = architecture_table(MOGA_A, COSTS)
    found = rows(table)
    assert found["L1"] == ["E6K5", "5", "6", "–", "16→24", "2", "6,672", "34.02"]
    assert found["L5"] == ["E3K3SE", "3", "3", "yes", "40→40", "1", "18,590", "8.38"]
    assert found["stem,"] == ["head", "2,666,248", "20.47"]
    # FACTS: the published counts of MoGA-A.
    assert found["total"] == ["5,159,802", "304.04"]
    assert "ms" not in found["layer"] and len(table.rows) == 16


def test_architecture_with_latency():
    table = architecture_table(MOGA_A, COSTS, LATENCY, fixed_latency_ms=15.0, latency_kind="calibrated")
    found = rows(table)
    assert found["L1"][6:8] == ["1.000", "0.8"] and found["L14"][6:8] == ["14.000", "11.7"]
    assert found["stem,"][1:3] == ["15.000", "12.5"]
    assert found["total"][:2] == ["120.000", "100.0"]
    text = to_text(table, 80)
    assert "calibrated latency" in text and "measured" not in text
    assert "…" not in text and max(map(len, text.splitlines())) <= 80


def test_skip_has_no_block():
    space = SearchSpace.load("fbnet")
    architecture = Architecture.from_names(["skip"] * 22, space)
    found = rows(architecture_table(architecture, costs.count(space)))
    assert found["L1"] == ["skip", "–", "–", "–", "16→16", "1", "0", "0.00"]


def test_no_latency_at_all_has_no_shares():
    table = architecture_table(MOGA_A, COSTS, np.zeros(14), fixed_latency_ms=0.0, latency_kind="assembled")
    assert rows(table)["total"][:2] == ["0.000", "–"]


def test_names_that_look_like_markup_stay():
    assert to_text(architecture_table(MOGA_A, COSTS, title="[red] title")).startswith("[red] title")
    text = to_text(candidates_table([{"name": "[red]a", "latency_ms": 1.0}], latency_kind="[i]"))
    assert "[red]a" in text and "[i]" in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latency_ms_per_layer": None}, "latencies need latency_ms_per_layer too"),
        (
            {"fixed_latency_ms": None, "latency_kind": None},
            "latencies need fixed_latency_ms, latency_kind too",
        ),
        ({"latency_ms_per_layer": LATENCY[:3]}, r"expected 14 latencies, one per layer, got shape \(3,\)"),
        ({"latency_ms_per_layer": LATENCY * np.nan}, "not finite"),
        ({"fixed_latency_ms": float("inf")}, "not finite"),
        (
            {"latency_kind": None, "costs": costs.count(SearchSpace.load("fbnet"))},
            "the costs are of the space fbnet; latencies need latency_kind too",
        ),
    ],
)
def test_what_does_not_fit(changes, message):
    given = {
        "costs": COSTS,
        "latency_ms_per_layer": LATENCY,
        "fixed_latency_ms": 1.0,
        "latency_kind": "calibrated",
    }
    with pytest.raises(ValueError, match=message):
        architecture_table(MOGA_A, **{**given, **changes})


def test_candidates_side_by_side():
    table = candidates_table(
        [
            {
                "name": "argmax",
                "latency_ms": 9.104,
                "params": 5159802,
                "madds": 304042176,
                "probability": 3.21e-12,
            },
            {
                "name": "fast",
                "latency_ms": 7.9,
                "params": None,
                "top1": np.float32(0.97531),
                "probability": np.nan,
            },
        ],
        latency_kind="calibrated",
        title="Candidates",
    )
    found = rows(table)
    assert found["argmax"] == ["9.10", "5,159,802", "304,042,176", "3.21e-12", "–"]
    assert found["fast"] == ["7.90", "–", "–", "–", "97.53%"]
    assert found["name"] == ["calibrated", "params", "madds", "probability", "top-1"]
    assert to_text(table).startswith("Candidates")


def test_columns_that_no_row_fills_are_left_out():
    table = candidates_table(
        [{"name": "a", "params": 3}, {"name": "b", "top1": None}], latency_kind="measured"
    )
    assert [column.header.plain for column in table.columns] == ["name", "params"]


def test_no_candidates():
    assert candidates_table([], latency_kind="measured").row_count == 0


def test_rows_that_do_not_fit():
    with pytest.raises(
        ValueError, match=r"row 2 has no name; unknown keys lat, top_1 \(known: latency_ms, madds"
    ):
        candidates_table([{"name": "a", "top_1": 1}, {"lat": 1}], latency_kind="measured")


def test_plain_text_has_no_colours_and_no_trailing_blanks():
    text = to_text(architecture_table(MOGA_A, COSTS), 60)
    assert "\x1b" not in text and text.endswith("\n")
    assert all(line == line.rstrip() for line in text.splitlines())
