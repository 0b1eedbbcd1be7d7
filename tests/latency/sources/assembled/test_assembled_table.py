"""Tables assembled for a small space, compared with what they were made of, and the errors of blocks.

A space with kernels that were never measured is refused, all of them named with their places. Errors of a
block: independent ones in quadrature, shared ones added, overconfident ones widened.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency import LatencyTable, TableError, load_table
from latency.sources.assembled.assembled_table import (
    TableBuilder,
    block_error,
    check_support,
    places,
    shapes_of,
    widening,
)
from latency.sources.assembled.assembly import Assembly, Measurements
from latency.sources.assembled.calibration import Calibration
from latency.sources.assembled.kernel_model import KernelModel, Prediction
from latency.sources.assembled.shape import KernelShape
from latency.sources.assembled.validation import Figures, HeldOutKernel
from latency.table.entry import Entry
from latency.table.table_file import read_file

LIKE_MOBILENET_V2 = "E3K3 E3K3 E3K3 E3K3"


@pytest.fixture(scope="module")
def path(assembly: Assembly, small: SearchSpace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return TableBuilder(assembly).build(small, tmp_path_factory.mktemp("tables") / "small.csv")


@pytest.fixture(scope="module")
def table(path: Path, small: SearchSpace) -> LatencyTable:
    return load_table(path, small)


@pytest.fixture(scope="module")
def entries(path: Path) -> dict[tuple[str, str], Entry]:
    return {(entry.layer, entry.choice): entry for entry in read_file(path).entries}


def predictions(
    assembly: Assembly, small: SearchSpace, layer: int, choice: str
) -> list[tuple[KernelShape, Prediction]]:
    block = next(option for option in small.layers[layer].choices if option.name == choice)
    shapes = shapes_of(block.ops(small.layers[layer]), assembly.dataset.runtime)
    return list(zip(shapes, assembly.model.predict(shapes), strict=True))


def test_a_network_of_measured_kernels_is_the_sum_of_its_rows_calibrated_once(
    table: LatencyTable, small: SearchSpace, assembly: Assembly
) -> None:
    """mobilenetv2_w1 begins with these blocks: their rows, stem and head, times slope, plus offset."""
    architecture = Architecture.parse(LIKE_MOBILENET_V2, small)
    shapes = [
        KernelShape("conv", 32, 3, 16, 3, 2),
        *(shape for layer in range(4) for shape, _ in predictions(assembly, small, layer, "E3K3")),
        KernelShape("pointwise", 8, 40, 96),
        KernelShape("pool", 8, 96, 96),
        KernelShape("linear", 1, 96, 10),
    ]
    total_ms = sum(time.us for time in assembly.model.predict(shapes)) / 1e3
    assert table.latency_ms(architecture) == pytest.approx(1.5 + 1.1 * total_ms, abs=1e-3)
    assert table.overhead_ms == 1.5
    assert sum(table.kernel_shares(architecture).values()) == pytest.approx(table.latency_ms(architecture))


def test_parts_add_up_to_the_milliseconds(entries: dict[tuple[str, str], Entry]) -> None:
    for entry in entries.values():
        assert sum(entry.parts.values()) == pytest.approx(entry.ms, abs=3e-4)
    assert list(entries["L1", "E3K3SE"].parts) == ["pointwise", "depthwise", "pool", "linear", "multiply"]
    assert list(entries["L1", "E3K3G"].parts) == ["grouped", "copy", "depthwise"]


@pytest.mark.parametrize(
    ("layer", "choice", "source"),
    [
        (0, "E3K3", "assembled"),
        (0, "E3K3SE", "predicted"),  # the multiplication was never measured
        (0, "E4K7", "predicted"),
        (0, "E3K3G", "predicted"),
        (0, "skip", "assembled"),  # nothing runs
        (1, "skip", "predicted"),
    ],
)
def test_an_entry_is_assembled_when_all_of_its_kernels_were_measured(
    layer: int,
    choice: str,
    source: str,
    entries: dict[tuple[str, str], Entry],
    assembly: Assembly,
    small: SearchSpace,
) -> None:
    entry = entries[f"L{layer + 1}", choice]
    parts = predictions(assembly, small, layer, choice)
    assert entry.source == source
    assert (entry.source == "assembled") == all(time.measured for _, time in parts)
    assert entry.ms == pytest.approx(sum(time.us for _, time in parts) / 1e3, abs=1e-4)
    shapes, times = [shape for shape, _ in parts], [time for _, time in parts]
    error = block_error(shapes, times, widening(assembly.held_out_kernels))
    assert entry.relative_error == pytest.approx(error, abs=1e-4)


def test_the_addition_is_fused_into_the_projection(assembly: Assembly, small: SearchSpace) -> None:
    projections = [predictions(assembly, small, layer, "E3K3")[-1][0] for layer in range(4)]
    assert [shape.adds for shape in projections] == [True, False, True, False]


def test_the_header_tells_how_far_to_trust_it(table: LatencyTable, assembly: Assembly) -> None:
    facts = table.provenance
    assert facts["kind"] == table.kind == "assembled" and not table.is_measured
    assert (facts["device"], facts["gpu"]) == ("Google Pixel 4", "Adreno 640")
    assert facts["name"] == "adreno640_tflite2.10_64px"
    assert facts["error"]["network_mean"] == round(assembly.end_to_end.mape, 3)
    assert "families left out" in facts["error"]["statement"]
    calibration = facts["calibration"]
    assert (calibration["offset_ms"], calibration["slope"], calibration["networks"]) == (1.5, 1.1, 8)
    assert calibration["kendall_tau"] == 1.0
    figures = {figure["what"]: figure for figure in facts["validation"]["figures"]}
    assert list(figures) == [
        "pointwise kernels",
        "depthwise kernels",
        "conv kernels",
        "linear kernels",
        "pool kernels",
        "whole networks",
    ]
    assert figures["whole networks"]["n"] == 8
    assert figures["pointwise kernels"]["n"] == assembly.of_kind("pointwise").n  # type: ignore[union-attr]


def test_weak_spots_are_those_of_this_space(
    table: LatencyTable, assembly: Assembly, small: SearchSpace, tmp_path: Path
) -> None:
    spots = table.provenance["validation"]["weak_spots"]
    assert spots[0].startswith("4 of 18 blocks consist of measured kernels alone")  # two skips run nothing
    widened = [
        f"{kind} kernels" for kind, factor in widening(assembly.held_out_kernels).items() if factor > 1.2
    ]
    assert [spot.split(":")[0] for spot in spots[1:-1]] == [*widened, "multiply", "shuffle"]
    assert f"relative error {assembly.model.extrapolation_error:.0%}" in spots[-1]
    definition = small.to_dict()
    definition["choices"] = {"E3K3": definition["choices"]["E3K3"]}
    plain = SearchSpace.from_dict(definition)
    built = load_table(TableBuilder(assembly).build(plain, tmp_path / "plain.csv"), plain)
    assert built.provenance["validation"]["weak_spots"] == [
        "4 of 4 blocks consist of measured kernels alone, the rest are predicted"
    ]
    assert built.coverage().entries == {"assembled": 4}


def with_windows(small: SearchSpace) -> SearchSpace:
    """A maximum behind the stem, and shortcuts of 2x2 averages, which were not measured."""
    block = {"type": "bottleneck", "kernel": 3, "expansion": 0.5, "shortcut": "avg_pool"}
    definition = small.to_dict() | {"format": "dnas-space/2", "name": "windows", "choices": {"R": block}}
    definition["stem"] = [*definition["stem"], {"type": "max_pool", "kernel": 3, "stride": 2}]
    definition["layers"] = definition["layers"][:2]
    return SearchSpace.from_dict(definition)


def test_tables_of_spaces_with_windows_say_how_well_they_are_known(
    assembly: Assembly, small: SearchSpace, tmp_path: Path
) -> None:
    space = with_windows(small)
    table = load_table(TableBuilder(assembly).build(space, tmp_path / "t.csv"), space)
    figures = {figure["what"]: figure for figure in table.provenance["validation"]["figures"]}
    assert figures["window kernels"]["n"] == assembly.of_kind("window").n  # type: ignore[union-attr]
    spots = [spot for spot in table.provenance["validation"]["weak_spots"] if "never measured" in spot]
    assert len(spots) == 1 and spots[0].startswith("average window 2x2/2 kernels were never measured")
    assert f"relative error {assembly.model.window_error:.0%}" in spots[0]
    assert "window" in table.provenance["fixed"]["stem_parts"]


def test_a_kind_that_is_predicted_badly_is_a_weak_spot(
    assembly: Assembly, small: SearchSpace, tmp_path: Path
) -> None:
    """As if every window of a family left out had taken twice what the model said."""

    def spots(space: SearchSpace, known: Assembly) -> list[str]:
        table = load_table(TableBuilder(known).build(space, tmp_path / "t.csv"), space)
        return [spot for spot in table.provenance["validation"]["weak_spots"] if "mean error" in spot]

    wrong = tuple(
        replace(held, measured_us=2 * held.modelled_us) if held.shape.kind == "window" else held
        for held in assembly.held_out_kernels
    )
    badly = replace(assembly, held_out_kernels=wrong)
    (found,) = spots(with_windows(small), badly)
    assert found.startswith("window kernels: mean error 50% for families left out")
    assert spots(small, badly) == spots(with_windows(small), assembly) == []


def test_coverage_counts_entries_and_milliseconds(table: LatencyTable) -> None:
    coverage = table.coverage()
    assert coverage.entries == {"predicted": 14, "assembled": 6}
    assert sum(coverage.share.values()) == pytest.approx(1)


def test_the_same_measurements_give_the_same_file(
    path: Path, assembly: Assembly, small: SearchSpace, tmp_path: Path
) -> None:
    again = TableBuilder(assembly).build(small, tmp_path / "again.csv")
    assert again.read_bytes() == path.read_bytes()


def test_tables_of_224_pixels_have_the_plain_name(assembly: Assembly, small: SearchSpace) -> None:
    builder = TableBuilder(assembly)
    assert builder.name(small) == "adreno640_tflite2.10_64px"
    assert builder.name(small.adapt(resolution=224)) == "adreno640_tflite2.10"


def test_an_unsupported_space_writes_nothing(assembly: Assembly, small: SearchSpace, tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"do not support \d+ kernel\(s\) of the space small at 8 px"):
        TableBuilder(assembly).build(small.adapt(resolution=8), tmp_path / "t.csv")
    assert list(tmp_path.iterdir()) == []


def test_activations_that_the_runtimes_data_does_not_know_are_refused(
    assembly: Assembly, small: SearchSpace, tmp_path: Path
) -> None:
    definition = small.to_dict()
    definition["layers"][0]["activation"] = "swish"
    with pytest.raises(TableError, match=r"tflite_2.10 does not say which kernels run swish"):
        TableBuilder(assembly).build(SearchSpace.from_dict(definition), tmp_path / "t.csv")


def test_figures_without_a_rank_correlation_leave_it_out(
    assembly: Assembly, small: SearchSpace, tmp_path: Path
) -> None:
    """One held-out kernel of a kind has no rank; the table must still load."""
    pools = [held for held in assembly.held_out_kernels if held.shape.kind == "pool"]
    others = [held for held in assembly.held_out_kernels if held.shape.kind != "pool"]
    sparse = replace(assembly, held_out_kernels=(*others, pools[0]))
    table = load_table(TableBuilder(sparse).build(small, tmp_path / "t.csv"), small)
    figures = {figure["what"]: figure for figure in table.provenance["validation"]["figures"]}
    assert figures["pool kernels"]["n"] == 1 and "kendall_tau" not in figures["pool kernels"]
    assert "kendall_tau" in figures["pointwise kernels"]


def test_the_loader_applies_another_calibration_as_it_stands(
    assembly: Assembly, small: SearchSpace, tmp_path: Path, table: LatencyTable
) -> None:
    doubled = replace(assembly, calibration=Calibration(3.0, 2.2), fitted=Figures(0.0, 0.0, float("nan"), 8))
    other = load_table(TableBuilder(doubled).build(small, tmp_path / "t.csv"), small)
    np.testing.assert_allclose(other.ms, 2 * table.ms)
    assert other.fixed_ms == pytest.approx(2 * table.fixed_ms)


def test_a_second_build_replaces_the_whole_file(
    assembly: Assembly, small: SearchSpace, path: Path, tmp_path: Path
) -> None:
    target = tmp_path / "t.csv"
    target.write_text("half a fi")
    TableBuilder(assembly).build(small, target)
    assert target.read_bytes() == path.read_bytes()
    assert [file.name for file in tmp_path.iterdir()] == ["t.csv"]


def test_errors_that_were_too_small_for_families_left_out_are_widened(
    assembly: Assembly, entries: dict[tuple[str, str], Entry], small: SearchSpace, tmp_path: Path
) -> None:
    """As if every kernel of a family left out had taken twice what the model said."""
    wrong = tuple(replace(held, measured_us=2 * held.modelled_us) for held in assembly.held_out_kernels)
    written = TableBuilder(replace(assembly, held_out_kernels=wrong)).build(small, tmp_path / "wrong.csv")
    wider = {(entry.layer, entry.choice): entry for entry in read_file(written).entries}
    predicted = [key for key, entry in entries.items() if entry.source == "predicted"]
    grown = [key for key in predicted if wider[key].relative_error > 1.5 * entries[key].relative_error]
    assert grown
    for key in entries.keys() - set(predicted):
        assert wider[key].relative_error == entries[key].relative_error


ONE = KernelShape("pointwise", 14, 8, 16)
OTHER = KernelShape("depthwise", 14, 16, 16, kernel=3)
COPIES = [KernelShape("copy", 14, 8, 8), KernelShape("copy", 14, 16, 16)]


def predicted(us: float, error: float, shared: bool = False) -> Prediction:
    return Prediction(us, error, measured=False, shared=shared)


def test_different_kernels_are_independent() -> None:
    assert block_error([ONE, OTHER], [predicted(3, 0.1), predicted(4, 0.1)], {}) == pytest.approx(0.5 / 7)


def test_equal_kernels_are_wrong_alike() -> None:
    assert block_error([ONE, ONE], [predicted(3, 0.1)] * 2, {}) == pytest.approx(0.1)


def test_kernels_under_one_assumption_are_wrong_alike() -> None:
    times = [predicted(3, 1.0, shared=True), predicted(4, 1.0, shared=True)]
    assert block_error(COPIES, times, {}) == pytest.approx(1.0)
    alone = [predicted(3, 1.0), predicted(4, 1.0)]
    assert block_error(COPIES, alone, {}) == pytest.approx(5 / 7)


def test_only_predictions_of_the_kernel_model_are_widened() -> None:
    widen = {"pointwise": 2.0, "copy": 3.0}
    assert block_error([ONE], [predicted(5, 0.1)], widen) == pytest.approx(0.2)
    assert block_error([OTHER], [predicted(5, 0.1)], widen) == pytest.approx(0.1)
    assert block_error([ONE], [Prediction(5, 0.1, measured=True)], widen) == pytest.approx(0.1)
    assert block_error(COPIES[:1], [predicted(5, 1.0, shared=True)], widen) == pytest.approx(1.0)


def test_a_block_in_which_nothing_runs_has_no_error() -> None:
    assert block_error([], [], {}) == 0.0


def test_widening_is_the_root_mean_square_of_the_scores_but_at_least_one() -> None:
    def held(shape: KernelShape, measured_us: float, error: float) -> HeldOutKernel:
        return HeldOutKernel(
            "family", shape, modelled_us=1.0, error=error, built_us=1.0, measured_us=measured_us
        )

    bold = [held(ONE, math.exp(0.3), 0.1), held(ONE, math.exp(-0.4), 0.1)]
    timid = [held(OTHER, math.exp(0.05), 0.1)]
    found = widening([*bold, *timid])
    assert found == {"pointwise": pytest.approx(math.sqrt(12.5)), "depthwise": 1.0}
    assert widening([]) == {}


def test_a_space_of_supported_kernels_passes(measurements: Measurements, small: SearchSpace) -> None:
    check_support(small, KernelModel(measurements.kernels), measurements.dataset.runtime, "pixel4")


def test_everything_that_is_not_supported_is_named(measurements: Measurements, small: SearchSpace) -> None:
    tiny = small.adapt(resolution=8)
    with pytest.raises(TableError) as caught:
        check_support(tiny, KernelModel(measurements.kernels), measurements.dataset.runtime, "pixel4")
    first, *lines, last = str(caught.value).splitlines()
    assert first.startswith("The measurements of pixel4 do not support") and "space small at 8 px" in first
    assert f" {len(lines)} kernel(s) " in first
    assert "latency measure" in last
    assert all("measured are maps of 4 to 32 px" in line for line in lines)
    assert (
        "  pointwise 24>72 at 2 px: measured are maps of 4 to 32 px "
        "(in L3 E3K3, L3 E3K3SE, L4 E3K3, L4 E3K3SE)"
    ) in lines
    assert not any("at 4 px" in line for line in lines)


def test_a_kernel_in_many_places_is_named_once(measurements: Measurements, small: SearchSpace) -> None:
    definition = small.to_dict()
    definition["layers"] = [{"out": 16, "stride": 1, "activation": "relu"}] * 7
    model = KernelModel([kernel for kernel in measurements.kernels if kernel.shape.kind != "pool"])
    with pytest.raises(TableError) as caught:
        check_support(SearchSpace.from_dict(definition), model, measurements.dataset.runtime, "pixel4")
    assert str(caught.value).splitlines()[1:-1] == [
        "  pool 48>48 at 32 px: no pool kernel(s) measured, 10 are needed "
        "(in L1 E3K3SE, L2 E3K3SE, L3 E3K3SE, L4 E3K3SE and 3 more)",
        "  pool 96>96 at 32 px: no pool kernel(s) measured, 10 are needed (in head)",
    ]


def test_a_kernel_that_a_block_starts_three_times_names_the_block_once(
    measurements: Measurements, small: SearchSpace
) -> None:
    model = KernelModel([kernel for kernel in measurements.kernels if kernel.shape.kind != "concat"])
    with pytest.raises(TableError, match=r"copy 48>48 at 32 px: .* \(in L1 E3K3G, L2 E3K3G\)"):
        check_support(small, model, measurements.dataset.runtime, "pixel4")


def test_places_are_all_parts_of_a_network(small: SearchSpace) -> None:
    names = [name for name, _ in places(small)]
    assert names[0] == "stem" and names[-1] == "head"
    assert names[1:-1] == [
        f"{layer.name} {choice.name}" for layer in small.layers for choice in layer.choices
    ]
