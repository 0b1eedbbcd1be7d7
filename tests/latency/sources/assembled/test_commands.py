"""``python -m latency build`` and ``tune``, run as a user does, on the phone whose law is known."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dnas.space import SearchSpace
from latency import TableError, load_table
from latency.__main__ import main
from latency.sources.assembled import assembly
from latency.sources.assembled.kernel_model import MODELLED
from latency.sources.assembled.settings import FOLDER, FORMAT
from latency.table import shipped

DATASET = "mobile_ml_benchmark"


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def space_file(tmp_path: Path, small: SearchSpace) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(small.to_dict(), sort_keys=False))
    return path


def build(kernels: Path, space: Path | str, output: Path, *more: str, device: str = "pixel4") -> int:
    argv = ["build", "--kernels", str(kernels), "--device", device, "--space", str(space)]
    return main([*argv, "--output", str(output), *more])


def test_build(
    kernels_file: Path,
    space_file: Path,
    small: SearchSpace,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert build(kernels_file, space_file, tmp_path / "out") == 0
    written = tmp_path / "out" / "small" / "adreno640_tflite2.10_64px.csv"
    table = load_table(written, small)
    assert table.overhead_ms == pytest.approx(1.5, abs=1e-3)
    out = capsys.readouterr().out
    assert f"wrote {written}: entries: 14 predicted, 6 assembled" in out
    assert table.sha256[:12] in out
    assert "whole networks" in out and "weak spot: multiply" in out
    first = written.read_bytes()
    assert build(kernels_file, space_file, tmp_path / "out") == 0  # a second run in the same folder
    assert written.read_bytes() == first


def test_one_assembly_serves_several_spaces(
    kernels_file: Path, space_file: Path, small: SearchSpace, tmp_path: Path
) -> None:
    definition = small.to_dict() | {"name": "other"}
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump(definition, sort_keys=False))
    assert build(kernels_file, space_file, tmp_path, "--space", str(other), device="s10") == 0
    name = "mali_g76_tflite2.10_64px.csv"
    one, two = ((tmp_path / space / name).read_text().splitlines() for space in ("small", "other"))
    assert one[-20:] == two[-20:]


def test_another_resolution(kernels_file: Path, space_file: Path, small: SearchSpace, tmp_path: Path) -> None:
    assert build(kernels_file, space_file, tmp_path, "--resolution", "48") == 0
    written = tmp_path / "small" / "adreno640_tflite2.10_48px.csv"
    assert load_table(written, small.adapt(resolution=48)).provenance["resolution"] == 48


def test_another_width(kernels_file: Path, space_file: Path, small: SearchSpace, tmp_path: Path) -> None:
    assert build(kernels_file, space_file, tmp_path, "--width", "2", "--resolution", "48") == 0
    written = tmp_path / "small_w2_48px" / "adreno640_tflite2.10_w2_48px.csv"
    member = small.scale(width=2, resolution=48)
    table = load_table(written, member)
    assert (table.name, table.provenance["space"]) == ("adreno640_tflite2.10_w2_48px", "small_w2_48px")
    assert f"conv 3x3/2 3>{member.stem[0].out_channels} at 48" in table.provenance["fixed"]["stem"][0]
    with pytest.raises(TableError, match="build-calibrated adreno630_mace --space small"):
        load_table(written, small)


@pytest.mark.parametrize("resolution", ["8", "512", "0"])
def test_a_resolution_without_measurements_is_refused_before_the_work(
    resolution: str,
    kernels_file: Path,
    space_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(assembly, "calibrate")  # nothing may be fitted
    assert build(kernels_file, space_file, tmp_path / "out", "--resolution", resolution) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert resolution == "0" or ("measured are maps of" in err and f"small at {resolution} px" in err)
    assert not (tmp_path / "out").exists()


def test_one_of_two_spaces_without_measurements_leaves_nothing_half_done(
    kernels_file: Path, space_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(kernels_file, space_file, tmp_path / "out", "--space", "moga") == 1
    assert "space moga at 224 px" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"device": "pixel9"}, "Unknown device 'pixel9'"),
        ({"space": "mogul"}, "Unknown search space 'mogul'"),
        ({"kernels": Path("none.csv")}, "No file none.csv"),
    ],
)
def test_mistakes_are_one_message(
    change: dict[str, str],
    said: str,
    kernels_file: Path,
    space_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = {"kernels": kernels_file, "space": space_file, "output": tmp_path / "out"} | change
    assert build(**given) == 1  # type: ignore[arg-type]
    assert capsys.readouterr().err.startswith(f"error: {said}")


def test_the_wrong_file_of_networks(
    kernels_file: Path, space_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(kernels_file, space_file, tmp_path / "out", "--networks", str(kernels_file)) == 1
    assert "expected the column(s) pixel4|gpu|float|mean" in capsys.readouterr().err


def test_tune_writes_settings_of_every_device(
    kernels_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "settings.yaml"
    assert main(["tune", "--kernels", str(kernels_file), "--output", str(path)]) == 0
    assert f"wrote {path}" in capsys.readouterr().out
    document = yaml.safe_load(path.read_text())
    assert (document["format"], document["name"]) == (FORMAT, "mobile_ml_benchmark")
    assert set(document["devices"]) == {"pixel4", "s10", "mi8se", "a03s"}
    for kinds in document["devices"].values():
        assert list(kinds) == list(MODELLED)


@pytest.mark.parametrize("kind", ["pool", "window"])
def test_tuning_one_kind_keeps_the_shipped_settings_of_the_others(
    kind: str, kernels_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "settings.yaml"
    assert main(["tune", "--kernels", str(kernels_file), "--kind", kind, "--output", str(path)]) == 0
    tuned, shipped_ones = yaml.safe_load(path.read_text())["devices"], shipped.load(FOLDER, DATASET, FORMAT)
    for device, kinds in shipped_ones["devices"].items():
        assert list(tuned[device]) == list(MODELLED)
        assert [name for name in kinds if tuned[device][name] != kinds[name]] == [kind]
