"""One row of a latency table: a choice of a layer, its geometry and its milliseconds."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import quote

from dnas.blocks.ops import ops_digest
from dnas.space import Choice, Layer
from dnas.support.documents import unfit

KINDS = ("measured", "assembled", "calibrated", "predicted")
# Milliseconds per kernel kind are rounded one by one, so their sum misses the whole by a little.
SUM_TOLERANCE_MS, SUM_TOLERANCE = 1e-3, 1e-3
# Eleven days in milliseconds, and far above any count: sums and products of them are finite.
MAX_AMOUNT, MAX_DIGITS = 1e9, 9
IDENTITY = ops_digest(())


@dataclass(frozen=True)
class Geometry:
    """Everything about a block that decides its latency.

    Attributes:
        input_size: side of the square input map in pixels.
        type: the block type, as in a search space.
        block: (name, value) of what else the type states, as texts.
        ops: digest of its operations (:func:`dnas.blocks.ops.ops_digest`), the same in every space.
    """

    input_size: int
    in_channels: int
    out_channels: int
    stride: int
    activation: str
    type: str
    block: tuple[tuple[str, str], ...]
    ops: str

    @classmethod
    def of(cls, layer: Layer, choice: Choice) -> Geometry:
        """The geometry of a choice of a space."""
        columns = choice.type.columns(layer, choice.options)
        return cls(
            input_size=layer.input_size,
            in_channels=layer.in_channels,
            out_channels=layer.out_channels,
            stride=layer.stride,
            activation=layer.activation,
            type=choice.type.name,
            # A text of a type of one's own may hold what separates columns and values.
            block=tuple(
                (name, quote(value) if isinstance(value, str) else plain(value))
                for name, value in columns.items()
            ),
            ops=ops_digest(choice.ops(layer)),
        )

    @property
    def is_identity(self) -> bool:
        """Nothing runs, so 0 ms is possible."""
        return self.ops == IDENTITY

    @property
    def facts(self) -> dict[str, str]:
        """All that people can read of it, by name, as texts."""
        own = {field.name: plain(getattr(self, field.name)) for field in fields(self)}
        del own["block"], own["ops"]
        return {**own, **dict(self.block)}

    def differences(self, expected: Geometry) -> list[str]:
        """What differs from the ``expected`` geometry, in words."""
        found, wanted = self.facts, expected.facts
        different = [
            f"{name} is {found.get(name, '-')}, not {wanted.get(name, '-')}"
            for name in {**found, **wanted}
            if found.get(name) != wanted.get(name)
        ]
        if not different and self.ops != expected.ops:
            return [f"other operations ({self.ops}, not {expected.ops})"]
        return different


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
        values = {
            **{name: getattr(self.geometry, name) for name in _GEOMETRY},
            **{name: getattr(self, name) for name in _OWN},
            "block": dict(self.geometry.block),
        }
        return [_text(values[column]) for column in COLUMNS]


def plain(value: Any) -> str:
    """A value as tables write it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ";".join(f"{name}={each}" for name, each in value.items())
    return plain(value)


def sum_problem(parts: Mapping[str, float], ms: float) -> str | None:
    """What is wrong when ``parts`` (milliseconds per kernel kind, may be empty) do not add up to ``ms``."""
    total = sum(parts.values())
    if not parts or math.isclose(total, ms, rel_tol=SUM_TOLERANCE, abs_tol=SUM_TOLERANCE_MS):
        return None
    return f"the kernel kinds add up to {total:.6g} ms, not to {ms:.6g} ms"


def name_of(text: str) -> str:
    """The text, if it is a name; raises ValueError."""
    if not re.fullmatch(r"[A-Za-z0-9_.+-]+", text):
        raise ValueError(f"{text!r} is no name (letters, digits and _ . + -)")
    return text


def integer(minimum: int) -> Callable[[str], int]:
    """A converter that raises ValueError for anything but an integer of at least ``minimum``."""

    def convert(text: str) -> int:
        if not text.isascii() or not text.isdigit() or len(text) > MAX_DIGITS or int(text) < minimum:
            raise ValueError(f"{text[:40]!r} is not an integer of at least {minimum} and {MAX_DIGITS} digits")
        return int(text)

    return convert


def amount(text: str) -> float:
    """A finite number of at least 0 and at most :data:`MAX_AMOUNT`; raises ValueError."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None
    if not 0 <= value <= MAX_AMOUNT:
        raise ValueError(f"{text!r} is not a finite number of at least 0, at most {MAX_AMOUNT:g}")
    return value


def _kind(text: str) -> str:
    if text not in KINDS:
        raise ValueError(f"{text!r} is none of {', '.join(KINDS)}")
    return text


def _parts(text: str) -> dict[str, float]:
    parts: dict[str, float] = {}
    for item in filter(None, text.split(";")):
        kind, _, ms = item.partition("=")
        if name_of(kind) in parts:
            raise ValueError(f"{kind!r} is given twice")
        parts[kind] = amount(ms)
    return parts


def _block(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [item.partition("=") for item in filter(None, text.split(";"))]
    names = [name_of(name) for name, _, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError(f"{text!r} gives a name twice")
    if unfit(text):
        raise ValueError(f"{text!r} holds characters that cannot be printed")
    return tuple((name, value) for name, _, value in pairs)


def _digest(text: str) -> str:
    if not re.fullmatch("[0-9a-f]{16}", text):
        raise ValueError(f"{text!r} is no digest of operations (16 hexadecimal digits)")
    return text


def _optional(convert: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: convert(text) if text else None


CONVERTERS: dict[str, Callable[[str], Any]] = {
    "layer": name_of,
    "choice": name_of,
    "input_size": integer(1),
    "in_channels": integer(1),
    "out_channels": integer(1),
    "stride": integer(1),
    "activation": name_of,
    "type": name_of,
    "block": _block,
    "ops": _digest,
    "ms": amount,
    "n": _optional(integer(1)),
    "std": _optional(amount),
    "p90": _optional(amount),
    "source": _kind,
    "relative_error": amount,
    "parts": _parts,
}
COLUMNS = tuple(CONVERTERS)
_GEOMETRY = tuple(field.name for field in fields(Geometry))
_OWN = tuple(column for column in COLUMNS if column not in _GEOMETRY)


def parse_row(row: Sequence[str], columns: Sequence[str] = COLUMNS) -> tuple[Entry | None, list[str]]:
    """An entry from the texts of a CSV row, or None and everything that is wrong with it."""
    values, problems = converted(row, columns, CONVERTERS)
    return (None, problems) if problems else checked(values)


def converted(
    row: Sequence[str], columns: Sequence[str], converters: Mapping[str, Callable[[str], Any]]
) -> tuple[dict[str, Any], list[str]]:
    """The values of a CSV row by column, and everything that is wrong with them."""
    if len(row) != len(columns):
        return {}, [f"expected {len(columns)} values, found {len(row)}"]
    values, problems = {}, []
    for column, text in zip(columns, row, strict=True):
        try:
            values[column] = converters[column](text.strip())
        except ValueError as error:
            problems.append(f"{column} {error}")
    return values, problems


def checked(values: dict[str, Any]) -> tuple[Entry | None, list[str]]:
    """An entry of the values of all columns, or None and what is wrong."""
    geometry = Geometry(**{column: values.pop(column) for column in _GEOMETRY})
    entry = Entry(geometry=geometry, **values)
    if entry.ms == 0 and not geometry.is_identity:
        return None, ["ms is 0, which only a skip that keeps its shape may be"]
    wrong = sum_problem(entry.parts, entry.ms)
    return (None, [f"parts: {wrong}"]) if wrong else (entry, [])
