"""The table of a space for one device: whether measurements support it, entries, the errors of its blocks.

Equal measurements give an equal file, byte for byte.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dnas.blocks.ops import Op
from dnas.space import Choice, Layer, SearchSpace
from dnas.space.scaling import factors_of
from latency.kernels import Runtime
from latency.sources.assembled.assembly import Assembly
from latency.sources.assembled.kernel_model import MODELLED, KernelModel, Prediction
from latency.sources.assembled.shape import KernelShape
from latency.sources.assembled.validation import Figures, HeldOutKernel
from latency.table.entry import Entry, Geometry
from latency.table.errors import TableError
from latency.table.fit_to_space import fixed_operations
from latency.table.header import FORMAT
from latency.table.table_file import write_file

DECIMALS = 4  # of a millisecond, and of a relative error: far below the errors, and short in a diff
FACTS = ("runtime", "runtime_version", "backend", "precision", "date", "licence", "source")
WIDENED = 1.2  # a kind whose errors the model underestimates by more is told
POOR = 0.2  # a kind whose kernels of families left out are off by more, on average, is a weak spot
WIDE = 7  # kernels of this side were measured in one family only
SHOWN = 4  # places of one kernel that a message names


class TableBuilder:
    """Writes tables of one device.

    Args:
        assembly: what is known of the device.
    """

    def __init__(self, assembly: Assembly) -> None:
        self.assembly = assembly
        self.facts = assembly.dataset.facts
        self.runtime = assembly.dataset.runtime
        self._widening = widening(assembly.held_out_kernels)

    def build(self, space: SearchSpace, output: str | Path) -> Path:
        """Write the table of ``space`` and return its path.

        Raises:
            TableError: the space holds kernels that the measurements do not support, every one of them.
        """
        check_support(space, self.assembly.model, self.runtime, self.assembly.device)
        entries = [self._entry(layer, choice) for layer in space.layers for choice in layer.choices]
        return write_file(output, self._header(space, entries), entries)

    def name(self, space: SearchSpace) -> str:
        """The table's name; tables for scaled channels, or for other images than of 224 pixels, say so."""
        name = str(self.assembly.dataset.device(self.assembly.device)["table"])
        _, factors = factors_of(space.name)
        width = f"_w{factors['width']:.10g}" if "width" in factors else ""
        return f"{name}{width}" + ("" if space.resolution == 224 else f"_{space.resolution}px")

    def _times(self, ops: Iterable[Op]) -> tuple[list[KernelShape], list[Prediction]]:
        shapes = shapes_of(ops, self.runtime)
        return shapes, self.assembly.model.predict(shapes)

    def _entry(self, layer: Layer, choice: Choice) -> Entry:
        shapes, times = self._times(choice.ops(layer))
        return Entry(
            layer=layer.name,
            choice=choice.name,
            geometry=Geometry.of(layer, choice),
            ms=_ms(sum(time.us for time in times)),
            source="assembled" if all(time.measured for time in times) else "predicted",
            relative_error=round(block_error(shapes, times, self._widening), DECIMALS),
            parts=_parts(shapes, times),
        )

    def _header(self, space: SearchSpace, entries: list[Entry]) -> dict[str, Any]:
        device = self.assembly.dataset.device(self.assembly.device)
        del device["table"]
        end_to_end = self.assembly.end_to_end
        return {
            "format": FORMAT,
            "name": self.name(space),
            "kind": "assembled",
            **device,
            **{key: self.facts[key] for key in FACTS},
            "unit": "ms",
            "statistic": "mean of measured kernels, predictions of a kernel model where none was measured",
            "space": space.name,
            "resolution": space.resolution,
            "batch": 1,
            "tool": (
                f"python -m latency build --kernels {self.facts['kernels_file']} "
                f"--device {self.assembly.device} --space {space.name} --resolution {space.resolution} "
                "--output latency/data/tables"
            ),
            "error": {
                "statement": (
                    f"whole networks of families left out: {end_to_end.mape:.1%} mean, "
                    f"{end_to_end.max_error:.1%} max relative error, Kendall tau "
                    f"{end_to_end.kendall_tau:.2f} (n = {end_to_end.n})"
                ),
                "network_mean": _short(end_to_end.mape),
                "network_max": _short(end_to_end.max_error),
            },
            "validation": self._validation(space, entries),
            "fixed": self._fixed(space),
            "calibration": self._calibration(),
        }

    def _calibration(self) -> dict[str, Any]:
        calibration, fitted = self.assembly.calibration, self.assembly.fitted
        return {
            "offset_ms": round(calibration.offset_ms, DECIMALS),
            "slope": round(calibration.slope, DECIMALS),
            "networks": fitted.n,
            "mape": _short(fitted.mape),
            "max_error": _short(fitted.max_error),
            **_rank(fitted),
            "families": ", ".join(self.facts["mbconv"]),
        }

    def _fixed(self, space: SearchSpace) -> dict[str, Any]:
        stem, head = self._times(space.stem_ops), self._times(space.head_ops)
        return {
            "stem_ms": _ms(sum(time.us for time in stem[1])),
            "head_ms": _ms(sum(time.us for time in head[1])),
            "overhead_ms": 0.0,
            "overhead_note": "the overhead per inference is the calibration's offset",
            "stem_parts": _parts(*stem),
            "head_parts": _parts(*head),
            **fixed_operations(space),
        }

    def _validation(self, space: SearchSpace, entries: list[Entry]) -> dict[str, Any]:
        present = {shape.kind for shape in self._shapes(space)}
        # Few spaces have windows; what was measured of them says nothing about the others.
        named = [kind for kind in MODELLED if kind != "window" or kind in present]
        kinds = [(f"{kind} kernels", self.assembly.of_kind(kind)) for kind in named]
        wide = (f"depthwise {WIDE}x{WIDE} kernels", self.assembly.of_kind("depthwise", WIDE))
        whole = ("whole networks", self.assembly.end_to_end)
        return {
            "method": (
                "each family of networks left out in turn: kernels predicted without lookup from the kernels "
                "of the others; whole networks with kernel model and calibration of the others"
            ),
            "figures": [_figures(what, figures) for what, figures in (*kinds, wide, whole) if figures],
            "weak_spots": [*self._weak_spots(space, entries)],
        }

    def _weak_spots(self, space: SearchSpace, entries: list[Entry]) -> Iterator[str]:
        blocks = [entry for entry in entries if not entry.geometry.is_identity]
        measured = sum(entry.source == "assembled" for entry in blocks)
        yield f"{measured} of {len(blocks)} blocks consist of measured kernels alone, the rest are predicted"
        shapes = self._shapes(space)
        present_kinds = {shape.kind for shape in shapes}
        for kind, factor in self._widening.items():
            if factor > WIDENED and kind in present_kinds:
                yield f"{kind} kernels: estimated errors were {factor:.1f} times too small, widened"
        yield from self._poor(kind for kind in MODELLED if kind in present_kinds)
        yield from self._unknown_windows(shapes)
        present = {text for _, ops in places(space) for op in ops for text in (op.type, op.activation)}
        for name, text in self.runtime.assumptions.items():
            if name in present:
                yield f"{name}: {text}"
        if any(shape.groups > 1 for shape in shapes):
            error = self.assembly.model.extrapolation_error
            yield (
                "grouped 1x1 convolutions were never measured: extrapolated from grouped 3x3 ones by their "
                f"work, relative error {error:.0%} (that of dense 1x1 ones extrapolated in the same way)"
            )

    def _poor(self, kinds: Iterable[str]) -> Iterator[str]:
        for kind in kinds:
            figures = self.assembly.of_kind(kind)
            if figures and figures.mape > POOR:
                yield (
                    f"{kind} kernels: mean error {figures.mape:.0%} for families left out (one kernel "
                    f"differs by {self.assembly.model.repeatability[kind]:.0%} between networks)"
                )

    def _unknown_windows(self, shapes: Iterable[KernelShape]) -> Iterator[str]:
        model = self.assembly.model
        windows = [shape for shape in shapes if shape.kind == "window" and not model.knows_window(shape)]
        for form in sorted({shape.form for shape in windows}):
            yield (
                f"{form} kernels were never measured: predicted from other windows, relative error "
                f"{model.window_error:.0%} (that of measured sides and strides left out in turn)"
            )

    def _shapes(self, space: SearchSpace) -> set[KernelShape]:
        return {shape for _, ops in places(space) for shape in shapes_of(ops, self.runtime)}


def _parts(shapes: Iterable[KernelShape], times: Iterable[Prediction]) -> dict[str, float]:
    parts: dict[str, float] = {}
    for shape, time in zip(shapes, times, strict=True):
        parts[shape.kind] = parts.get(shape.kind, 0.0) + time.us
    return {kind: _ms(us) for kind, us in parts.items()}


def _figures(what: str, figures: Figures) -> dict[str, Any]:
    return {
        "what": what,
        "mape": _short(figures.mape),
        "max_error": _short(figures.max_error),
        **_rank(figures),
        "n": figures.n,
    }


def _rank(figures: Figures) -> dict[str, float]:
    """Nothing for a single kernel, or where all predictions are equal."""
    return {} if math.isnan(figures.kendall_tau) else {"kendall_tau": _short(figures.kendall_tau)}


def _ms(us: float) -> float:
    return round(float(us) / 1e3, DECIMALS)


def _short(value: float) -> float:
    return round(value, 3)


def widening(held_out: Iterable[HeldOutKernel]) -> dict[str, float]:
    """Kind -> factor, at least 1, that makes the model's errors hold for kernels of families left out.

    The root mean square of log(measured / modelled) / error; it is 1 where the model judges itself rightly.
    """
    scores: dict[str, list[float]] = {}
    for held in held_out:
        score = np.log(held.measured_us / held.modelled_us) / held.error
        scores.setdefault(held.shape.kind, []).append(float(score))
    return {kind: max(1.0, float(np.sqrt(np.mean(np.square(of_kind))))) for kind, of_kind in scores.items()}


def block_error(
    shapes: Sequence[KernelShape], times: Sequence[Prediction], widen: Mapping[str, float]
) -> float:
    """Relative standard deviation of the sum of a block's kernels.

    Errors of different kernels are taken as independent. Equal kernels have one error, and so have all those
    of a kind that one assumption or extrapolation is about: within them errors add up.
    """
    us: dict[object, float] = {}
    for shape, time in zip(shapes, times, strict=True):
        factor = 1.0 if time.measured or time.shared else widen.get(shape.kind, 1.0)
        key = shape.kind if time.shared else shape
        us[key] = us.get(key, 0.0) + time.us * time.error * factor
    total = sum(time.us for time in times)
    return float(np.sqrt(np.sum(np.square([*us.values()])))) / total if total else 0.0


def places(space: SearchSpace) -> Iterator[tuple[str, tuple[Op, ...]]]:
    """Stem, every choice of every layer, and head, with their operations."""
    yield "stem", space.stem_ops
    for layer in space.layers:
        for choice in layer.choices:
            yield f"{layer.name} {choice.name}", choice.ops(layer)
    yield "head", space.head_ops


def shapes_of(ops: Iterable[Op], runtime: Runtime) -> list[KernelShape]:
    """The kernels that the runtime starts for operations; raises as :meth:`Runtime.kernels` does."""
    return [KernelShape.of(kernel) for kernel in runtime.kernels(ops)]


def check_support(space: SearchSpace, model: KernelModel, runtime: Runtime, device: str) -> None:
    """Cheap: nothing is fitted.

    Raises:
        TableError: the space holds kernels that the measurements do not support, every one of them.
    """
    reasons: dict[str, list[str]] = {}
    for place, ops in places(space):
        for shape in shapes_of(ops, runtime):
            if reason := model.unsupported(shape):
                reasons.setdefault(f"{shape}: {reason}", []).append(place)
    if reasons:
        lines = [f"{what} (in {_shortened(where)})" for what, where in reasons.items()]
        raise TableError(
            f"The measurements of {device} do not support {len(lines)} kernel(s) of the "
            f"space {space.name} at {space.resolution} px, and nothing is extrapolated that far:\n  "
            + "\n  ".join(lines)
            + "\nMeasure these blocks instead: python -m latency measure --help."
        )


def _shortened(where: Sequence[str]) -> str:
    where = list(dict.fromkeys(where))
    return ", ".join(where[:SHOWN]) + (f" and {len(where) - SHOWN} more" if len(where) > SHOWN else "")
