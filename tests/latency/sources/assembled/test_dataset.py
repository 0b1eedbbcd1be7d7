"""Reading the public measurements: every kind of row, and everything that can be wrong with a file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from latency import TableError
from latency.sources.assembled.dataset import Dataset, MeasuredKernel, MeasuredNetwork
from latency.sources.assembled.shape import KernelShape

DEVICE = "pixel4"
KERNEL_COLUMNS = ["model", "operation", "feature", f"{DEVICE}|gpu|float", f"{DEVICE}|gpu|kernel"]
NETWORK_COLUMNS = ["model", f"{DEVICE}|gpu|float|mean"]


def feature(**given: Any) -> str:
    keys = ("Input_shape", "Input_channel", "Output_shape", "Stride", "Kernel", "Filter", "Group", "FLOPS")
    return str({key: given.get(key, "-") for key in keys})


def convolution(**given: Any) -> str:
    usual = {"Input_shape": "28", "Input_channel": 40, "Output_shape": "28", "Stride": "1", "Kernel": "1"}
    return feature(**(usual | {"Filter": "80", "Group": "1"} | given))


@pytest.fixture
def write(tmp_path: Path) -> Any:
    """Writes lines of cells under a heading, quoted where they hold commas."""

    def run(columns: list[str], *lines: list[str]) -> Path:
        path = tmp_path / "kernels.csv"
        rows = [columns, *lines]
        path.write_text("".join(",".join(f'"{cell}"' for cell in row) + "\n" for row in rows))
        return path

    return run


@pytest.mark.parametrize(
    ("operation", "given", "name", "expected"),
    [
        ("CONV_2D", convolution(), "convolution_2d_1", KernelShape("pointwise", 28, 40, 80)),
        (
            "CONV_2D",
            convolution(),
            "convolution_2d_1_linked_:_add_2_linked_:_relu_3",
            KernelShape("pointwise", 28, 40, 80, adds=True),
        ),
        (  # multiply and add are a batch normalisation, no residual
            "CONV_2D",
            convolution(),
            "convolution_2d_1_linked_:_add_2_linked_:_mul_3_linked_:_add_4_linked_:_relu_5",
            KernelShape("pointwise", 28, 40, 80),
        ),
        (  # the input is padded: the output's side counts
            "CONV_2D",
            convolution(Input_shape="225", Output_shape="112", Kernel="3", Stride="2"),
            "convolution_winograd_4x4_6x6_1",
            KernelShape("conv", 112, 40, 80, 3, 2),
        ),
        (
            "CONV_2D",
            convolution(Input_shape="1", Output_shape="1"),
            "fully_connected_4_linked_:_sigmoid_5",
            KernelShape("linear", 1, 40, 80),
        ),
        (
            "CONV_2D_GROUP",
            convolution(Kernel="3", Group="4"),
            "convolution_2d_grouped_8",
            KernelShape("grouped", 28, 40, 80, 3, groups=4),
        ),
        (
            "DEPTHWISE_CONV_2D",
            convolution(Input_shape="31", Output_shape="14", Kernel="5", Stride="2", Filter="1"),
            "depthwise_convolution_3",
            KernelShape("depthwise", 14, 40, 40, 5, 2),
        ),
        (
            "FULLY_CONNECTED",
            feature(Input_channel=40, Filter="1000"),
            "fully_connected_9",
            KernelShape("linear", 1, 40, 1000),
        ),
        (
            "MEAN",
            feature(Input_shape="7", Input_channel=40, Output_shape="40", Kernel="0"),
            "mean_3",
            KernelShape("pool", 7, 40, 40),
        ),
        (
            "AVERAGE_POOL_2D",
            feature(Input_shape="7", Input_channel=40, Output_shape="1", Stride="1", Kernel="7"),
            "mean_3",
            KernelShape("pool", 7, 40, 40),
        ),
        (
            "MAX_POOL_2D",
            feature(Input_shape="114", Input_channel=64, Output_shape="56", Stride="2", Kernel="3"),
            "pooling_2d_3",
            KernelShape("window", 56, 64, 64, 3, 2, maximum=True),
        ),
        (  # padded by the runtime ("SAME"), not by an operation before it
            "MAX_POOL_2D",
            feature(Input_shape="112", Input_channel=64, Output_shape="56", Stride="2", Kernel="3"),
            "pooling_2d_3_linked_:_mul_4_linked_:_add_5_linked_:_relu_6",
            KernelShape("window", 56, 64, 64, 3, 2, maximum=True),
        ),
        (  # not padded ("VALID")
            "MAX_POOL_2D",
            feature(Input_shape="109", Input_channel=96, Output_shape="54", Stride="2", Kernel="3"),
            "pooling_2d_2",
            KernelShape("window", 54, 96, 96, 3, 2, maximum=True),
        ),
        (
            "AVERAGE_POOL_2D",
            feature(Input_shape="28", Input_channel=192, Output_shape="28", Stride="1", Kernel="3"),
            "pooling_2d_22",
            KernelShape("window", 28, 192, 192, 3),
        ),
        (
            "CONCATENATION",
            feature(Input_shape="56", Input_channel=24, Output_shape="56", Kernel="3", Filter="72"),
            "concat_8_linked_:_add_9",
            KernelShape("concat", 56, 24, 72),
        ),
    ],
)
def test_every_kind_of_row(
    operation: str, given: str, name: str, expected: KernelShape, write: Any, dataset: Dataset
) -> None:
    path = write(KERNEL_COLUMNS, ["mobilenetv2_w1", operation, given, "12.5", name])
    assert dataset.kernels(path, DEVICE) == [MeasuredKernel("mobilenetv2_w1", "mobilenet_v2", expected, 12.5)]


def test_everything_wrong_with_the_rows_is_named_at_once(write: Any, dataset: Dataset) -> None:
    good = ["vgg", "CONV_2D", convolution(), "1.0", "convolution_2d_1"]
    bad = {
        "unknown operation 'CONV_3D'": [1, "CONV_3D"],
        "cannot read the feature 'x'": [2, "x"],
        "cannot read the feature ''": [2, ""],
        "cannot read the feature '[1]'": [2, "[1]"],
        "Kernel': 'wide'": [2, convolution(Kernel="wide")],
        "Filter': '3.5'": [2, convolution(Filter="3.5")],
        "lacks Output_shape, Stride": [2, "{'Input_shape': '1', 'Input_channel': 4}"],
        "no pointwise kernel is like": [2, convolution(Output_shape="-")],
        "no conv kernel is like": [2, convolution(Kernel="-3")],
        "'nan' is not a time": [3, "nan"],
        "'inf' is not a time": [3, "inf"],
        "'-1' is not a time": [3, "-1"],
        "'0' is not a time": [3, "0"],
        "'fast' is not a time": [3, "fast"],
        "'' is not a time": [3, ""],
    }
    lines = [[*good[:column], cell, *good[column + 1 :]] for column, cell in bad.values()]
    path = write(KERNEL_COLUMNS, good, *lines, ["cut", "CONV_2D"])
    with pytest.raises(TableError) as caught:
        dataset.kernels(path, DEVICE)
    said = str(caught.value).splitlines()
    assert "16 problem(s)" in said[0] and "kernels.csv" in said[0]
    for number, what in enumerate(bad, start=3):
        assert said[number - 2].startswith(f"  line {number}: ") and what in said[number - 2]
    assert said[-1].startswith("  line 18: ") and len(said) == 17


def test_a_long_list_of_problems_is_cut(write: Any, dataset: Dataset) -> None:
    path = write(KERNEL_COLUMNS, *[["vgg", "CONV_2D", "x", "1.0", "convolution_2d_1"]] * 30)
    with pytest.raises(TableError, match=r"30 problem\(s\)(.|\n)*line 21: .*\n  and 10 more$"):
        dataset.kernels(path, DEVICE)


def test_unknown_device_names_those_that_are_known(dataset: Dataset) -> None:
    with pytest.raises(TableError, match=r"'pixel5'.*pixel4 \(Adreno 640\).*a03s \(PowerVR GE8320\)"):
        dataset.kernels("whatever.csv", "pixel5")


def test_another_file_is_refused(write: Any, dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(
        TableError, match=r"column\(s\) operation, feature, pixel4\|gpu\|float, pixel4.*kernel;"
    ):
        dataset.kernels(write(["model", "x"], ["a", "b"]), DEVICE)
    with pytest.raises(TableError, match=r"No file .*mobile-ml-benchmark"):
        dataset.kernels(tmp_path / "none.csv", DEVICE)
    with pytest.raises(TableError, match="No file"):
        dataset.kernels(tmp_path, DEVICE)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe\x00m", b"model,\x00operation\n"])
def test_no_csv_at_all(content: bytes, dataset: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.write_bytes(content)
    with pytest.raises(TableError, match=r"empty\.csv"):
        dataset.kernels(path, DEVICE)


@pytest.mark.parametrize(
    ("network", "family"),
    [
        ("mobilenetv2b_w3d4", "mobilenet_v2"),
        ("mobilenetv3_large_w1", "mobilenet_v3"),
        ("mobilenet_w1", "mobilenet_v1"),
        ("fdmobilenet_wd2", "mobilenet_v1"),
        ("proxylessnas_mobile14", "proxylessnas"),
        ("seresnet50", "resnet"),
        ("vgg16", "vgg16"),
    ],
)
def test_families(network: str, family: str, dataset: Dataset) -> None:
    assert dataset.family(network) == family


def kernels_of(*networks: str) -> list[MeasuredKernel]:
    dataset = Dataset.load()
    shape = KernelShape("pointwise", 7, 8, 8)
    return [MeasuredKernel(name, dataset.family(name), shape, 1.0) for name in networks]


MBCONV = kernels_of("mobilenetv2_w1", "resnet18", "mnasnet_a1", "mobilenetv2_w1", "spnasnet")


def test_networks_are_those_of_inverted_residuals(write: Any, dataset: Dataset) -> None:
    times = {"resnet18": "9000", "spnasnet": "3000.5", "mnasnet_a1": "2000", "mobilenetv2_w1": "1000"}
    path = write(NETWORK_COLUMNS, *map(list, times.items()))
    networks = dataset.networks(path, DEVICE, MBCONV)
    assert [(net.name, net.family, net.end_to_end_ms, len(net.kernels)) for net in networks] == [
        ("mobilenetv2_w1", "mobilenet_v2", 1.0, 2),
        ("mnasnet_a1", "mnasnet", 2.0, 1),
        ("spnasnet", "spnasnet", 3.0005, 1),
    ]


def test_everything_wrong_with_the_networks_is_named_at_once(write: Any, dataset: Dataset) -> None:
    lines = [["mobilenetv2_w1", "1"], ["mobilenetv2_w1", "2"], ["resnet18", "nan"], ["vgg"]]
    with pytest.raises(TableError) as caught:
        dataset.networks(write(NETWORK_COLUMNS, *lines), DEVICE, MBCONV)
    assert [line.strip() for line in str(caught.value).splitlines()[1:]] == [
        "line 3: mobilenetv2_w1 is given twice",
        "line 4: 'nan' is not a time in microseconds",
        "line 5: None is not a time in microseconds",
        "no end-to-end latency of mnasnet_a1",
        "no end-to-end latency of spnasnet",
    ]


@pytest.mark.parametrize("names", [(), ("resnet18",), ("mobilenetv2_w1", "mobilenetv2_w3d4", "fbnet_cb")])
def test_too_few_families_to_leave_one_out(names: tuple[str, ...], write: Any, dataset: Dataset) -> None:
    path = write(NETWORK_COLUMNS, *([name, "1"] for name in names))
    with pytest.raises(TableError, match=r"[012] of the families mobilenet_v2, .*need 3"):
        dataset.networks(path, DEVICE, kernels_of(*names))


def network_of(*shapes: KernelShape) -> MeasuredNetwork:
    return MeasuredNetwork("x", "x", tuple(MeasuredKernel("x", "x", shape, 1.0) for shape in shapes), 1.0)


POOL = KernelShape("pool", 14, 48, 48)
DOWN, UP = KernelShape("linear", 1, 48, 12), KernelShape("linear", 1, 12, 48)
PROJECT = KernelShape("pointwise", 14, 48, 24)


@pytest.mark.parametrize(
    ("shapes", "count"),
    [
        ((POOL, DOWN, UP, PROJECT), 1),
        ((PROJECT, POOL, DOWN, UP, PROJECT, POOL, DOWN, UP, PROJECT), 2),
        ((POOL, DOWN, UP), 0),  # a head
        ((POOL, DOWN, PROJECT), 0),
        ((POOL, DOWN, KernelShape("linear", 1, 12, 40), PROJECT), 0),  # not back to the pooled channels
        ((POOL, DOWN, UP, KernelShape("pointwise", 14, 40, 24)), 0),  # what follows reads another map
        ((), 0),
    ],
)
def test_squeeze_excite_multiplications_are_found_by_rule(
    shapes: tuple[KernelShape, ...], count: int
) -> None:
    found = list(network_of(*shapes).multiplies())
    assert found == [KernelShape("multiply", 14, 48, 48)] * count


def test_generated_networks_hold_what_they_were_made_of(measurements: Any) -> None:
    counts = {net.name: len(list(net.multiplies())) for net in measurements.networks}
    assert counts == {
        "mobilenetv2_w1": 0,
        "mobilenetv2_w2": 0,
        "mobilenetv3_a": 6,
        "mobilenetv3_b": 6,
        "mnasnet_a": 6,
        "proxylessnas_a": 0,
        "fbnet_a": 0,
        "spnasnet": 0,
    }
    kinds = Counter(kernel.shape.kind for kernel in measurements.networks[2].kernels)
    assert kinds == {"conv": 1, "pointwise": 13, "depthwise": 6, "pool": 7, "linear": 13}
