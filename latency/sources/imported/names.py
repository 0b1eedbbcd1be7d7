"""Names as tools and converters write them, and the names that they stand for."""

from __future__ import annotations

import re
from collections.abc import Iterator

EXTENSIONS = re.compile(
    r"\.(?:log|txt|out|md|csv|tsv|json|ya?ml|tflite|onnx|ort|mnn|pte|etdp|etdump|dlc|pb|param|bin|ncnn|mlmodel)$",
    re.IGNORECASE,
)
# onnx2tf and the TFLite converter (_float16, _full_integer_quant), onnxsim (-sim), pnnx (_pnnx), and the date
# that ONNX Runtime appends to profiles.
CONVERTERS = re.compile(
    r"[-_.](?:float|fp)(?:16|32)$|[-_.]sim(?:plified)?$|[-_.]pnnx$"
    r"|_\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(?:_\d+)?$"
    r"|_(?:dynamic_range|(?:full_)?integer)_quant(?:_with_int16_act)?$",
    re.IGNORECASE,
)
# FBNet's reproductions name its blocks ir_k3_e6 and, with two groups and a shuffle, ir_k3_s2.
SHUFFLED = re.compile(r"(?:ir_)?(?P<kernel>k\d+)_s(?P<groups>\d+)")


def file_key(name: str) -> str:
    """The key in the name of a file: without folder and extensions such as ``.tflite.log``."""
    name = re.split(r"[/\\]", name.strip())[-1]
    while EXTENSIONS.search(name):
        name = EXTENSIONS.sub("", name)
    return name


def spellings(key: str) -> Iterator[str]:
    """The key as it is, and without what converters append."""
    yield key
    while CONVERTERS.search(key) or EXTENSIONS.search(key):
        key = EXTENSIONS.sub("", CONVERTERS.sub("", key))
        yield key


def choice_spellings(choice: str) -> Iterator[str]:
    """The name of a choice in lower case, and what FBNet's reproductions mean by it."""
    choice = choice.lower()
    yield choice
    if match := SHUFFLED.fullmatch(choice):
        yield f"{match['kernel']}_e1_g{match['groups']}"
    elif choice.startswith("ir_"):
        yield choice.removeprefix("ir_")
