"""Texts in the formats of other people's tools, and the facts that a header needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from dnas.space import SearchSpace

GPU = (
    "INFO: Explicitly applied GPU delegate, and the model graph will be completely executed by the delegate."
)
LOG = """INFO: STARTING!
INFO: Graph: [block.tflite]
INFO: {asked}
INFO: Created TensorFlow Lite delegate for GPU.
VERBOSE: Replacing 7 out of 7 node(s) with delegate (TfLiteGpuDelegateV2) node, yielding 1 partitions.
{delegated}
INFO: Running benchmark for at least 1 iterations and at least 0.5 seconds.
INFO: count=3 first=9000 curr=900 min=900 max=9000 avg=3600 std=3818

INFO: Running benchmark for at least 50 iterations and at least 1 seconds.
INFO: count={count} first=99 curr=98 min=90 max=130 avg={us} std={std} p5=91 median=97 p95=120

INFO: Inference timings in us: Init: 8000, First inference: 9000, Warmup (avg): 3600, Inference (avg): {us}
"""


@pytest.fixture
def log() -> Callable[..., str]:
    """A log of benchmark_model."""

    def make(
        us: float, *, std: float = 20, count: int = 100, delegated: str = GPU, asked: str = "Use gpu: [1]"
    ) -> str:
        return LOG.format(us=us, std=std, count=count, delegated=delegated, asked=asked)

    return make


@pytest.fixture
def profile() -> Callable[..., str]:
    """A report of the GPU delegate's profiler, with the separators of either version."""

    def make(*kernels_ms: float, separator: str = " - ") -> str:
        end = ";" if separator == "; " else ","
        lines = [f"  conv {i} -> add{separator}{ms:.6f} ms{end} 3.5 Gb/s" for i, ms in enumerate(kernels_ms)]
        return "\n".join(
            [
                "Precision: F16",
                f"Per kernel timing({len(kernels_ms)} kernels):",
                *lines,
                "--------------------",
                "Accumulated time per operation type:",
                f"  conv(x{len(kernels_ms)}) - {sum(kernels_ms):.6f} ms",
                "--------------------",
                f"Ideal total time: {sum(kernels_ms):.6f}",
                "--------------------",
                "Total time - 9.9ms",
            ]
        )

    return make


@pytest.fixture
def tiny_file(tiny: SearchSpace, tmp_path: Path) -> str:
    """The tiny space as a file of one's own."""
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(tiny.to_dict(), sort_keys=False))
    return str(path)


@pytest.fixture
def facts(tmp_path: Path) -> list[str]:
    """``--header FILE`` with every required fact."""
    path = tmp_path / "facts.yaml"
    path.write_text(
        "device: Phone\nsoc: Chip\ngpu: GPU\nruntime: TFLite\nruntime_version: 2.10\nbackend: OpenCL\n"
        "precision: fp16\nlicence: CC0-1.0\nsource: our lab\ndate: 2024-02-29\n"
    )
    return ["--header", str(path)]
