"""NetAdapt: by hand, against a greedy search written out, down to the target, resumed anywhere."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dnas.search.evolution.algorithm import FloatArray, IntArray
from dnas.search.evolution.netadapt import NetAdapt

# Two layers of three choices; the slowest network takes 10 ms with the fixed 2.
LATENCY = np.array([[4.0, 3.0, 1.0], [4.0, 2.0, 3.5]])
# Quality is additive: what every choice brings.
QUALITY = np.array([[0.40, 0.37, 0.28], [0.40, 0.36, 0.395]])


def additive(genomes: IntArray) -> FloatArray:
    return QUALITY[[0, 1], genomes].sum(axis=1)[:, None]


def netadapt(**settings: Any) -> NetAdapt:
    return NetAdapt((3, 3), (0, 0), LATENCY, **{"fixed_ms": 2.0, **settings})


def steps(
    algorithm: NetAdapt, quality: Callable[[IntArray], FloatArray] = additive, number: int = 1000
) -> list[list[list[int]]]:
    """Ask and tell until nothing is left, at most ``number`` times; return what was asked for."""
    asked = []
    while len(asked) < number and len(genomes := algorithm.ask()):
        algorithm.tell(genomes, quality(genomes))
        asked.append(genomes.tolist())
    return asked


def test_by_hand() -> None:
    algorithm = netadapt()
    assert steps(algorithm) == [
        [[0, 0]],
        # loss per ms: 0.03 / 1, 0.12 / 3, 0.04 / 2, 0.005 / 0.5
        [[1, 0], [2, 0], [0, 1], [0, 2]],
        # from (0, 2): 0.03 / 1, 0.12 / 3, and (0, 1), known: 0.035 / 1.5
        [[1, 2], [2, 2]],
        # from (0, 1)
        [[1, 1], [2, 1]],
        # from (1, 1) only (2, 1) is left, and known: taken at once
    ]
    assert algorithm.path.tolist() == [[0, 0], [0, 2], [0, 1], [1, 1], [2, 1]]
    nothing = algorithm.ask()
    assert nothing.shape == (0, 2) and nothing.dtype == np.int64
    algorithm.tell(nothing, np.empty((0, 3)))
    assert len(algorithm.path) == 5


@pytest.mark.parametrize(
    ("target_ms", "path"),
    [
        (9.5, [[0, 0], [0, 2]]),
        (9.4, [[0, 0], [0, 2], [0, 1]]),
        (7.0, [[0, 0], [0, 2], [0, 1], [1, 1]]),
        (7.0 - 1e-9, [[0, 0], [0, 2], [0, 1], [1, 1]]),  # missed by rounding: met
        (7.0 - 1e-7, [[0, 0], [0, 2], [0, 1], [1, 1], [2, 1]]),
        (0.1, [[0, 0], [0, 2], [0, 1], [1, 1], [2, 1]]),
        (10.0, [[0, 0]]),
        (99.0, [[0, 0]]),
    ],
)
def test_stops_at_the_target(target_ms: float, path: list[list[int]]) -> None:
    algorithm = netadapt(target_ms=target_ms)
    asked = steps(algorithm)
    assert asked[0] == [[0, 0]]
    assert algorithm.path.tolist() == path


@pytest.mark.parametrize(
    ("min_reduction", "proposals"),
    [
        (0.05, [[1, 0], [2, 0], [0, 1], [0, 2]]),  # (0, 2) saves just 5 % of 10 ms
        (0.051, [[1, 0], [2, 0], [0, 1]]),
        (0.2, [[2, 0], [0, 1]]),
        (0.31, []),
    ],
)
def test_proposals_save_a_share_of_the_starts_latency(
    min_reduction: float, proposals: list[list[int]]
) -> None:
    asked = steps(netadapt(min_reduction=min_reduction), number=2)
    assert asked == [[[0, 0]], proposals][: 2 if proposals else 1]


def test_the_share_stays_that_of_the_start() -> None:
    # 0.12 of 10 ms is more than (1, .) saves; of the 8 ms that (0, 1) takes it would be less.
    algorithm = netadapt(min_reduction=0.12)
    assert steps(algorithm) == [[[0, 0]], [[2, 0], [0, 1]], [[2, 1]]]


def test_rounding_does_not_decide_what_saves_enough() -> None:
    # 1.0 - 0.9 is less than 0.1 * 1.0 in floats.
    algorithm = NetAdapt((2,), (0,), [[1.0, 0.9]], min_reduction=0.1)
    assert steps(algorithm, lambda genomes: genomes * 1.0) == [[[0]], [[1]]]


def test_of_equals_the_first() -> None:
    # Every change saves 0.1 ms; by floats added one after the other, the last one's saves more.
    latency = [[0.1, 0.0], [0.5, 0.4], [0.4, 0.3]]
    algorithm = NetAdapt((2, 2, 2), (0, 0, 0), latency)
    steps(algorithm, lambda genomes: -1.0 * genomes.sum(axis=1, keepdims=True))
    assert algorithm.path.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]]


def test_losses_are_lower_for_the_better() -> None:
    up, down = netadapt(), netadapt(quality_maximize=False)
    assert steps(up) == steps(down, lambda genomes: 3.0 - additive(genomes))
    np.testing.assert_array_equal(up.path, down.path)
    assert steps(netadapt(quality_maximize=False)) != steps(netadapt())


def test_only_the_first_value_is_read() -> None:
    def more(genomes: IntArray) -> FloatArray:
        return np.hstack([additive(genomes), -1e6 * genomes])

    assert steps(netadapt(), more) == steps(netadapt())


def greedy(
    choices: tuple[int, ...],
    start: tuple[int, ...],
    latency: FloatArray,
    quality: Callable[[tuple[int, ...]], float],
    target: float,
) -> list[tuple[int, ...]]:
    """The same descent over the whole space: all networks at Hamming distance 1, one list, no memory."""
    space = list(itertools.product(*map(range, choices)))
    ms = {genome: sum(latency[layer, choice] for layer, choice in enumerate(genome)) for genome in space}
    path = [start]
    while ms[path[-1]] > target:
        here = path[-1]
        near = [g for g in space if sum(a != b for a, b in zip(g, here, strict=True)) == 1]
        near = [g for g in near if ms[here] - ms[g] >= 0.01 * ms[start]]
        if not near:
            break
        path.append(max(near, key=lambda g: (quality(g) - quality(here)) / (ms[here] - ms[g])))
    return path


@pytest.mark.parametrize("seed", range(12))
def test_equals_greedy_written_out_and_asks_for_each_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    choices = tuple(rng.integers(1, 6, size=5).tolist())
    latency = rng.random((5, max(choices)))
    table = rng.random(choices)  # qualities without any structure
    worst = np.where(np.arange(max(choices)) < np.array(choices)[:, None], latency, -1).argmax(axis=1)
    start = tuple((rng.integers(choices) if seed % 2 else worst).tolist())
    total = latency[np.arange(5), start].sum()
    target = float(rng.random() * total) if seed % 3 else 0.0
    algorithm = NetAdapt(choices, start, latency, target_ms=target or None)
    asked = steps(algorithm, lambda genomes: table[tuple(genomes.T)][:, None])
    expected = greedy(choices, start, latency, lambda genome: table[genome], target)
    assert list(map(tuple, algorithm.path.tolist())) == expected
    everything = [tuple(genome) for genome in itertools.chain(*asked)]
    assert len(set(everything)) == len(everything)
    assert set(expected) <= set(everything)
    ms = latency[np.arange(5), algorithm.path].sum(axis=1)
    assert (np.diff(ms) <= -0.01 * total + 1e-12).all()


def told(values: list[float], violations: list[float]) -> list[list[int]]:
    """The path after the start and its four proposals (1, 0), (2, 0), (0, 1), (0, 2) have these."""
    algorithm = netadapt()
    algorithm.tell(algorithm.ask(), np.array([values[:1]]), np.array(violations[:1]))
    algorithm.tell(algorithm.ask(), np.array(values[1:])[:, None], np.array(violations[1:]))
    return algorithm.path.tolist()[1:]


NAN = float("nan")


@pytest.mark.parametrize(
    ("values", "violations", "kept"),
    [
        ([0.8, 0.77, 0.68, 0.76, 0.795], [0, 0, 0, 0, 1e-9], [0, 1]),
        ([0.8, NAN, 0.1, NAN, NAN], [0, 2, 0, 2, 2], [2, 0]),
        ([NAN, NAN, NAN, NAN, NAN], [9, 8, 7, 6, 7], [0, 1]),
        ([0.8, NAN, 0.68, NAN, NAN], [0, 0, 0, 0, 0], [2, 0]),
        ([0.8, np.inf, 0.68, -np.inf, NAN], [0, 0, 0, 0, 0], [2, 0]),
        ([0.8, NAN, NAN, NAN, NAN], [0, 0, 0, 0, 0], [1, 0]),
        # The start's quality is unknown: 0.76 is the best, whatever it saves.
        ([NAN, 0.5, 0.68, 0.76, 0.75], [0, 0, 0, 0, 0], [0, 1]),
        ([-np.inf, 0.5, 0.68, 0.76, 0.75], [0, 0, 0, 0, 0], [0, 1]),
    ],
)
def test_infeasible_and_unknown_ones_lose(
    values: list[float], violations: list[float], kept: list[int]
) -> None:
    assert told(values, violations) == [kept]


@pytest.mark.parametrize("choices", [(1,), (1, 1), (2,)])
def test_smallest_spaces(choices: tuple[int, ...]) -> None:
    algorithm = NetAdapt(choices, [0] * len(choices), np.ones((len(choices), max(choices))))
    assert steps(algorithm, lambda genomes: genomes * 1.0) == [[[0] * len(choices)]]


def test_a_network_that_takes_no_time_has_no_faster_one() -> None:
    assert steps(NetAdapt((2,), (0,), [[0.0, 0.0]]), lambda genomes: genomes * 1.0) == [[[0]]]


def test_choices_that_do_not_exist_are_not_read() -> None:
    algorithm = NetAdapt((2, 1), (0, 0), [[2.0, 1.0], [1.0, np.nan]])
    assert steps(algorithm, lambda genomes: genomes[:, :1] * 1.0) == [[[0, 0]], [[1, 0]]]
    algorithm.load_state_dict(json.loads(json.dumps(algorithm.state_dict(), allow_nan=False)))


def test_asking_twice_brings_the_same_and_telling_others_is_refused() -> None:
    algorithm = netadapt()
    steps(algorithm, number=1)
    genomes = algorithm.ask()
    kept = genomes.copy()
    genomes[:] = 0
    np.testing.assert_array_equal(algorithm.ask(), kept)
    with pytest.raises(ValueError, match="in the same order"):
        algorithm.tell(kept[::-1], additive(kept))
    assert algorithm.path.tolist() == [[0, 0]]


@pytest.mark.parametrize("first", [0.8, NAN])
def test_resumed_at_any_step_equals_undisturbed(first: float) -> None:
    def quality(genomes: IntArray) -> FloatArray:
        return np.where(genomes.any(axis=1, keepdims=True), additive(genomes), first)

    whole = netadapt()
    undisturbed = steps(whole, quality)
    for done in range(len(undisturbed) + 1):
        stopped, resumed = netadapt(), netadapt()
        steps(stopped, quality, done)
        steps(resumed, quality, 1)
        state = json.loads(json.dumps(stopped.state_dict(), allow_nan=False))
        resumed.load_state_dict(state)
        assert resumed.state_dict() == state
        assert steps(resumed, quality) == undisturbed[done:]
        np.testing.assert_array_equal(resumed.path, whole.path)


def test_a_state_of_other_settings_is_refused() -> None:
    state = netadapt().state_dict()
    changed: dict[str, Any] = {"min_reduction": 0.02, "target_ms": 5.0, "fixed_ms": 1.0}
    with pytest.raises(ValueError, match=r"fixed_ms was 2.0 .* min_reduction .* target_ms was None"):
        netadapt(**changed, quality_maximize=False).load_state_dict(state)
    with pytest.raises(ValueError, match=r"quality_maximize was True and is now False"):
        netadapt(quality_maximize=False).load_state_dict(state)
    with pytest.raises(ValueError, match=r"start was \[0, 0\] .* latency was"):
        NetAdapt((3, 3), (0, 1), LATENCY * 2, fixed_ms=2.0).load_state_dict(state)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"start": (0, 3)}, r"start: genomes must stay .* \[\[0, 1\]\]"),
        ({"start": (0,)}, r"start: genomes must be an \(n, 2\) array"),
        ({"latency": LATENCY[:, :2]}, r"shape .* \(2, 3\), got \(2, 2\)"),
        ({"latency": LATENCY * [1, np.nan, -1]}, r"\[\[0, 1\], \[0, 2\], \[1, 1\], \[1, 2\]\]"),
        ({"choices": (3, 0)}, "choices must give"),
        (
            {"fixed_ms": -1.0, "min_reduction": 0.0, "target_ms": NAN},
            "fixed_ms .* got -1.0; min_reduction .* got 0.0; target_ms .* got nan",
        ),
        ({"min_reduction": 1.0, "target_ms": 0.0}, r"min_reduction .* got 1.0; target_ms .* got 0.0"),
    ],
)
def test_bad_settings_are_named(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        NetAdapt(**{"choices": (3, 3), "start": (0, 0), "latency": LATENCY, **settings})
