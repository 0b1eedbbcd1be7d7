"""Names that converters and tools write."""

from __future__ import annotations

import pytest

from latency.sources.imported.names import choice_spellings, file_key, spellings


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("logs/L1_E2K3.tflite.log", "L1_E2K3"),
        ("L1_E2K3.LOG", "L1_E2K3"),
        ("C:\\out\\L1_E2K3.ncnn.param", "L1_E2K3"),
        ("L1_E2K3.Ncnn.Param.TXT", "L1_E2K3"),
        ("kernel=3,ms=1.5", "kernel=3,ms=1.5"),
    ],
)
def test_the_key_in_a_file_name(name: str, key: str) -> None:
    assert file_key(name) == key


@pytest.mark.parametrize(
    "name",
    [
        "L1_E2K3",
        "L1_E2K3_float16",
        "L1_E2K3-fp32",
        "L1_E2K3_full_integer_quant_with_int16_act",
        "L1_E2K3_sim_float32",
        "L1_E2K3_float16.tflite",
        "L1_E2K3_2026-11-29_16-27-48_107",
        "L1_E2K3_pnnx.ncnn",
    ],
)
def test_suffixes_of_converters(name: str) -> None:
    assert list(spellings(name))[-1] == "L1_E2K3"


def test_a_name_as_it_is_comes_first() -> None:
    assert next(spellings("L1_conv_float16")) == "L1_conv_float16"


def test_names_of_fbnets_reproductions() -> None:
    assert list(choice_spellings("ir_k3_s2")) == ["ir_k3_s2", "k3_e1_g2"]
    assert list(choice_spellings("IR_K5_E6")) == ["ir_k5_e6", "k5_e6"]
    assert list(choice_spellings("skip")) == ["skip"]
