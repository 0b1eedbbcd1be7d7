"""The page in a real browser, on a desktop and on a phone: nothing overlaps, fails, or leaves the machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dnas.compare.model import Comparison
from dnas.compare.page import write_report
from dnas.space import SearchSpace

pytestmark = pytest.mark.slow

Make = Callable[..., Comparison]
DESKTOP, PHONE = 1280, 390

# Texts of one picture whose boxes share more than half a pixel, and texts outside the window.
COLLISIONS = """(() => {
  const found = [];
  for (const picture of document.querySelectorAll("svg")) {
    if (picture.parentElement.closest("svg")) continue;
    const texts = [...picture.querySelectorAll("text")]
      .map((node) => [node.textContent, node.getBoundingClientRect()]).filter(([, box]) => box.width > 0);
    texts.forEach(([one, a], index) => {
      const scrolled = picture.closest(".scroll");
      if (!scrolled && (a.left < 0 || a.right > innerWidth)) found.push(`${one} is outside`);
      for (const [other, b] of texts.slice(index + 1)) {
        const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (across > 0.5 && down > 0.5) found.push(`${one} | ${other}`);
      }
    });
  }
  return found;
})()"""
# Blocks of text, headings, charts and tables that stand one below the other.
STACKED = """(() => {
  const found = [];
  for (const part of document.querySelectorAll("section")) {
    const boxes = [...part.children]
      .map((node) => [node, node.getBoundingClientRect()]).filter(([, box]) => box.height);
    boxes.slice(1).forEach(([node, box], index) => {
      if (box.top < boxes[index][1].bottom - 0.5) found.push(`${part.id}: ${node.className || node.tagName}`);
    });
  }
  return found;
})()"""
LONG = (
    "NSGA-II with weights 2 2 1, reinforced mutation, seeded by the differentiable search at 10 ms",
    "a_name_without_any_place_to_break_the_line_that_is_longer_than_the_width_of_a_phone_in_any_font",
)


def faults(browser: Any) -> list[Any]:
    """What the browser complained about since the page was opened, console messages included."""
    methods = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
    return [event["params"] for event in browser.events if event.get("method") in methods]


def requests(browser: Any) -> list[str]:
    sent = [e for e in browser.events if e.get("method") == "Network.requestWillBeSent"]
    return [event["params"]["request"]["url"] for event in sent]


def box(browser: Any, selector: str) -> dict[str, float]:
    """The place of the first such element in the window, once the page stands still."""
    browser.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    place: dict[str, float] = browser.evaluate(
        f"document.querySelector({json.dumps(selector)}).getBoundingClientRect().toJSON()"
    )
    return place


def centre(browser: Any, selector: str) -> tuple[float, float]:
    """The middle of an element, scrolled into view."""
    browser.evaluate(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center'}})")
    place = box(browser, selector)
    return place["x"] + place["width"] / 2, place["y"] + place["height"] / 2


def point_at(browser: Any, place: tuple[float, float]) -> str:
    """Move the mouse there; returns the text of the values that are shown."""
    browser.send("Input.dispatchMouseEvent", type="mouseMoved", x=place[0], y=place[1])
    return shown(browser)


def shown(browser: Any) -> str:
    """The text of the values that are shown, empty when there are none."""
    tip = box(browser, ".tip")
    return str(browser.evaluate("document.querySelector('.tip').innerText")) if tip["height"] else ""


def press(browser: Any, key: str) -> None:
    browser.send("Input.dispatchKeyEvent", type="keyDown", key=key)
    browser.send("Input.dispatchKeyEvent", type="keyUp", key=key)


@pytest.fixture(scope="module")
def report(make_comparison: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of five methods with three seeds each."""
    return write_report(make_comparison(members=12), tmp_path_factory.mktemp("report"))


@pytest.mark.parametrize(
    ("width", "dark"), [(DESKTOP, False), (DESKTOP, True), (700, False), (PHONE, True), (320, False)]
)
def test_nothing_overlaps_fails_or_is_fetched(browser: Any, report: Path, width: int, dark: bool) -> None:
    browser.open(report, width, dark=dark)
    assert browser.evaluate(COLLISIONS) == []
    assert browser.evaluate(STACKED) == []
    assert browser.evaluate("document.scrollingElement.scrollWidth") <= width
    assert browser.evaluate("innerWidth") == width
    assert faults(browser) == []
    assert requests(browser) == [report.resolve().as_uri()]


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
@pytest.mark.parametrize(
    "options",
    [
        {"quality": "loss"},
        {"methods": 1, "seeds": 1, "members": 1, "published": False},
        {"methods": 0, "published": False},
        {"methods": 12, "seeds": 2, "members": 8},
        {"methods": 2, "names": LONG},
        {"methods": 2, "space": "motley"},
        {"methods": 2, "space": "fbnet"},
    ],
    ids=str,
)
def test_every_comparison_fits(
    browser: Any,
    make_comparison: Make,
    get_space: Callable[[str], SearchSpace],
    tmp_path: Path,
    width: int,
    options: dict[str, Any],
) -> None:
    space = {"space": get_space(options["space"])} if "space" in options else {}
    report = write_report(make_comparison(**(options | space)), tmp_path)
    browser.open(report, width)
    assert browser.evaluate(COLLISIONS) == []
    assert browser.evaluate(STACKED) == []
    assert browser.evaluate("document.scrollingElement.scrollWidth") <= width
    assert faults(browser) == []


def test_the_check_finds_texts_that_overlap(browser: Any, report: Path) -> None:
    browser.open(report, DESKTOP)
    browser.evaluate("document.querySelector('#course text.tick').setAttribute('y', '19%')")
    browser.evaluate(
        "document.querySelectorAll('#course text.end').forEach((node) => node.setAttribute('y', 20))"
    )
    assert browser.evaluate(COLLISIONS) != []


def test_dark_pages_are_dark(browser: Any, report: Path) -> None:
    colours = []
    for dark in (False, True):
        browser.open(report, DESKTOP, dark=dark)
        colours.append(browser.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colours == ["rgb(255, 255, 255)", "rgb(21, 24, 28)"]


def test_names_cannot_run(browser: Any, make_comparison: Make, tmp_path: Path) -> None:
    evil = "<script>window.evil=1</script><img src=x onerror='window.evil=1'>"
    comparison = make_comparison(2, 1, 3, names=(evil, evil + "2"), title=evil, finding=evil, notes=(evil,))
    report = write_report(comparison, tmp_path)
    browser.open(report, DESKTOP)
    text = point_at(browser, centre(browser, "#front .series use"))
    assert text.startswith(evil)
    assert browser.evaluate("window.evil === undefined && document.images.length === 0")
    assert faults(browser) == []
    assert requests(browser) == [report.resolve().as_uri()]


def test_a_point_shows_its_values_to_the_mouse(browser: Any, make_comparison: Make, tmp_path: Path) -> None:
    comparison = make_comparison(1, 1, 1, published=False)
    browser.open(write_report(comparison, tmp_path), DESKTOP)
    (point,) = comparison.methods[0].runs[0].members
    text = point_at(browser, centre(browser, "#front .series use"))
    assert (
        f"{point.latency_ms:.2f} ms calibrated ({point.latency_low_ms:.2f} to {point.latency_high_ms:.2f})"
        in text
    )
    assert f"top-1 {100 * point.top1:.2f} %" in text
    assert " ".join(point.choices) in text
    assert point_at(browser, (5, 5)) == ""


def test_a_point_shows_its_values_to_a_finger(browser: Any, report: Path) -> None:
    browser.open(report, PHONE)
    x, y = centre(browser, "#front .series use")
    browser.send("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
    browser.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    assert "FBNet-style search, seed" in shown(browser)
    tip = box(browser, ".tip")
    assert (tip["left"], tip["right"]) == (8, PHONE - 8)


def test_points_are_walked_with_the_keyboard(browser: Any, report: Path) -> None:
    browser.open(report, DESKTOP)
    stops = browser.evaluate("document.querySelectorAll('#front use[tabindex=\"0\"]').length")
    assert stops == 6
    browser.evaluate("document.querySelector('#front use[tabindex=\"0\"]').focus()")
    first = browser.evaluate("document.activeElement.getAttribute('aria-label')")
    assert first.split("; ")[0] in shown(browser)
    press(browser, "ArrowRight")
    second = browser.evaluate("document.activeElement.getAttribute('aria-label')")
    assert second != first and second.split("; ")[1] in shown(browser)
    browser.evaluate("scrollBy(0, 50)")
    assert second.split("; ")[1] in shown(browser)
    press(browser, "Escape")
    assert shown(browser) == ""


def test_every_point_has_a_label_with_its_network(browser: Any, report: Path) -> None:
    browser.open(report, PHONE)
    bad = browser.evaluate(
        "[...document.querySelectorAll('#front .series use')]"
        ".filter((node) => !/ ms .*(E[36]K[357](SE)? ?){14}$/.test(node.getAttribute('aria-label'))).length"
    )
    assert bad == 0


def test_curves_show_what_every_method_attains_at_the_pointer(
    browser: Any, make_comparison: Make, tmp_path: Path
) -> None:
    comparison = make_comparison(2, 3, 6, published=False)
    browser.open(write_report(comparison, tmp_path), DESKTOP)
    heading, *lines = point_at(browser, centre(browser, "#attainment .plot")).splitlines()
    ms = float(heading.removesuffix(" ms"))
    for line, method in zip(lines, comparison.methods, strict=True):
        held = [value for corner, value in method.attainment.median if corner <= ms]
        assert line.startswith(f"{method.name}: {100 * held[-1]:.1f}")


def test_curves_are_read_with_the_keyboard(browser: Any, report: Path) -> None:
    browser.open(report, DESKTOP)
    browser.evaluate("document.querySelector('#course .plot').focus()")
    press(browser, "ArrowRight")
    first = browser.evaluate("document.activeElement.getAttribute('aria-valuetext')")
    press(browser, "ArrowRight")
    second = browser.evaluate("document.activeElement.getAttribute('aria-valuetext')")
    assert int(second.split()[0]) > int(first.split()[0])
    assert "Random search: 0." in second


def test_a_method_is_singled_out_and_back(browser: Any, report: Path) -> None:
    browser.open(report, DESKTOP)
    dim = "[...document.querySelectorAll('.series.dim')].map((node) => node.dataset.m).join()"
    click = "document.querySelector('#front .legend button').click()"
    browser.evaluate(click)
    assert browser.evaluate(dim) == "1,2,3,4,5"
    assert browser.evaluate("document.querySelectorAll('[aria-pressed=true]').length") >= 1
    browser.evaluate(click)
    assert browser.evaluate(dim) == ""


def test_the_table_is_sorted_by_number_and_missing_values_come_last(browser: Any, report: Path) -> None:
    browser.open(report, DESKTOP)
    column = "[...document.querySelectorAll('.sortable tbody tr')].map((row) => row.cells[{}].textContent)"
    click = "document.querySelectorAll('.sortable thead button')[{}].click()"
    browser.evaluate(click.format(1))
    latencies = list(map(float, browser.evaluate(column.format(1))))
    assert latencies == sorted(latencies)
    browser.evaluate(click.format(1))
    assert list(map(float, browser.evaluate(column.format(1)))) == latencies[::-1]
    assert browser.evaluate("document.querySelector('[aria-sort]').getAttribute('aria-sort')") == "descending"
    browser.evaluate(click.format(6))
    params = [int(text.replace(",", "")) for text in browser.evaluate(column.format(6))]
    assert params == sorted(params)
    for _ in range(2):
        browser.evaluate(click.format(8))
        assert browser.evaluate(column.format(8))[-1] == "–"


def test_without_its_script_the_page_has_its_figures_and_values(browser: Any, report: Path) -> None:
    browser.open(report, PHONE, script=False)
    assert browser.evaluate("document.querySelectorAll('button').length") == 0
    assert browser.evaluate("document.querySelectorAll('#front .series use').length") == 5 * 3 * 12 + 4
    assert browser.evaluate("document.querySelectorAll('#points tbody tr').length") > 20
    assert browser.evaluate(COLLISIONS) == []
    assert faults(browser) == []


def test_a_picture_of_a_part_is_taken(browser: Any, report: Path, tmp_path: Path) -> None:
    browser.open(report, DESKTOP)
    picture = browser.screenshot(tmp_path / "front.png", "#front")
    assert picture.read_bytes().startswith(b"\x89PNG")
