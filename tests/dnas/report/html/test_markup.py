"""HTML and SVG as text: escaping, attributes, short numbers, embedded data."""

from __future__ import annotations

import json

import pytest

from dnas.report.html.markup import Markup, data, element, join, number, percent


def test_plain_text_is_escaped_and_markup_is_kept() -> None:
    inner = element("b", "a < b & c")
    assert inner == "<b>a &lt; b &amp; c</b>"
    assert element("p", inner, "<i>") == "<p><b>a &lt; b &amp; c</b>&lt;i&gt;</p>"
    assert join("<", Markup("<br>")) == "&lt;<br>"


def test_attributes_are_escaped_and_named_as_in_html() -> None:
    made = element("line", class_="a b", data_m=3, x1=0.25, aria_label='"<x>"', viewBox="0 0 1 1")
    assert made == (
        '<line class="a b" data-m="3" x1="0.2" aria-label="&quot;&lt;x&gt;&quot;" viewBox="0 0 1 1"/>'
    )


def test_true_is_a_bare_attribute_and_none_and_false_leave_it_out() -> None:
    assert element("td", hidden=True, title=None, open=False) == "<td hidden></td>"


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(10.0, 1, "10"), (10, 0, "10"), (0.04, 1, "0"), (-0.04, 1, "0"), (-1.26, 1, "-1.3"), (1.255, 2, "1.25")],
)
def test_numbers_are_short(value: float, decimals: int, text: str) -> None:
    assert number(value, decimals) == text


def test_percent_has_two_decimals_at_most() -> None:
    assert percent(0.123456) == "12.35%"
    assert percent(1) == "100%"


def test_embedded_data_cannot_end_its_script() -> None:
    made = data({"name": "</script><script>alert(1)</script>"}, class_="values")
    assert made.count("<") == 2
    content = made.removeprefix('<script type="application/json" class="values">').removesuffix("</script>")
    assert json.loads(content) == {"name": "</script><script>alert(1)</script>"}


def test_embedded_data_is_json_that_browsers_read() -> None:
    with pytest.raises(ValueError):
        data([float("nan")])
