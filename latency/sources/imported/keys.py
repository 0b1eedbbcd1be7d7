"""What block a key speaks of: keys of our own, of ProxylessNAS and Once-for-All, of FBNet's look-up tables.

Checked against public code: ``ofa/nas/efficiency_predictor/latency_lookup_table.py`` of
mit-han-lab/once-for-all (both dialects of ``expanded_conv``) and ``hw_nas_bench_api/hw_nas_bench_api.py`` of
GATECH-EIC/HW-NAS-Bench (``ConvBlock_H...``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dnas import blocks
from dnas.space import output_size
from latency.sources.imported.names import spellings
from latency.table.entry import CONVERTERS, Geometry, plain

PARTS = ("stem", "head", "overhead")
# Clamps at 0, and at 0 and 6: both are fused at no cost, so tables do not tell them apart.
RELU = ("relu", "relu6")
# What blocks state only where it is otherwise.
UNSAID = {"expand": "true"}


@dataclass(frozen=True)
class BlockKey:
    """A choice of a layer by name: ``L3_E6K5SE``."""

    layer: str
    choice: str


@dataclass(frozen=True)
class PartKey:
    """``stem``, ``head``, or ``overhead`` (an empty graph)."""

    part: str


@dataclass(frozen=True)
class ShapeKey:
    """A block by its geometry: the texts that each of ``Geometry.facts`` may have."""

    allowed: tuple[tuple[str, tuple[str, ...]], ...]

    def matches(self, geometry: Geometry) -> bool:
        facts = {**UNSAID, **geometry.facts}
        return all(facts.get(name) in values for name, values in self.allowed)


@dataclass(frozen=True)
class OpKey:
    """An operation of stem or head: ``conv``, ``separable``, ``pool``, ``linear``, or ``pool+linear``.

    ``kernel`` and ``stride`` are None for pooling and classifier. Activations are in none of these keys.
    """

    type: str
    input_size: int
    in_channels: int
    out_channels: int
    kernel: int | None = None
    stride: int | None = None


@dataclass(frozen=True)
class NarrowKey:
    """An inverted residual without its first convolution: an operation of the stem, a block, or both."""

    op: OpKey
    shape: ShapeKey


@dataclass(frozen=True)
class RowKey:
    """An entry of a matrix whose rows are layers: a choice by name, or the ``column``-th of ``columns``."""

    row: int
    rows: int
    choice: str | None = None
    column: int = 0
    columns: int = 0


Key = BlockKey | PartKey | ShapeKey | OpKey | NarrowKey | RowKey


def parse_key(text: str) -> Key:
    """The block, part or operation that a key speaks of.

    Raises:
        ValueError: none of the forms below, or contradictory in itself; the message says which.
    """
    for pattern, build in FORMS.items():
        match = re.fullmatch(pattern, text)
        if match:
            return build(match.groupdict())
    raise ValueError(
        f"{text!r} is no key: expected L3_E6K5SE (layer_choice), stem, head, overhead, "
        "input_size=56,in_channels=24,..., or a key of ProxylessNAS, Once-for-All or FBNet"
    )


def first_key(*names: str | None) -> str:
    """The first name that is a key, or else the first name."""
    given = [name for name in names if name] or [""]
    return next((name for name in given if _is_key(name)), given[0])


def _is_key(name: str) -> bool:
    for spelling in spellings(name):
        try:
            parse_key(spelling)
            return True
        except ValueError:
            continue
    return False


def _expanded_conv(found: Mapping[str, str]) -> Key:
    """``expand`` is the ratio in ProxylessNAS, the hidden channels in Once-for-All (which adds se and hs)."""
    size, channels = _map(found["input"])
    out_size, out = _map(found["output"])
    kernel, stride, expand = int(found["kernel"]), int(found["stride"]), int(found["expand"])
    _check_output(size, stride, out_size)
    once_for_all = found["se"] is not None
    hidden = expand if once_for_all else channels * expand
    shape = _shape(
        input_size=size,
        in_channels=channels,
        type="inverted_residual",
        # Without expansion these networks leave out the first 1x1 convolution.
        expand=hidden != channels,
        hidden=hidden,
        out_channels=out,
        kernel=kernel,
        stride=stride,
        groups=1,
        residual=found["idskip"] == "1",
        squeezed=_squeezed(hidden) if found["se"] == "1" else 0,
        activation="hswish" if found["hs"] == "1" else RELU,
    )
    if hidden != channels:
        return shape
    more = " with shortcut" * (found["idskip"] == "1") + " with squeeze-excite" * (found["se"] == "1")
    return NarrowKey(OpKey(f"separable{more}", size, channels, out, kernel, stride), shape)


def _squeezed(hidden: int) -> tuple[int, int]:
    """A quarter, as it is or to the nearest multiple of 8 as Once-for-All has it: the keys do not say."""
    quarter = hidden // 4
    rounded = max(8, (quarter + 4) // 8 * 8)
    return quarter, rounded + 8 if rounded < 0.9 * quarter else rounded


def _fixed_layer(found: Mapping[str, str]) -> Key:
    """``Logits`` of ProxylessNAS is pooling and classifier, that of Once-for-All the classifier alone."""
    size, channels = _map(found["input"])
    name, out = found["name"], int(found["output"].rpartition("x")[2])
    if name == "Conv":
        out_size = _map(found["output"])[0]
        stride = 2 if size > 1 and output_size(size, 2) == out_size else 1
        _check_output(size, stride, out_size)
        return OpKey("conv", size, channels, out, 3, stride)
    if name == "AvgPool2D":
        return OpKey("pool", size, channels, out)
    if name == "Logits":
        return OpKey("linear" if size == 1 else "pool+linear", size, channels, out)
    return OpKey("conv", size, channels, out, 1, 1)


def _fbnet(found: Mapping[str, str]) -> Key:
    number = {name: int(value) for name, value in found.items() if value is not None and name != "name"}
    size, channels, out = _square(number["height"], number["width"]), number["cin"], number["cout"]
    shape = {"input_size": size, "in_channels": channels, "out_channels": out, "stride": number["stride"]}
    if found["name"] == "Skip":
        return _shape(**shape, type="skip")
    return _shape(
        **shape,
        type="inverted_residual",
        expand=True,
        hidden=channels * number["exp"],
        kernel=number["kernel"],
        groups=number["group"],
        squeezed=0,
        activation=RELU,
        residual=number["stride"] == 1 and channels == out,
    )


def _fbnet_conv(found: Mapping[str, str]) -> Key:
    if found["group"] != "1":
        raise ValueError(f"a convolution in {found['group']} groups is no part of a stem or head")
    number = {name: int(value) for name, value in found.items()}
    size = _square(number["height"], number["width"])
    return OpKey("conv", size, number["cin"], number["cout"], number["kernel"], number["stride"])


def _fbnet_pool(found: Mapping[str, str]) -> Key:
    size = _square(int(found["height"]), int(found["width"]))
    return OpKey("pool", size, int(found["cin"]), int(found["cout"]))


def _fbnet_linear(found: Mapping[str, str]) -> Key:
    return OpKey("linear", 1, int(found["cin"]), int(found["cout"]))


def _columns(found: Mapping[str, str]) -> Key:
    """``input_size=56,in_channels=24,...``: the columns of a latency table, any of them left out."""
    pairs = [pair.partition("=") for pair in found["pairs"].split(",")]
    names = [name for name, _, _ in pairs]
    wrong = [name for name in names if name not in fact_names() or names.count(name) > 1]
    if wrong:
        raise ValueError(
            f"{', '.join(dict.fromkeys(wrong))}: no column of a block's geometry, or given twice"
        )
    given = {name: value.strip().lower() for name, _, value in pairs}
    for name, value in given.items():
        _check_value(name, value)
    if given.get("hidden") == "0":
        # A skip, which has no other facts.
        inside = blocks.get("inverted_residual").column_names()
        given = {**{name: value for name, value in given.items() if name not in inside}, "type": "skip"}
    return _shape(**given)


def _row(found: Mapping[str, str]) -> Key:
    number = {name: int(found[name] or 0) for name in ("row", "rows", "column", "columns")}
    return RowKey(**number, choice=found["choice"])


def fact_names() -> list[str]:
    """The names that ``Geometry.facts`` may have: shapes, and what the block types state."""
    own = [field for field in Geometry.__dataclass_fields__ if field not in {"block", "ops"}]
    return [*own, *dict.fromkeys(name for type in blocks.names() for name in blocks.get(type).column_names())]


def _check_value(name: str, value: str) -> None:
    if name in CONVERTERS:
        CONVERTERS[name](value)
    elif name in {"hidden", "kernel", "squeezed", "groups"} and not value.isdigit():
        raise ValueError(f"{name} {value!r} is not an integer of at least 0")


def _shape(**allowed: Any) -> ShapeKey:
    values = {name: value if isinstance(value, tuple) else (value,) for name, value in allowed.items()}
    return ShapeKey(tuple((name, tuple(map(plain, each))) for name, each in values.items()))


def _map(text: str) -> tuple[int, int]:
    """Side and channels of ``56x56x24``."""
    height, width, channels = map(int, text.split("x"))
    return _square(height, width), channels


def _square(height: int, width: int) -> int:
    if height != width:
        raise ValueError(f"a map of {height}x{width} pixels is not square")
    return height


def _check_output(size: int, stride: int, found: int) -> None:
    if stride not in (1, 2) or output_size(size, stride) != found:
        raise ValueError(f"stride {stride} does not make a map of {found} pixels from one of {size}")


_MAP = r"\d+x\d+x\d+"
_INPUT = rf"(?P<input>{_MAP})"
_KSG = r"_kernel(?P<kernel>\d+)_stride(?P<stride>\d+)_group(?P<group>\d+)"
_HWC = r"_H(?P<height>\d+)_W(?P<width>\d+)_Cin(?P<cin>\d+)_Cout(?P<cout>\d+)"
FORMS: dict[str, Callable[[Mapping[str, str]], Key]] = {
    r"(?P<part>(?i:stem|head|overhead))": lambda found: PartKey(found["part"].lower()),
    r"(?P<layer>[Ll][1-9]\d*)_(?P<choice>.+)": lambda found: BlockKey(
        found["layer"].upper(), found["choice"]
    ),
    r"row (?P<row>[1-9]\d*) of (?P<rows>\d+), "
    r"(?:column (?P<column>[1-9]\d*) of (?P<columns>\d+)|(?P<choice>\S+))": _row,
    rf"expanded_conv-input:{_INPUT}-output:(?P<output>{_MAP})-expand:(?P<expand>\d+)"
    r"-kernel:(?P<kernel>\d+)-stride:(?P<stride>\d+)-idskip:(?P<idskip>[01])"
    r"(-se:(?P<se>[01])-hs:(?P<hs>[01]))?": _expanded_conv,
    rf"(?P<name>Conv|Conv_1|Conv_2|AvgPool2D)-input:{_INPUT}-output:(?P<output>{_MAP})": _fixed_layer,
    rf"(?P<name>Logits)-input:{_INPUT}-output:(?P<output>\d+)": _fixed_layer,
    rf"(?P<name>ConvBlock){_HWC}_exp(?P<exp>\d+){_KSG}": _fbnet,
    rf"(?P<name>Skip){_HWC}_stride(?P<stride>\d+)": _fbnet,
    rf"ConvNorm{_HWC}{_KSG}": _fbnet_conv,
    rf"AvgP{_HWC}_kernel\d+_stride\d+": _fbnet_pool,
    r"FC_Cin(?P<cin>\d+)_Cout(?P<cout>\d+)": _fbnet_linear,
    r"(?P<pairs>\w+=[^,=]+(,\w+=[^,=]+)*)": _columns,
}
