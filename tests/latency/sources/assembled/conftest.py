"""A phone whose law is known: kernels and networks in the layout of the public measurements."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from math import exp
from pathlib import Path
from typing import Any

import pytest

from dnas.space import SearchSpace
from latency.sources.assembled.assembly import Assembly, Measurements, assemble
from latency.sources.assembled.dataset import Dataset
from latency.sources.assembled.kernel_model import MODELLED
from latency.sources.assembled.kind_model import Settings

DEVICE = "pixel4"
DEVICES = ("pixel4", "s10", "mi8se", "a03s")
# Microseconds per kernel, per multiply-add, and per value read, written (twice with an addition) and weight.
START_US, MADD_US, READ_US, WRITE_US, WEIGHT_US = 8.0, 2e-4, 5e-3, 4e-3, 1e-2
CONCAT_START_US, CONCAT_US_PER_MB = 6.0, 900.0
OFFSET_MS, SLOPE = 1.5, 1.1
SPACE = {
    "format": "dnas-space/1",
    "name": "small",
    "resolution": 64,
    "num_classes": 10,
    "stem": [{"type": "conv", "out": 16, "kernel": 3, "stride": 2, "activation": "hswish"}],
    "choices": {
        "E3K3": {"expansion": 3, "kernel": 3},
        "E3K3SE": {"expansion": 3, "kernel": 3, "se": 0.25},
        "E4K7": {"expansion": 4, "kernel": 7},
        "E3K3G": {"expansion": 3, "kernel": 3, "groups": 2},
        "skip": {"skip": True},
    },
    "layers": [
        {"out": 16, "stride": 1, "activation": "relu"},
        {"out": 24, "stride": 2, "activation": "relu"},
        {"out": 24, "stride": 1, "activation": "hswish"},
        {"out": 40, "stride": 2, "activation": "hswish"},
    ],
    "head": [{"type": "conv", "out": 96, "kernel": 1, "activation": "hswish"}, {"type": "pool"}],
}


@dataclass(frozen=True)
class Row:
    """A kernel as the public file lists it; ``name`` is the delegate's kernel."""

    operation: str
    feature: dict[str, Any]
    name: str
    us: float


@dataclass(frozen=True)
class Phone:
    """Networks of rows; ``multiply_us`` holds the squeeze-excite multiplications, which no row lists."""

    networks: dict[str, list[Row]] = field(default_factory=dict)
    multiply_us: dict[str, float] = field(default_factory=dict)
    end_to_end_us: dict[str, float] = field(default_factory=dict)


def features(**given: object) -> dict[str, Any]:
    keys = ("Input_shape", "Input_channel", "Output_shape", "Stride", "Kernel", "Filter", "Group", "FLOPS")
    return {key: given.get(key, "-") for key in keys}


def conv(
    size: int,
    inside: int,
    outside: int,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    adds: bool = False,
) -> Row:
    """``size`` is the output's side, as everywhere below."""
    madds = size**2 * outside * kernel**2 * inside // groups
    read, written = (size * stride) ** 2 * inside, size**2 * outside * (2 if adds else 1)
    weights = outside * kernel**2 * inside // groups
    us = START_US + MADD_US * madds + READ_US * read + WRITE_US * written + WEIGHT_US * weights
    given = features(
        Input_shape=str(size * stride),
        Input_channel=inside,
        Output_shape=str(size),
        Stride=str(stride),
        Kernel=str(kernel),
        Filter=str(outside),
        Group=str(groups),
    )
    linked = "_linked_:_add_4_linked_:_relu_5" if adds else "_linked_:_relu_5"
    if groups > 1:
        return Row("CONV_2D_GROUP", given, f"convolution_2d_grouped_3{linked}", us)
    return Row("CONV_2D", given, f"convolution_2d_3{linked}", us)


def depthwise(size: int, channels: int, kernel: int, stride: int = 1) -> Row:
    read, written, weights = (size * stride) ** 2 * channels, size**2 * channels, channels * kernel**2
    us = START_US + MADD_US * written * kernel**2 + READ_US * read + WRITE_US * written + WEIGHT_US * weights
    given = features(
        Input_shape=str(size * stride + kernel - 1),  # padded, as the public file has it
        Input_channel=channels,
        Output_shape=str(size),
        Stride=str(stride),
        Kernel=str(kernel),
        Filter="1",
        Group="1",
    )
    return Row("DEPTHWISE_CONV_2D", given, "depthwise_convolution_7_linked_:_relu_8", us)


def linear(inside: int, outside: int) -> Row:
    us = START_US + (MADD_US + WEIGHT_US) * inside * outside + READ_US * inside + WRITE_US * outside
    return Row(
        "FULLY_CONNECTED", features(Input_channel=inside, Filter=str(outside)), "fully_connected_9", us
    )


def pixel(inside: int, outside: int) -> Row:
    """A 1x1 convolution of one pixel, which the delegate runs as a fully connected layer."""
    given = features(
        Input_shape="1",
        Input_channel=inside,
        Output_shape="1",
        Stride="1",
        Kernel="1",
        Filter=str(outside),
        Group="1",
    )
    return Row("CONV_2D", given, "fully_connected_9_linked_:_relu_10", linear(inside, outside).us)


def mean(size: int, channels: int) -> Row:
    us = START_US + READ_US * size**2 * channels + WRITE_US * channels
    given = features(Input_shape=str(size), Input_channel=channels, Output_shape=str(channels), Kernel="0")
    return Row("MEAN", given, "mean_11", us)


def concat(size: int, inside: int, outside: int) -> Row:
    us = CONCAT_START_US + CONCAT_US_PER_MB * size**2 * outside * 2 / 1e6
    given = features(
        Input_shape=str(size),
        Input_channel=inside,
        Output_shape=str(size),
        Kernel=str(outside // inside),
        Filter=str(outside),
    )
    return Row("CONCATENATION", given, "concat_12", us)


def window(size: int, channels: int, kernel: int, stride: int = 1, maximum: bool = True) -> Row:
    written = size**2 * channels
    read = written * min(kernel, stride) ** 2
    us = START_US + MADD_US * written * kernel**2 + READ_US * read + WRITE_US * written
    given = features(
        Input_shape=str(size * stride),
        Input_channel=channels,
        Output_shape=str(size),
        Stride=str(stride),
        Kernel=str(kernel),
    )
    return Row("MAX_POOL_2D" if maximum else "AVERAGE_POOL_2D", given, "pooling_2d_13", us)


def multiply_us(size: int, channels: int) -> float:
    return CONCAT_US_PER_MB * size**2 * channels * 2 / 1e6


@dataclass(frozen=True)
class Style:
    """What an MBConv network of the phone looks like."""

    width: int = 8
    expansion: int = 3
    kernel: int = 3
    se: bool = False
    head: int = 96


def mbconv_network(style: Style) -> tuple[list[Row], float]:
    """Rows of a network at 64 px and the microseconds of its squeeze-excite multiplications."""
    inside = 2 * style.width
    rows, hidden_us = [conv(32, 3, inside, 3, 2)], 0.0
    for outside, size, stride in ((2, 32, 1), (3, 16, 2), (3, 16, 1), (5, 8, 2), (5, 8, 1), (8, 4, 2)):
        outside *= style.width
        hidden = inside * style.expansion
        rows += [
            conv(size * stride, inside, hidden),
            depthwise(size, hidden, style.kernel, stride),
        ]
        if style.se:
            rows += [mean(size, hidden), pixel(hidden, hidden // 4), pixel(hidden // 4, hidden)]
            hidden_us += multiply_us(size, hidden)
        rows.append(conv(size, hidden, outside, adds=stride == 1 and inside == outside))
        inside = outside
    return [*rows, conv(4, inside, style.head), mean(4, style.head), linear(style.head, 10)], hidden_us


STYLES = {
    "mobilenetv2_w1": Style(),
    "mobilenetv2_w2": Style(width=16),
    "mobilenetv3_a": Style(se=True),
    "mobilenetv3_b": Style(width=12, se=True, head=128),
    "mnasnet_a": Style(expansion=6, se=True),
    "proxylessnas_a": Style(expansion=4, kernel=5),
    "fbnet_a": Style(width=12, expansion=4, kernel=5, head=128),
    "spnasnet": Style(width=8, expansion=6, head=64),
}


def other_networks() -> dict[str, list[Row]]:
    sizes = (4, 8, 16, 32)
    wide = [conv(size, a, 2 * a, 3) for size in sizes for a in (16, 32)]
    grouped = [conv(size, a, a, 3, groups=2) for size in sizes for a in (16, 32, 64)]
    joined = [concat(size, a, 2 * a) for size in sizes for a in (16, 48, 96)]
    pooled = [mean(size, a) for size in sizes for a in (32, 64, 128)]
    windows = [window(size, a, kernel, 2) for size in sizes for a in (16, 64) for kernel in (2, 3)]
    averages = [window(size, a, 3, 1, maximum=False) for size in sizes for a in (16, 64)]
    linears = [linear(a, b) for a in (16, 64, 128) for b in (8, 10, 32, 100)]
    return {
        "resnet10": [*wide, conv(16, 32, 64, 1, 2), *pooled, *linears, *windows],
        "resnext14": grouped,
        "densenet9": joined,
        "vovnet_a": [*wide[:4], *joined[:6], *windows[:8], *averages],
    }


def known_phone() -> Phone:
    """Without noise: every kernel follows the law, every network OFFSET_MS + SLOPE * sum."""
    made = {name: mbconv_network(style) for name, style in STYLES.items()}
    others = other_networks()
    networks = {name: rows for name, (rows, _) in made.items()} | others
    multiplies = {name: us for name, (_, us) in made.items()} | dict.fromkeys(others, 0.0)
    totals = {name: sum(row.us for row in rows) + multiplies[name] for name, rows in networks.items()}
    return Phone(
        networks, multiplies, {name: OFFSET_MS * 1e3 + SLOPE * total for name, total in totals.items()}
    )


def noisy(phone: Phone, deviation: float, seed: int = 0) -> Phone:
    generator = random.Random(seed)
    networks = {
        name: [replace(row, us=row.us * exp(generator.gauss(0, deviation))) for row in rows]
        for name, rows in phone.networks.items()
    }
    return replace(phone, networks=networks)


def kernel_lines(phone: Phone) -> Iterator[list[str]]:
    yield [
        "model",
        "operation",
        "feature",
        *(f"{device}|gpu|{x}" for device in DEVICES for x in ("float", "kernel")),
    ]
    for network, rows in phone.networks.items():
        for row in rows:
            yield [network, row.operation, str(row.feature), *[repr(row.us), row.name] * len(DEVICES)]


def network_lines(phone: Phone) -> Iterator[list[str]]:
    yield [
        "model",
        "FLOPS",
        "size",
        *(f"{device}|gpu|float|{x}" for device in DEVICES for x in ("mean", "std")),
    ]
    for network, us in phone.end_to_end_us.items():
        yield [network, "1", "1", *[repr(us), "1.0"] * len(DEVICES)]


def write_csv(path: Path, lines: Iterable[list[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(lines)
    return path


def write_phone(folder: Path, phone: Phone) -> Path:
    """Both files, named as in the public repository; returns the path of the kernels."""
    write_csv(folder / "tflite_cnn_e2e.csv", network_lines(phone))
    return write_csv(folder / "tflite_cnn_ops_gpu.csv", kernel_lines(phone))


@pytest.fixture(scope="session")
def fixed_settings() -> dict[str, Settings]:
    """Of every kind, so that no test waits for tuning."""
    axes = ("size", "in_channels", "out_channels", "kernel", "stride", "adds")
    settings = Settings(0.1, 0.03, 0.02, dict.fromkeys(axes, 3.0), dict.fromkeys(axes, 1.0))
    return dict.fromkeys(MODELLED, settings)


def quiet(names: Iterable[str], what: str) -> Iterator[str]:
    return iter(names)


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    return Dataset.load()


@pytest.fixture(scope="session")
def kernels_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of kernels of the phone without noise, that of the networks beside it."""
    return write_phone(tmp_path_factory.mktemp("phone"), known_phone())


@pytest.fixture
def noisy_measurements(tmp_path: Path, dataset: Dataset) -> Callable[[float], Measurements]:
    """The phone with times that are off by a deviation (of their logarithm), written and read again."""
    return lambda deviation: Measurements.read(
        dataset, DEVICE, write_phone(tmp_path, noisy(known_phone(), deviation))
    )


@pytest.fixture(scope="session")
def measurements(dataset: Dataset, kernels_file: Path) -> Measurements:
    return Measurements.read(dataset, DEVICE, kernels_file)


@pytest.fixture(scope="session")
def assembly(measurements: Measurements, fixed_settings: dict[str, Settings]) -> Assembly:
    return assemble(measurements, fixed_settings, quiet)


@pytest.fixture(scope="session")
def small() -> SearchSpace:
    """Kernels measured and not, squeeze-excite, grouped convolutions, skips that keep their shape and not."""
    return SearchSpace.from_dict(SPACE)
