"""One row of a latency table: a choice of a layer, its geometry and its milliseconds."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from dnas.space import Choice, Layer

KINDS = ("measured", "assembled", "calibrated", "predicted")
# Milliseconds per kernel kind are rounded one by one, so their sum misses the whole by a little.
SUM_TOLERANCE_MS, SUM_TOLERANCE = 1e-3, 1e-3


@dataclass(frozen=True)
class Geometry:
    """Everything about a block that decides its latency; a skip has no hidden channels.

    ``input_size`` is the side of the square input map in pixels; ``squeezed`` the channels between the two
    squeeze-excite layers, 0 without.
    """

    input_size: int
    in_channels: int
    hidden: int
    out_channels: int
    kernel: int
    stride: int
    squeezed: int
    activation: str
    groups: int
    residual: bool

    @classmethod
    def of(cls, layer: Layer, choice: Choice) -> Geometry:
        """The geometry of a choice of a space."""
        options = choice.options
        return cls(
            input_size=layer.input_size,
            in_channels=layer.in_channels,
            hidden=0 if choice.skip else options.hidden(layer),
            out_channels=layer.out_channels,
            kernel=1 if choice.skip else options.kernel,
            stride=layer.stride,
            squeezed=0 if choice.skip else options.squeezed(layer),
            activation=layer.activation,
            groups=1 if choice.skip else options.groups,
            residual=layer.keeps_shape and not choice.skip,
        )

    @property
    def is_identity(self) -> bool:
        """A skip that keeps its shape: nothing runs, so 0 ms is possible."""
        return self.hidden == 0 and self.stride == 1 and self.in_channels == self.out_channels

    def differences(self, expected: Geometry) -> list[str]:
        """What differs from the ``expected`` geometry, in words."""
        found, wanted = asdict(self), asdict(expected)
        return [f"{key} is {found[key]}, not {wanted[key]}" for key in found if found[key] != wanted[key]]


@dataclass(frozen=True)
class Entry:
    """One row. ``ms``, ``std`` and ``p90`` are milliseconds.

    ``relative_error`` is one standard deviation of the error as a fraction of ``ms``. ``n`` (runs), ``std``
    and ``p90`` are None where the source is no measurement. ``parts`` are milliseconds per kernel kind
    (``conv``, ``depthwise``, ...) that add up to ``ms``, empty where they are not known.
    """

    layer: str
    choice: str
    geometry: Geometry
    ms: float
    source: str
    relative_error: float
    n: int | None = None
    std: float | None = None
    p90: float | None = None
    parts: Mapping[str, float] = field(default_factory=dict, hash=False)

    def row(self) -> list[str]:
        """The texts of the CSV row, in the order of :data:`COLUMNS`."""
        values = {**asdict(self.geometry), **{key: getattr(self, key) for key in _OWN}}
        return [_text(values[column]) for column in COLUMNS]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ";".join(f"{kind}={ms}" for kind, ms in value.items())
    return str(value).lower() if isinstance(value, bool) else str(value)


def sum_problem(parts: Mapping[str, float], ms: float) -> str | None:
    """What is wrong when ``parts`` (milliseconds per kernel kind, may be empty) do not add up to ``ms``."""
    total = sum(parts.values())
    if not parts or math.isclose(total, ms, rel_tol=SUM_TOLERANCE, abs_tol=SUM_TOLERANCE_MS):
        return None
    return f"the kernel kinds add up to {total:.6g} ms, not to {ms:.6g} ms"


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.+-]+", text):
        raise ValueError(f"{text!r} is no name (letters, digits and _ . + -)")
    return text


def _integer(minimum: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not text.isascii() or not text.isdigit() or int(text) < minimum:
            raise ValueError(f"{text!r} is not an integer of at least {minimum}")
        return int(text)

    return convert


def _amount(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{text!r} is not a finite number of at least 0")
    return value


def _flag(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError(f"{text!r} is neither true nor false")
    return text.lower() == "true"


def _kind(text: str) -> str:
    if text not in KINDS:
        raise ValueError(f"{text!r} is none of {', '.join(KINDS)}")
    return text


def _parts(text: str) -> dict[str, float]:
    parts: dict[str, float] = {}
    for item in filter(None, text.split(";")):
        kind, _, ms = item.partition("=")
        if _name(kind) in parts:
            raise ValueError(f"{kind!r} is given twice")
        parts[kind] = _amount(ms)
    return parts


def _optional(convert: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: convert(text) if text else None


CONVERTERS: dict[str, Callable[[str], Any]] = {
    "layer": _name,
    "choice": _name,
    "input_size": _integer(1),
    "in_channels": _integer(1),
    "hidden": _integer(0),
    "out_channels": _integer(1),
    "kernel": _integer(1),
    "stride": _integer(1),
    "squeezed": _integer(0),
    "activation": _name,
    "groups": _integer(1),
    "residual": _flag,
    "ms": _amount,
    "n": _optional(_integer(1)),
    "std": _optional(_amount),
    "p90": _optional(_amount),
    "source": _kind,
    "relative_error": _amount,
    "parts": _parts,
}
COLUMNS = tuple(CONVERTERS)
REQUIRED_COLUMNS = COLUMNS[:-1]  # a table may leave out the parts
_GEOMETRY = tuple(field.name for field in fields(Geometry))
_OWN = tuple(column for column in COLUMNS if column not in _GEOMETRY)


def parse_row(row: Sequence[str], columns: Sequence[str] = COLUMNS) -> tuple[Entry | None, list[str]]:
    """An entry from the texts of a CSV row, or None and everything that is wrong with it."""
    if len(row) != len(columns):
        return None, [f"expected {len(columns)} values, found {len(row)}"]
    values, problems = {}, []
    for column, text in zip(columns, row, strict=True):
        try:
            values[column] = CONVERTERS[column](text.strip())
        except ValueError as error:
            problems.append(f"{column} {error}")
    if problems:
        return None, problems
    geometry = Geometry(**{column: values.pop(column) for column in _GEOMETRY})
    entry = Entry(geometry=geometry, **values)
    if entry.ms == 0 and not geometry.is_identity:
        return None, ["ms is 0, which only a skip that keeps its shape may be"]
    wrong = sum_problem(entry.parts, entry.ms)
    return (None, [f"parts: {wrong}"]) if wrong else (entry, [])
