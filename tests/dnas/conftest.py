"""Spaces of one's own with everything that the shipped ones have not: the corners of the format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dnas.space import SearchSpace

# Unequal squeeze ratios, fractional expansions, groups, skips on layers that change the shape, an odd map.
MOTLEY = {
    "format": "dnas-space/1",
    "name": "motley",
    "resolution": 27,
    "in_channels": 1,
    "num_classes": 5,
    "stem": [
        {"type": "conv", "out": 6, "kernel": 3, "stride": 2, "activation": "swish"},
        {"type": "separable", "out": 8, "kernel": 5, "stride": 1, "activation": "relu6"},
    ],
    "choices": {
        "half_k7_se": {"expansion": 0.5, "kernel": 7, "se": 0.5},
        "wide_k3_se": {"expansion": 2.6, "kernel": 3, "se": 0.1},
        "wide_k5": {"expansion": 2.6, "kernel": 5},
        "k1": {"expansion": 1, "kernel": 1},
        "grouped": {"expansion": 1.5, "kernel": 3, "groups": 2, "se": 0.25},
        "grouped_k5": {"expansion": 1.5, "kernel": 5, "groups": 2},
        "skip": {"skip": True},
    },
    "layers": [
        {"out": 8, "stride": 1, "activation": "swish"},
        {"out": 12, "stride": 2, "activation": "none"},
        {"out": 12, "stride": 2, "activation": "relu6", "choices": ["skip", "wide_k3_se"]},
        {"out": 12, "stride": 1, "activation": "hswish", "choices": ["half_k7_se"]},
    ],
    "head": [
        {"type": "dropout", "rate": 0.5},
        {"type": "conv", "out": 10, "kernel": 3, "activation": "relu"},
        {"type": "pool"},
    ],
}
MINIMAL = {
    "format": "dnas-space/1",
    "name": "minimal",
    "resolution": 4,
    "num_classes": 2,
    "stem": [{"type": "conv", "out": 3, "kernel": 1, "stride": 1, "activation": "none"}],
    "choices": {"only": {"expansion": 1, "kernel": 3}},
    "layers": [{"out": 3, "stride": 1, "activation": "relu"}],
    "head": [{"type": "pool"}],
}
# Layers that follow one decision, layers that may be skipped, and both.
STAGED = {
    "format": "dnas-space/2",
    "name": "staged",
    "resolution": 24,
    "num_classes": 4,
    "stem": [{"type": "conv", "out": 8, "kernel": 3, "stride": 2, "activation": "relu"}],
    "choices": {
        "k3": {"expansion": 2, "kernel": 3},
        "k5_se": {"expansion": 3, "kernel": 5, "se": 0.25},
        "dw": {"type": "separable", "kernel": 3},
    },
    "stages": [
        {"out": 8, "stride": 1, "activation": "relu", "repeat": 2, "shared": True},
        {
            "out": 12,
            "stride": 2,
            "activation": "hswish",
            "repeat": 3,
            "optional": 2,
            "choices": ["k3", "k5_se"],
        },
        {"out": 16, "stride": 1, "activation": "relu", "repeat": 3, "shared": True, "optional": 2},
    ],
    "head": [{"type": "pool"}],
}
OWN = {"motley": MOTLEY, "minimal": MINIMAL, "staged": STAGED}


def narrow(definition: dict[str, Any], divisor: int = 8) -> dict[str, Any]:
    """A space with fewer channels (at least 4, even: groups of 2 must divide them) on smaller images."""
    for entry in (*definition["stem"], *definition["layers"], *definition["head"]):
        if "out" in entry:
            entry["out"] = max(4, entry["out"] // divisor // 2 * 2)
    return definition | {"name": f"narrow_{definition['name']}", "resolution": 64, "num_classes": 7}


@pytest.fixture(scope="session")
def get_space() -> Callable[[str], SearchSpace]:
    """A space by name: shipped ones and narrow versions of them, ``motley``, ``minimal``, ``staged``."""

    def get(name: str) -> SearchSpace:
        if name in OWN:
            return SearchSpace.from_dict(OWN[name])
        if name.startswith("narrow_"):
            return SearchSpace.from_dict(narrow(SearchSpace.load(name.removeprefix("narrow_")).to_dict()))
        return SearchSpace.load(name)

    return get
