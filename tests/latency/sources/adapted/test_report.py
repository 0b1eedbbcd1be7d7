"""What the terminal shows of an adaptation."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console

from dnas.space import SearchSpace
from latency.sources.adapted import report
from latency.sources.adapted.adaptation import adaptation
from latency.sources.adapted.known import KnownPhones
from latency.sources.adapted.timings import Timing

MOGA = SearchSpace.load("moga")
TABLES = ("adreno640_tflite2.10", "mali_g76_tflite2.10")


def test_networks_phones_and_kinds(timings: Callable[..., list[Timing]]) -> None:
    """A phone that is one of the known ones, two times as slow."""
    twice = [
        Timing(timing.name, timing.architecture, 2 * timing.latency_ms) for timing in timings(TABLES[1], MOGA)
    ]
    found = adaptation(KnownPhones.load(TABLES, MOGA), twice)
    console = Console(width=200)
    with console.capture() as captured:
        console.print(report.networks(found))
    lines = captured.get().splitlines()
    assert len(lines) == 1 + len(twice)
    assert lines[1].split()[:3] == ["network", "0", f"{twice[0].latency_ms:.2f}"]
    assert report.phones(found).endswith(" x mali_g76_tflite2.10 (times 2)")
    assert report.kinds(found).count("+-") == len(found.known.kinds)
