"""The public measurements of kernels and whole networks on phones (Li, Paolieri, Golubchik, EdgeSys 2024).

The files are the user's; what stands in them, and which networks are relatives, is data
(``latency/data/datasets``).
"""

from __future__ import annotations

import ast
import csv
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latency.kernels import Runtime
from latency.sources.assembled.launch import Gpu
from latency.sources.assembled.shape import KernelShape
from latency.table import shipped
from latency.table.errors import TableError

FORMAT = "dnas-dataset/1"
OPERATIONS = {
    "CONV_2D": "conv",
    "CONV_2D_GROUP": "grouped",
    "DEPTHWISE_CONV_2D": "depthwise",
    "FULLY_CONNECTED": "linear",
    "MEAN": "pool",
    "AVERAGE_POOL_2D": "window",
    "MAX_POOL_2D": "window",
    "CONCATENATION": "concat",
}
FEATURES = ("Input_shape", "Input_channel", "Output_shape", "Stride", "Kernel", "Filter", "Group")
LEAST_FAMILIES = 3


@dataclass(frozen=True)
class MeasuredKernel:
    """A kernel of a network as it ran on one device, in microseconds."""

    network: str
    family: str
    shape: KernelShape
    us: float


@dataclass(frozen=True)
class MeasuredNetwork:
    """A network on one device: its kernels in order, and end to end in milliseconds."""

    name: str
    family: str
    kernels: tuple[MeasuredKernel, ...]
    end_to_end_ms: float

    def multiplies(self) -> Iterator[KernelShape]:
        """The squeeze-excite multiplications, which the measurements do not list.

        A squeeze-excite is a pool and two fully connected layers before a convolution of the pooled map.
        """
        shapes = [kernel.shape for kernel in self.kernels]
        for pool, first, second, after in zip(shapes, shapes[1:], shapes[2:], shapes[3:], strict=False):
            squeezed = (pool.kind, first.kind, second.kind) == ("pool", "linear", "linear")
            if squeezed and (after.in_channels, second.out_channels) == (pool.in_channels, pool.in_channels):
                yield KernelShape("multiply", pool.size, pool.in_channels, pool.in_channels)


@dataclass(frozen=True)
class Dataset:
    """Names and facts of a public set of measurements; ``facts`` is its data file."""

    facts: Mapping[str, Any]

    @classmethod
    def load(cls, name: str = "mobile_ml_benchmark") -> Dataset:
        """A shipped description by name; raises :class:`TableError` naming the shipped ones."""
        return cls(shipped.load("datasets", name, FORMAT))

    @property
    def runtime(self) -> Runtime:
        """Which kernels run, as far as this data tells."""
        return Runtime.load(self.facts["runtime_description"])

    def device(self, name: str) -> dict[str, str]:
        """Facts of a device; raises :class:`TableError` naming those that are known."""
        if name not in self.facts["devices"]:
            known = ", ".join(f"{key} ({facts['gpu']})" for key, facts in self.facts["devices"].items())
            raise TableError(f"Unknown device {name!r}. The measurements are of {known}.")
        return dict(self.facts["devices"][name])

    def gpu(self, device: str) -> Gpu:
        """How a known device launches kernels."""
        return Gpu.from_dict(self.facts["gpus"][device])

    def family(self, network: str) -> str:
        """The family of a network; one that the data file does not know is a family of its own."""
        fits = (family for prefix, family in self.facts["families"].items() if network.startswith(prefix))
        return next(fits, network)

    def kernels(self, path: str | Path, device: str) -> list[MeasuredKernel]:
        """All kernels measured on ``device``, in the order of the file.

        Raises:
            TableError: no such file or device, other columns, or rows that cannot be read (all of them).
        """
        self.device(device)
        time, name = f"{device}|gpu|float", f"{device}|gpu|kernel"
        rows = _rows(Path(path), ("model", "operation", "feature", time, name))
        kernels, problems = [], []
        for number, row in rows:
            try:
                shape = _shape(row["operation"], _numbers(row["feature"]), row[name] or "")
                us = _positive(row[time])
            except ValueError as error:
                problems.append(f"line {number}: {error}")
                continue
            kernels.append(MeasuredKernel(row["model"], self.family(row["model"]), shape, us))
        _refuse(problems, path)
        return kernels

    def networks(self, path: str | Path, device: str, kernels: list[MeasuredKernel]) -> list[MeasuredNetwork]:
        """The MBConv networks among ``kernels``, with their end-to-end latency on ``device``.

        Raises:
            TableError: as :meth:`kernels`, and networks without an end-to-end latency.
        """
        column = f"{device}|gpu|float|mean"
        times, problems = {}, []
        for number, row in _rows(Path(path), ("model", column)):
            if row["model"] in times:
                problems.append(f"line {number}: {row['model']} is given twice")
            try:
                times[row["model"]] = _positive(row[column]) / 1e3
            except ValueError as error:
                problems.append(f"line {number}: {error}")
        grouped: dict[str, list[MeasuredKernel]] = {}
        for kernel in kernels:
            if kernel.family in self.facts["mbconv"]:
                grouped.setdefault(kernel.network, []).append(kernel)
        problems += [f"no end-to-end latency of {name}" for name in grouped if name not in times]
        problems += self._too_few({parts[0].family for parts in grouped.values()})
        _refuse(problems, path)
        return [
            MeasuredNetwork(name, parts[0].family, tuple(parts), times[name])
            for name, parts in grouped.items()
        ]

    def _too_few(self, families: Collection[str]) -> Iterator[str]:
        """With fewer families nothing could be left out: two networks are needed to calibrate the others."""
        if len(families) < LEAST_FAMILIES:
            yield (
                f"{len(families)} of the families {', '.join(self.facts['mbconv'])} among the kernels; "
                f"calibration and its test need {LEAST_FAMILIES}"
            )


def _rows(path: Path, columns: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    if not path.is_file():
        raise TableError(
            f"No file {path}. The measurements are public: repository qed-usc/mobile-ml-benchmark, folder "
            "'dataset'; give the path of tflite_cnn_ops_gpu.csv (tflite_cnn_e2e.csv beside it)."
        )
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            missing = [column for column in columns if column not in (reader.fieldnames or [])]
            if missing:
                raise TableError(f"{path}: expected the column(s) {', '.join(missing)}; is it another file?")
            return list(enumerate(reader, start=2))
    except (UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path} is not a CSV file: {error}") from error


def _refuse(problems: list[str], path: str | Path) -> None:
    if problems:
        shown = "\n  ".join(
            [*problems[:20], *([f"and {len(problems) - 20} more"] if len(problems) > 20 else [])]
        )
        raise TableError(f"{path}: {len(problems)} problem(s):\n  {shown}")


def _positive(text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        raise ValueError(f"{text!r} is not a time in microseconds")
    return value


def _numbers(feature: str | None) -> dict[str, int]:
    """The numbers of the column "feature", a Python mapping of texts; 0 where it says that there is none."""
    try:
        given = dict(ast.literal_eval(feature or ""))
        numbers = {key: 0 if value == "-" else int(str(value)) for key, value in given.items()}
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise ValueError(f"cannot read the feature {feature!r}") from None
    missing = [key for key in FEATURES if key not in numbers]
    if missing:
        raise ValueError(f"the feature {feature!r} lacks {', '.join(missing)}")
    return numbers


def _shape(operation: str, number: Mapping[str, int], name: str) -> KernelShape:
    """A row's shape; ``name`` is the delegate's kernel, which says what was fused into it."""
    if operation not in OPERATIONS:
        raise ValueError(f"unknown operation {operation!r}; known are {', '.join(OPERATIONS)}")
    kind = _kind(OPERATIONS[operation], number, name)
    channels = number["Input_channel"]
    by_output = kind not in {"pool", "linear"}
    shape = KernelShape(
        kind=kind,
        size=1 if kind == "linear" else number["Output_shape" if by_output else "Input_shape"],
        in_channels=channels,
        out_channels=channels if kind in {"depthwise", "pool", "window"} else number["Filter"],
        kernel=number["Kernel"] if by_output and kind != "concat" else 1,
        stride=(number["Stride"] or 1) if by_output else 1,
        groups=number["Group"] if kind == "grouped" else 1,
        adds=kind != "concat" and re.search(r"_linked_:_add", name) is not None and "mul" not in name,
        maximum=operation == "MAX_POOL_2D" and kind == "window",
    )
    amounts = (shape.size, shape.in_channels, shape.out_channels, shape.kernel, shape.stride, shape.groups)
    if min(amounts) < 1:
        raise ValueError(f"no {kind} kernel is like {dict(number)}")
    return shape


def _kind(kind: str, number: Mapping[str, int], name: str) -> str:
    """The delegate runs a 1x1 convolution of one pixel as fully connected, a pool of a whole map as mean."""
    if name.startswith("mean"):
        return "pool"
    if kind == "conv" and name.startswith("fully_connected"):
        return "linear"
    return "pointwise" if kind == "conv" and number["Kernel"] == 1 else kind
