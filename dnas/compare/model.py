"""The result of a comparison as plain data: what the report draws and what ``comparison.json`` holds.

Everything is immutable and made of numbers, text, tuples and the classes below. L is the number of layers,
C the largest number of choices of a layer; (L, C) rows are padded with 0 where a layer has fewer choices,
columns are a layer's choices in the order of the space. Latencies are in ms under the comparison's table (of
:class:`Devices` under theirs), accuracies are fractions in [0, 1], losses mean cross-entropies in nats.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any, Literal

FORMAT = "dnas-comparison/1"

Kind = Literal["differentiable", "evolutionary", "baseline", "zoo"]
Quality = Literal["top1", "loss"]
Matrix = tuple[tuple[float, ...], ...]
Curve = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Point:
    """One architecture of a front.

    Attributes:
        choices: (L,) names of the chosen blocks.
        latency_low_ms, latency_high_ms: the table's 90 % interval; equal to latency_ms where it knows none.
        params, madds: at the space's resolution and number of classes.
        generation: in which it was found; None where the method has no generations.
        name: of a zoo network or a derived one ("moga_a", "argmax"), else "".
    """

    choices: tuple[str, ...]
    top1: float
    top5: float
    loss: float
    latency_ms: float
    latency_low_ms: float
    latency_high_ms: float
    params: int
    madds: int
    generation: int | None = None
    name: str = ""


@dataclass(frozen=True)
class Cost:
    """What a search took; None where its files do not say.

    Attributes:
        seconds, images, evaluations: of the search alone: evaluated architectures, the images that went
            through them (recalibration and validation). A differentiable search evaluates none.
        training_seconds, training_images: of the weights that it used: the one-shot supernet (shared by
            all searches over it), or the differentiable search itself.
    """

    seconds: float | None = None
    images: float | None = None
    evaluations: float | None = None
    training_seconds: float | None = None
    training_images: float | None = None


@dataclass(frozen=True)
class Run:
    """One run (seed) of a method.

    Attributes:
        seed: None where the source tells none.
        source: the path that was given, or the name of a zoo network.
        sha256: of the front, checkpoint or architecture file; None for a zoo network.
        members: its non-dominated architectures in quality, latency and parameters (of a zoo all), by rising
            latency; may be empty.
        curve: (evaluations, hypervolume of three objectives) after every generation, as the run wrote it;
            empty without generations, or under another table, evaluator or box than the comparison's.
        evaluated_anew: how many members got their accuracy in this comparison, not from the run's files.
    """

    seed: int | None
    source: str
    sha256: str | None
    members: tuple[Point, ...]
    curve: Curve
    cost: Cost
    evaluated_anew: int = 0


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its t-interval.

    Attributes:
        mean: None where a seed has no value.
        low, high: the 95 % t-interval of the mean; None with fewer than two seeds, or without a mean.
        values: one per run in the order of ``Method.runs``, None where a run has no value.
    """

    mean: float | None
    low: float | None
    high: float | None
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Attainment:
    """Step curves in the plane of latency and quality: what at least one, half, all of the runs attain.

    Each is a sequence of (latency_ms, quality) corners by rising latency; between two corners the quality of
    the left one holds (``where="post"``); before the first corner, the runs attain nothing. Empty where no
    latency is attained by enough runs. With one run all three are its front.
    """

    best: Curve
    median: Curve
    worst: Curve


@dataclass(frozen=True)
class Method:
    """A method and its runs.

    Attributes:
        hypervolume: of quality, latency and parameters, normalised to the comparison's box: in [0, 1].
        hypervolume_plane: of quality and latency alone.
        cost: means over the runs; None where a run does not tell.
        choice_frequencies: (L, C) share of each choice among the members, all runs weighing the same; rows
            sum to 1. All 0 where there are no members.
        details: how it was run, in words ("NSGA-II, weights 2 2 1, seeded, population 70, ...").
    """

    name: str
    kind: Kind
    runs: tuple[Run, ...]
    hypervolume: Estimate
    hypervolume_plane: Estimate
    attainment: Attainment
    cost: Cost
    choice_frequencies: Matrix
    details: str = ""


@dataclass(frozen=True)
class Budget:
    """The best member of a method's runs within a latency budget.

    Attributes:
        quality: of the member of best quality among those of at most ``latency_ms``, per run.
        top1: of that same member (the one with the best quality, not the best top-1).
    """

    latency_ms: float
    method: str
    quality: Estimate
    top1: Estimate


@dataclass(frozen=True)
class Agreement:
    """How alike two (L, C) tables of choice frequencies are.

    Attributes:
        first, second: names of methods (of the differentiable one for a table of softmax(alpha)).
        same_choice: share of layers whose most frequent choice is the same, in [0, 1].
        distance: mean over layers of the total-variation distance, 0 (equal) to 1 (disjoint).
        distances: (L,) that distance per layer.
    """

    first: str
    second: str
    same_choice: float
    distance: float
    distances: tuple[float, ...]


@dataclass(frozen=True)
class AlphaAgainstChoices:
    """A differentiable method's softmax(alpha) against what the other methods' fronts chose.

    Attributes:
        method: the differentiable one.
        probabilities: (L, C) softmax(alpha), mean over its runs.
        against: one per other method with members but the zoo; compare ``Method.choice_frequencies``.
    """

    method: str
    probabilities: Matrix
    against: tuple[Agreement, ...]


@dataclass(frozen=True)
class Table:
    """The one latency table; kind as it says of itself: "measured", "calibrated", "assembled" ..."""

    name: str
    kind: str
    sha256: str
    description: str


@dataclass(frozen=True)
class Evaluator:
    """The one source of accuracy: weights inherited from one supernet.

    Attributes:
        description: in one sentence.
        checkpoint: name of the supernet's file.
        validation_images: None where the runs do not tell.
    """

    description: str
    checkpoint: str
    sha256: str
    validation_images: int | None = None


@dataclass(frozen=True)
class Outside:
    """A published network outside the compared space, which the supernet cannot evaluate.

    Attributes:
        published_top1: a fraction, of its own training, as ``source`` has it; None where none is known.
        latency_ms: of its own kernels, by the table of the comparison's name for its own space, whose kind
            and sha256 are given; with its 90 % interval.
        params, madds: at its own resolution.
    """

    name: str
    space: str
    published_top1: float | None
    source: str
    latency_ms: float
    latency_low_ms: float
    latency_high_ms: float
    table_kind: str
    table_sha256: str
    params: int
    madds: int
    resolution: int


@dataclass(frozen=True)
class Pick:
    """The fastest evaluated network of a quality or better on one device.

    Attributes:
        level: the quality asked for.
        point: the network, with the latency on its device.
        latency_ms: of that network on every device, in the order of ``Devices.devices``.
    """

    level: float
    point: Point
    latency_ms: tuple[float, ...]


@dataclass(frozen=True)
class Device:
    """One device, and what of all evaluated networks is best for it.

    Attributes:
        front: no evaluated network is better in quality or latency on this device without being worse in the
            other; by rising latency, all of equal ones.
        picks: one per level of ``Devices.levels``.
    """

    name: str
    table: Table
    front: tuple[Point, ...]
    picks: tuple[Pick, ...]


@dataclass(frozen=True)
class Transfer:
    """Networks chosen for one device, run on another (or the same) one.

    Attributes:
        chosen_for, runs_on: names of the devices.
        extra_percent: mean, over the front of ``chosen_for``, of how much slower on ``runs_on`` a member is
            than the fastest evaluated network of its quality or better there. At least 0.
        interval_percent: how far above its latency the 90 % interval of that fastest network reaches, mean
            over the same members; 0 where the table states no error.
        kept_hypervolume: hypervolume (quality, latency on ``runs_on``) of the front of ``chosen_for`` as a
            share of that of the front of ``runs_on``; None where the latter is 0.
        same_picks: levels of quality at which both devices pick the same network.
        tau: Kendall's tau-b of the latencies of all evaluated networks on the two devices; None where all
            latencies of one are equal.

    The first two are None where nothing was evaluated.
    """

    chosen_for: str
    runs_on: str
    extra_percent: float | None
    interval_percent: float | None
    kept_hypervolume: float | None
    same_picks: int
    tau: float | None


@dataclass(frozen=True)
class Devices:
    """What specialising for a device is worth, over everything that the compared runs evaluated.

    Attributes:
        finding: the largest penalty in one sentence.
        evaluated: number of networks with a finite loss.
        levels: of quality, from the lowest on any front to the best of all.
        devices: in the order of their tables; the first is the table of everything else.
        transfers: every ordered pair of devices, row by row of the matrix, devices with themselves included.
    """

    finding: str
    evaluated: int
    levels: tuple[float, ...]
    devices: tuple[Device, ...]
    transfers: tuple[Transfer, ...]


@dataclass(frozen=True)
class Box:
    """The corners that hypervolumes are normalised to, each (worst, best); fixed before any search."""

    quality: tuple[float, float]
    latency_ms: tuple[float, float]
    params: tuple[float, float]


@dataclass(frozen=True)
class Comparison:
    """Everything that was compared.

    Attributes:
        space: definition, as ``SearchSpace.to_dict`` gives it.
        quality: what fronts are compared by: "top1" (higher is better) or "loss" (lower is better).
        methods: in the order given, the zoo last.
        agreement: one per pair of methods that have members.
        budgets: for every budget by rising latency, every method.
        finding: the result in one sentence.
        notes: what a reader must know to judge it (recosted, evaluated anew, one seed only, ...).
        date: ISO 8601, UTC.
        outside: published networks that were asked for and are in another space; no part of any figure.
        devices: where several tables were given; all else is under the first of them.
    """

    title: str
    finding: str
    space: Mapping[str, Any]
    table: Table
    evaluator: Evaluator
    quality: Quality
    box: Box
    methods: tuple[Method, ...]
    agreement: tuple[Agreement, ...]
    alpha_against_choices: tuple[AlphaAgainstChoices, ...]
    budgets: tuple[Budget, ...]
    notes: tuple[str, ...]
    versions: Mapping[str, str]
    date: str
    outside: tuple[Outside, ...] = ()
    devices: Devices | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; tuples become lists there."""
        content = {"format": FORMAT, **asdict(self)}
        # As in the files of before.
        if not self.outside:
            del content["outside"]
        if self.devices is None:
            del content["devices"]
        return content

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Comparison:
        """The inverse of :meth:`to_dict`, also after a way through JSON.

        Raises:
            ValueError: another format, missing or unknown keys, or a value of another kind.
        """
        found = data.get("format") if isinstance(data, Mapping) else type(data).__name__
        if found != FORMAT:
            raise ValueError(f"Expected a comparison, 'format': {FORMAT!r}, found {found!r}.")
        content = {
            "outside": [],
            "devices": None,
            **{key: value for key, value in data.items() if key != "format"},
        }
        comparison = _decode(cls, content, "comparison")
        assert isinstance(comparison, cls)
        return comparison


def _decode(kind: Any, value: Any, where: str) -> Any:
    """Rebuild ``value`` as ``kind``: a dataclass, a tuple, an optional or a Literal of the classes above."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if is_dataclass(kind):
        return _decode_fields(kind, value, where)
    if origin is types.UnionType:
        return None if value is None else _decode(arguments[0], value, where)
    if origin is tuple:
        return _decode_tuple(arguments, value, where)
    expected = arguments if origin is Literal else _plain(origin or kind)
    if value not in expected if origin is Literal else not isinstance(value, expected):
        raise ValueError(f"{where}: expected {kind}, found {value!r}.")
    return value


def _plain(kind: Any) -> Any:
    """What counts as ``kind``: JSON writes 1.0 as it pleases."""
    return (int, float) if kind is float else kind


def _decode_fields(kind: Any, value: Any, where: str) -> Any:
    names = [field.name for field in fields(kind)]
    if not isinstance(value, Mapping) or set(value) != set(names):
        found = sorted(value) if isinstance(value, Mapping) else value
        raise ValueError(f"{where}: expected the keys {', '.join(names)}, found {found!r}.")
    hints = typing.get_type_hints(kind)
    return kind(**{name: _decode(hints[name], value[name], f"{where}.{name}") for name in names})


def _decode_tuple(arguments: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{where}: expected a list, found {value!r}.")
    kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
    if len(kinds) != len(value):
        raise ValueError(f"{where}: expected {len(kinds)} values, found {len(value)}.")
    pairs = zip(kinds, value, strict=True)
    return tuple(_decode(kind, each, f"{where}[{index}]") for index, (kind, each) in enumerate(pairs))
